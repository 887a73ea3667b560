/**
 * Telegram without Telegram: a Bot API server on loopback with people on its other side, durable in one file.
 * Strict where Telegram is strict, so that it is the sandbox of a newcomer and the double of our tests at once.
 */
import { Clock, Effect, Layer, PubSub, Result, Stream } from "effect"
import * as BotServer from "./BotServer.ts"
import { BotApiEmulator } from "./Control.ts"
import * as ControlServer from "./ControlServer.ts"
import { telegramRates } from "./Limits.ts"
import * as People from "./People.ts"
import * as Polling from "./Polling.ts"
import { botShown } from "./people/Look.ts"
import * as Refusal from "./Refusal.ts"
import { type Durability, make as openStorage } from "./Storage.ts"
import type { Event } from "./Views.ts"
import * as Webhooks from "./Webhooks.ts"
import * as Wire from "./Wire.ts"
import * as World from "./World.ts"

export interface EmulatorOptions {
  /** The SQLite file; `:memory:` keeps nothing. */
  readonly file: string
  /** 0 or absent: a free one. */
  readonly port?: number
  /** Telegram's pace limits (the default) or none. */
  readonly rates?: "telegram" | "off"
  /** "full" (the default): what was answered survives a power cut; "relaxed" for benchmarks. */
  readonly durability?: Durability
  /** Serve the control API over HTTP too, for other processes. Files are served either way. */
  readonly control?: boolean
  /** The first bot's name, used when it is made. */
  readonly bot?: { readonly username: string; readonly name: string }
}

const firstBot = { username: "zapiska_sandbox_bot", name: "Zapiska" }

const route = (
  botCall: ReturnType<typeof BotServer.make>,
  control: ReturnType<typeof ControlServer.make>,
  options: EmulatorOptions
) => {
  return (exchange: Wire.Exchange): Effect.Effect<void> => {
    const { pathname } = exchange.url
    const api = /^\/bot(\d+:[\w-]+)\/(\w+)\/?$/.exec(pathname)
    if (api?.[1] !== undefined && api[2] !== undefined) return botCall(exchange, api[1], api[2], "")
    const file = /^\/file\/bot(\d+:[\w-]+)\/(.+)$/.exec(pathname)
    if (file?.[1] !== undefined && file[2] !== undefined) return botCall(exchange, file[1], "file", file[2])
    const rest = /^\/control\/(.+)$/.exec(pathname)?.[1]
    if (rest !== undefined && (options.control === true || rest.startsWith("file/"))) {
      return control(exchange, rest)
    }
    return Wire.answer(exchange, Wire.refusalReply(Refusal.notFound))
  }
}

const make = Effect.fnUntraced(function* (options: EmulatorOptions) {
  const storage = yield* openStorage(options.file, options.durability ?? "full")
  const clock = yield* Clock.Clock
  const hub = yield* PubSub.unbounded<Event>()
  const { apiRoot, serve } = yield* Wire.make(options.port ?? 0)
  const signals = Polling.signals()
  const offset = storage.get<{ value: number }>("SELECT value FROM counters WHERE name = 'clock'")
  let ahead = offset?.value ?? 0
  let deliver: (bot: number) => void = () => undefined
  const world = World.make(storage, {
    now: () => clock.currentTimeMillisUnsafe() + ahead,
    publish: (event) => void PubSub.publishUnsafe(hub, event),
    apiRoot,
    wake: (bot) => {
      signals.wake(bot)
      deliver(bot)
    }
  })
  const advance = (millis: number) => {
    ahead += millis
    storage.run("INSERT OR REPLACE INTO counters VALUES ('clock', ?)", ahead)
  }
  const knobs: People.Knobs = {
    faults: [],
    nextFault: 1,
    rates: options.rates === "off" ? undefined : telegramRates,
    unknown: new Set(),
    ledgers: new Map()
  }
  const { username, name } = options.bot ?? firstBot
  const bot = botShown(
    yield* storage.commit(() => Result.succeed(world.bots()[0] ?? world.createBot(username, name)))
  )
  const polling = Polling.make(world, signals)
  const controls = People.make(world, polling, knobs, hub, advance)
  deliver = yield* Webhooks.make(world, polling)
  const botCall = BotServer.make(world, polling, knobs)
  const control = ControlServer.make(world, controls, hub, { apiRoot, bot })
  yield* serve(route(botCall, control, options))
  return BotApiEmulator.of({ ...controls, apiRoot, bot, events: Stream.fromPubSub(hub) })
})

/** The emulator in this process, listening on loopback until the scope closes. */
export const layer = (options: EmulatorOptions): Layer.Layer<BotApiEmulator> =>
  Layer.effect(BotApiEmulator, make(options))
