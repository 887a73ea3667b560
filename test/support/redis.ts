/** A real Redis of a test's own, on a free port of loopback, that can be killed and started anew. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Context, Effect, Exit, Layer, Redacted, Schedule } from "effect"
import { Redis } from "ioredis"
import { freePort } from "./freePort.ts"

const command = ["redis-server", "valkey-server"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})

/** Said aloud by the tests that are skipped without one. */
export const noRedis = command === undefined ? "no redis-server in PATH (Debian: redis-server)" : undefined

/** On a machine that is busy with other tests; it takes milliseconds else. */
const startWithin = "60 seconds"

class NotStarted extends Error {}

/**
 * Ready when this very server answers. The port may have become another's by now. A server takes its real time, also
 * where the clock of a test stands still.
 */
const running = Effect.fnUntraced(
  function* (port: number, directory: string) {
    const child = spawn(
      command ?? "redis-server",
      ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory],
      { stdio: ["ignore", "pipe", "ignore"] }
    )
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-2_000)
    })
    const because = (what: string) => new NotStarted(`redis-server on port ${port} ${what}:\n${output}`)
    const ended = Effect.callback<never, NotStarted>((resume) => {
      const end = () => resume(Effect.fail(because("ended")))
      if ((child.exitCode ?? child.signalCode) !== null) return end()
      child.once("exit", end).once("error", end)
      return Effect.sync(() => void child.off("exit", end).off("error", end))
    })
    const client = new Redis({ port, retryStrategy: () => 20, maxRetriesPerRequest: 1 })
    client.on("error", () => undefined)
    const answers = Effect.tryPromise(() => client.info("server")).pipe(
      Effect.orElseSucceed(() => ""),
      Effect.repeat({
        until: (info) => info.includes(`process_id:${child.pid}\r`),
        schedule: Schedule.spaced("20 millis")
      })
    )
    yield* Effect.raceFirst(answers, ended).pipe(
      Effect.timeoutOrElse({ duration: startWithin, orElse: () => Effect.fail(because("did not answer")) }),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          client.disconnect()
          if (Exit.isFailure(exit)) child.kill("SIGKILL")
        })
      )
    )
    return child
  },
  Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())
)

export class TestRedis extends Context.Service<
  TestRedis,
  {
    readonly url: Redacted.Redacted<string>
    readonly port: number
    readonly pid: () => number
    /** SIGKILL; what was not saved is gone, and nothing is. */
    readonly kill: Effect.Effect<void>
    readonly start: Effect.Effect<void>
    /** A command of an operator. */
    readonly command: (...args: ReadonlyArray<string>) => Effect.Effect<unknown>
  }
>()("test/TestRedis") {
  static readonly layer = Layer.effect(
    TestRedis,
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "zapiska-redis-"))
      const begun = Effect.flatMap(freePort, (at) =>
        Effect.map(running(at, directory), (first) => ({ at, first }))
      )
      const { at: port, first } = yield* Effect.orDie(Effect.retry(begun, { times: 3 }))
      let child: ChildProcess = first
      const client = new Redis({ port, lazyConnect: true, retryStrategy: () => 20 })
      client.on("error", () => undefined)
      const start = Effect.gen(function* () {
        child = yield* Effect.orDie(running(port, directory))
      })
      const kill = Effect.callback<void>((resume) => {
        if ((child.exitCode ?? child.signalCode) !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
      yield* Effect.addFinalizer(() =>
        Effect.andThen(
          Effect.sync(() => client.disconnect()),
          Effect.andThen(
            kill,
            Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
          )
        )
      )
      return TestRedis.of({
        url: Redacted.make(`redis://127.0.0.1:${port}/0`),
        port,
        pid: () => child.pid!,
        kill,
        start,
        command: (name, ...args) => Effect.promise(() => client.call(name, ...args))
      })
    })
  )
}
