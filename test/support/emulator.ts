/**
 * The Bot API emulator for tests: in this process, or in one of its own that can be killed.
 */
import { Effect, Stream } from "effect"
import { Api } from "grammy"
import { type EmulatorOptions, layer } from "../../src/sandbox/BotApiEmulator.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
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
