/** The whole assistant as a real process, against an emulator elsewhere: started, killed, started again. */
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Clock, Effect, type Scope } from "effect"
import type { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { DataCentre } from "../../src/telegram/UserClient.ts"
import { freePort } from "./freePort.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))
const withFailpoint = fileURLToPath(new URL("./failpointProcess.ts", import.meta.url))

/** The PostgreSQL that a killed process leaves running; it writes to its files until it has ended. */
const endPostgres = (dataDir: string) =>
  Effect.try(() => readFileSync(join(dataDir, "db", "data", "postmaster.pid"), "utf8")).pipe(
    Effect.map((text) => Number(text.split("\n")[0])),
    Effect.tap((pid) => Effect.try(() => process.kill(pid, "SIGQUIT"))),
    Effect.flatMap((pid) =>
      Effect.try(() => process.kill(pid, 0)).pipe(Effect.delay("20 millis"), Effect.repeat({ times: 500 }))
    ),
    // It was never started, or has ended.
    Effect.ignore
  )

/** For a `dataDir`, or a parent of one named `data`. Passable, so that root's PostgreSQL too goes with it. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = mkdtempSync(join(tmpdir(), "zapiska-app-"))
    chmodSync(directory, 0o711)
    return directory
  }),
  (directory) =>
    endPostgres(directory).pipe(
      Effect.andThen(endPostgres(join(directory, "data"))),
      Effect.andThen(Effect.sync(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 })))
    )
)

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** From the signal to the end. */
  readonly millis: number
}

export interface Application {
  readonly pid: number
  readonly url: string
  /** Everything it printed so far. */
  readonly output: () => string
  /** Resolves when the process has ended by itself or by a signal. */
  readonly ended: Effect.Effect<Ended>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<Ended>
}

export interface ApplicationOptions {
  readonly dataDir: string
  /** Absent: the sandbox in the process itself. */
  readonly emulator?: Pick<BotApiEmulator["Service"], "apiRoot" | "bot">
  readonly env?: Readonly<Record<string, string>>
  /** Its updates come by webhook, proved with this. */
  readonly webhookSecret?: string
  /** Kills itself with -9 when it gets to this place for the `count`th time. */
  readonly failpoint?: { readonly name: string; readonly count: number }
  /** The Telegram of people's accounts. */
  readonly dataCentre?: DataCentre
}

const ending = (child: ChildProcess, since: number): Effect.Effect<Ended> =>
  Effect.callback<void>((resume) => {
    const end = () => resume(Effect.void)
    if (child.exitCode !== null || child.signalCode !== null) end()
    else child.once("exit", end)
  }).pipe(
    Effect.andThen(Clock.currentTimeMillis),
    Effect.map((now) => ({ code: child.exitCode, signal: child.signalCode, millis: now - since })),
    // What it said last may come after its end.
    Effect.tap(allSaid(child))
  )

const allSaid = ({ stdout, stderr }: ChildProcess) =>
  Effect.forEach([stdout, stderr], (stream) =>
    Effect.callback<void>((resume) => {
      const end = () => resume(Effect.void)
      if (stream === null || stream.closed) end()
      else stream.once("close", end)
    })
  ).pipe(Effect.timeoutOption("10 seconds"))

/** Starts the process; it is killed with the scope. Does not wait until it is ready. */
export const launch = Effect.fnUntraced(function* (options: ApplicationOptions) {
  const port = yield* freePort
  const { dataCentre, emulator, failpoint } = options
  const plain = failpoint === undefined && dataCentre === undefined
  const output: Array<string> = []
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const started = spawn(process.execPath, plain ? [main, "start"] : [withFailpoint], {
        cwd: options.dataDir,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          DATA_DIR: options.dataDir,
          HTTP_PORT: String(port),
          LOG_FORMAT: "json",
          LOG_LEVEL: "info",
          ...(emulator === undefined
            ? {}
            : {
                TELEGRAM_BOT_TOKEN: emulator.bot.token,
                TELEGRAM_API_ROOT: emulator.apiRoot,
                TELEGRAM_ALLOWED_USERS: "*",
                // One person of a test says more in a minute than many do in a day.
                LIMIT_USER: "none",
                LIMIT_TENANT: "none"
              }),
          ...(options.webhookSecret === undefined
            ? {}
            : {
                TELEGRAM_WEBHOOK_URL: `http://127.0.0.1:${port}`,
                TELEGRAM_WEBHOOK_SECRET: options.webhookSecret
              }),
          ...(failpoint === undefined ? {} : { FAILPOINT: `${failpoint.name}:${failpoint.count}` }),
          ...(dataCentre === undefined ? {} : { DATA_CENTRE: JSON.stringify(dataCentre) }),
          ...options.env
        }
      })
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => output.push(text))
      }
      return started
    }),
    (running) =>
      Effect.suspend(() => {
        running.kill("SIGKILL")
        return Effect.asVoid(ending(running, 0))
      })
  )
  const application: Application = {
    pid: child.pid!,
    url: `http://127.0.0.1:${port}`,
    output: () => output.join(""),
    ended: ending(child, 0),
    signal: (signal) =>
      Effect.gen(function* () {
        const since = yield* Clock.currentTimeMillis
        child.kill(signal)
        return yield* ending(child, since)
      })
  }
  return application
})

const isReady = (url: string) =>
  Effect.promise((signal) =>
    fetch(`${url}/health/ready`, { signal }).then(
      (answer) => answer.ok,
      () => false
    )
  )

/** Waits until something holds; what it was is in the failure. */
export const eventually = <E, R>(
  what: string,
  check: Effect.Effect<boolean, E, R>,
  options: { readonly seconds?: number; readonly detail?: () => string } = {}
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    while (!(yield* check)) yield* Effect.sleep("50 millis")
  }).pipe(
    Effect.timeoutOrElse({
      duration: `${options.seconds ?? 90} seconds`,
      orElse: () => Effect.die(new Error(`It never came to this: ${what}\n${options.detail?.() ?? ""}`))
    })
  )

export const ready = (application: Application) =>
  Effect.raceFirst(
    eventually("the application is ready", isReady(application.url), {
      seconds: 120,
      detail: application.output
    }),
    Effect.flatMap(application.ended, ({ code, signal }) =>
      Effect.die(new Error(`The application ended with ${code ?? signal}:\n${application.output()}`))
    )
  )

/** Starts the process and waits until it is ready. */
export const start = Effect.fnUntraced(function* (options: ApplicationOptions) {
  const application = yield* launch(options)
  yield* ready(application)
  return application
})
