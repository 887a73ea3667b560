/**
 * The Bot API emulator for tests: in this process, or in one of its own that can be killed.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, Layer, Schema, Stream } from "effect"
import { Api, GrammyError } from "grammy"
import { type EmulatorOptions, layer } from "../../src/sandbox/BotApiEmulator.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import * as ControlClient from "../../src/sandbox/ControlClient.ts"
import type { Event } from "../../src/sandbox/Views.ts"

/** In this process, on a free port, keeping nothing, without Telegram's pace unless asked for. */
export const emulatorLayer = (options: Partial<EmulatorOptions> = {}) =>
  layer({ file: ":memory:", rates: "off", control: true, ...options })

/** grammY's client of the first bot. */
export const botApi = BotApiEmulator.useSync(({ apiRoot, bot }) => new Api(bot.token, { apiRoot }))

/** A call of grammY's as an Effect; fails with grammY's error. */
export const calling = <A>(call: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: call, catch: (error) => error })

/** The first event that passes, from now on. */
export const nextEvent = <B>(pick: (event: Event) => B | undefined) =>
  BotApiEmulator.use(({ events }) =>
    events.pipe(
      Stream.map(pick),
      Stream.filter((value) => value !== undefined),
      Stream.runHead
    )
  )

const Announced = Schema.fromJsonString(Schema.Struct({ apiRoot: Schema.String }))

/**
 * In a process of its own, over the control API. Ended with -9 when the scope closes: what it answered must be in
 * `file` then.
 */
export const emulatorProcessLayer = (options: {
  readonly file: string
  readonly port?: number
  readonly rates?: "telegram" | "off"
  readonly durability?: "full" | "relaxed"
}): Layer.Layer<BotApiEmulator, unknown> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const script = fileURLToPath(new URL("./emulatorProcess.ts", import.meta.url))
      const { file, port = 0, rates = "off", durability = "full" } = options
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [script, file, String(port), rates, durability], {
            stdio: ["ignore", "pipe", "inherit"]
          })
        ),
        (running) =>
          Effect.callback<void>((resume) => {
            if (running.exitCode !== null || running.signalCode !== null) return resume(Effect.void)
            running.once("exit", () => resume(Effect.void))
            running.kill("SIGKILL")
          })
      )
      const line = yield* Effect.callback<string, Error>((resume) => {
        child.stdout.once("data", (data: Buffer) => resume(Effect.succeed(data.toString())))
        child.once("exit", (code) => resume(Effect.fail(new Error(`the emulator ended with ${code}`))))
      })
      const { apiRoot } = yield* Schema.decodeUnknownEffect(Announced)(line.trim())
      return ControlClient.layer(apiRoot)
    })
  )

/** The refusal a call meets; fails when it succeeds. */
export const refusalOf = <A>(call: () => Promise<A>): Effect.Effect<GrammyError, unknown> =>
  Effect.flatMap(Effect.flip(calling(call)), (error) =>
    error instanceof GrammyError ? Effect.succeed(error) : Effect.fail(error)
  )
