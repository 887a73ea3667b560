/** Runs startPostgres.ts as a process of its own and tells what became of it. */
import { spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readlinkSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"

const Announcement = Schema.fromJsonString(
  Schema.Struct({
    ready: Schema.optionalKey(Schema.Int),
    error: Schema.optionalKey(Schema.String),
    tag: Schema.optionalKey(Schema.String)
  })
)

export interface Started {
  readonly pid: number
  /** The pid of its PostgreSQL, if it got that far. */
  readonly postgres: number | undefined
  readonly error: string | undefined
  readonly tag: string | undefined
  /** Sends the signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Effect.Effect<void>
}

const program = fileURLToPath(new URL("./startPostgres.ts", import.meta.url))

/** Resolves when the process is ready or has said why not. Killed with the scope. */
export const start = Effect.fnUntraced(function* (dataDir: string) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [program, dataDir], { stdio: ["ignore", "pipe", "inherit"] })),
    (started) => Effect.sync(() => started.kill("SIGKILL"))
  )
  const exited = Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })
  const line = yield* Effect.callback<string>((resume) => {
    const lines = createInterface({ input: child.stdout })
    lines.on("line", (text) => text.startsWith("{") && resume(Effect.succeed(text)))
    child.once("exit", (code) => resume(Effect.succeed(JSON.stringify({ error: `exit ${code}` }))))
  })
  const said = yield* Schema.decodeEffect(Announcement)(line)
  return {
    pid: child.pid ?? 0,
    postgres: said.ready,
    error: said.error,
    tag: said.tag,
    end: (signal) =>
      Effect.andThen(
        Effect.sync(() => child.kill(signal)),
        exited
      )
  } satisfies Started
})

/** A directory of its own, removed with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "zapiska-store-")))
    // Under root the server's user must be able to pass.
    chmodSync(directory, 0o755)
    return directory
  }),
  (directory) =>
    Effect.sync(() => {
      rmSync(directory, { recursive: true, force: true })
    })
)

/** Ends the server with the scope if the test left it running. */
export const endWithScope = (postgres: number | undefined) =>
  Effect.addFinalizer(() =>
    Effect.ignore(
      Effect.try(() => postgres !== undefined && isServer(postgres) && process.kill(postgres, "SIGQUIT"))
    )
  )

/** A zombie, or another process with the same number, is none. */
export const isServer = (pid: number) => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).includes("data")
  } catch {
    return false
  }
}
