/** A real Redis of a test's own, on a free port of loopback, that can be killed and started anew. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Redacted } from "effect"
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
      const port = yield* freePort
      let child: ChildProcess | undefined
      const client = new Redis({ port, lazyConnect: true, retryStrategy: () => 20 })
      client.on("error", () => undefined)
      const start = Effect.gen(function* () {
        child = spawn(
          command ?? "redis-server",
          [
            "--port",
            String(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            directory
          ],
          { stdio: "ignore" }
        )
        yield* Effect.promise(async () => {
          if (client.status === "wait") await client.connect().catch(() => undefined)
          while ((await client.ping().catch(() => "")) !== "PONG") await new Promise((r) => setTimeout(r, 20))
        })
      })
      const kill = Effect.callback<void>((resume) => {
        if (child === undefined || (child.exitCode ?? child.signalCode) !== null) return resume(Effect.void)
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
      yield* start
      return TestRedis.of({
        url: Redacted.make(`redis://127.0.0.1:${port}/0`),
        port,
        pid: () => child!.pid!,
        kill,
        start,
        command: (name, ...args) => Effect.promise(() => client.call(name, ...args))
      })
    })
  )
}
