/**
 * When a bot may speak, by Telegram's limits: one message a second in a chat (three at once), twenty a
 * minute in a group, edits included, and 28 a second for what nobody asked for. The rules are pure; the
 * service only keeps their state. Source: core.telegram.org/bots/faq, "My bot is hitting limits".
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Random, Schedule } from "effect"
import type { ChatId } from "../domain/Ids.ts"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { parks } from "./metrics.ts"

/** `reply`: somebody waits for it. `broadcast`: nobody asked; it leaves the bot's budget to the replies. */
export type Urgency = "reply" | "broadcast"

export const limits = {
  /** In a chat: one place per `interval`, `burst` at once. */
  chat: { interval: 1_000, burst: 3 },
  group: { count: 20, window: 60_000 },
  bot: { count: 28, window: 1_000 },
  /** So many chats parked within the window: it is the bot that Telegram means. */
  parks: { count: 3, window: 2_000 }
} as const

/** Times in Unix milliseconds. `clear`: when the whole burst is free again. `sent`: of groups only. */
export interface ChatPace {
  readonly clear: number
  readonly sent: ReadonlyArray<number>
  readonly parkedUntil: number
}
export interface BotPace {
  readonly sent: ReadonlyArray<number>
  readonly parkedUntil: number
  readonly parks: ReadonlyArray<{ readonly chat: ChatId; readonly at: number; readonly until: number }>
}

export const freshChat: ChatPace = { clear: 0, sent: [], parkedUntil: 0 }
export const freshBot: BotPace = { sent: [], parkedUntil: 0, parks: [] }

/** Groups, supergroups and channels have negative ids. */
export const isGroup = (chat: ChatId): boolean => chat < 0

interface Sliding {
  readonly count: number
  readonly window: number
}

/** Only the last `count` of a sliding window decide anything. */
const within = (times: ReadonlyArray<number>, { count, window }: Sliding, now: number) =>
  times.slice(-count).filter((time) => time > now - window)

/** When there is room for one more in a sliding window; `times` ascending. */
const roomAt = (times: ReadonlyArray<number>, limit: Sliding) =>
  times.length < limit.count ? 0 : times[times.length - limit.count]! + limit.window

/** The earliest time for one more message: every rule is a deadline, and the latest of them holds. */
export const readyAt = (bot: BotPace, chat: ChatPace, urgency: Urgency): number =>
  Math.max(
    bot.parkedUntil,
    chat.parkedUntil,
    chat.clear - (limits.chat.burst - 1) * limits.chat.interval,
    roomAt(chat.sent, limits.group),
    urgency === "broadcast" ? roomAt(bot.sent, limits.bot) : 0
  )

/** Both states after a message at `now`. Replies spend the bot's budget too, without waiting for it. */
export const spend = (
  bot: BotPace,
  chat: ChatPace,
  options: { readonly group: boolean; readonly now: number }
): { readonly bot: BotPace; readonly chat: ChatPace } => ({
  bot: { ...bot, sent: [...within(bot.sent, limits.bot, options.now), options.now] },
  chat: {
    ...chat,
    clear: Math.max(chat.clear, options.now) + limits.chat.interval,
    sent: options.group ? [...within(chat.sent, limits.group, options.now), options.now] : []
  }
})

/** Both states after Telegram asked for silence in `chat` until `until`. Deadlines only ever grow. */
export const park = (
  bot: BotPace,
  chat: ChatPace,
  options: { readonly id: ChatId; readonly until: number; readonly now: number }
): { readonly bot: BotPace; readonly chat: ChatPace } => {
  const recent = bot.parks.filter(
    ({ at, chat: other }) => at > options.now - limits.parks.window && other !== options.id
  )
  const all = [...recent, { chat: options.id, at: options.now, until: options.until }]
  const whole = all.length >= limits.parks.count
  return {
    bot: {
      ...bot,
      parks: all,
      parkedUntil: whole ? Math.max(bot.parkedUntil, ...all.map(({ until }) => until)) : bot.parkedUntil
    },
    chat: { ...chat, parkedUntil: Math.max(chat.parkedUntil, options.until) }
  }
}

/** Forgetting such a chat changes no decision. */
export const isIdle = (chat: ChatPace, now: number): boolean =>
  chat.clear <= now && chat.parkedUntil <= now && within(chat.sent, limits.group, now).length === 0

/** A place taken now, or the Unix time in milliseconds at which to ask again. */
export type Place = { readonly _tag: "Taken" } | { readonly _tag: "Later"; readonly at: number }

export class Pacer extends Context.Service<
  Pacer,
  {
    /** Takes the place when it is free now; never waits. */
    readonly take: (bot: BotKey, chat: ChatId, urgency: Urgency) => Effect.Effect<Place>
    /** Waits for the place, unless that is longer than `longest`: then nothing is taken. */
    readonly wait: (
      bot: BotKey,
      chat: ChatId,
      urgency: Urgency,
      longest: Duration.Input
    ) => Effect.Effect<Place>
    /** Telegram asked to wait: `seconds` from now with jitter. Returns the deadline that now holds. */
    readonly park: (bot: BotKey, chat: ChatId, seconds: number) => Effect.Effect<number>
    /** The deadline of the chat's park, the bot's included; in the past when it is not parked. */
    readonly parkedUntil: (bot: BotKey, chat: ChatId) => Effect.Effect<number>
    /** How many chats are remembered, of all bots. */
    readonly size: Effect.Effect<number>
  }
>()("zapiska/telegram/Pacer") {
  static readonly layer: Layer.Layer<Pacer> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const bots = new Map<string, { pace: BotPace; readonly chats: Map<ChatId, ChatPace> }>()

  const stateOf = (bot: BotKey) => {
    const name = botName(bot)
    const known = bots.get(name)
    if (known !== undefined) return known
    const state = { pace: freshBot, chats: new Map<ChatId, ChatPace>() }
    bots.set(name, state)
    return state
  }

  const takeAt = (bot: BotKey, chat: ChatId, urgency: Urgency, now: number): Place => {
    const state = stateOf(bot)
    const pace = state.chats.get(chat) ?? freshChat
    const at = readyAt(state.pace, pace, urgency)
    if (at > now) return { _tag: "Later", at }
    const spent = spend(state.pace, pace, { group: isGroup(chat), now })
    state.pace = spent.bot
    state.chats.set(chat, spent.chat)
    return { _tag: "Taken" }
  }

  const take = (bot: BotKey, chat: ChatId, urgency: Urgency) =>
    Effect.map(Clock.currentTimeMillis, (now) => takeAt(bot, chat, urgency, now))

  const wait = Effect.fnUntraced(function* (
    bot: BotKey,
    chat: ChatId,
    urgency: Urgency,
    longest: Duration.Input
  ) {
    const latest = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.fromInputUnsafe(longest))
    while (true) {
      const now = yield* Clock.currentTimeMillis
      const place = takeAt(bot, chat, urgency, now)
      if (place._tag === "Taken" || place.at > latest) return place
      yield* Effect.sleep(place.at - now)
    }
  })

  const parkChat = Effect.fnUntraced(function* (bot: BotKey, chat: ChatId, seconds: number) {
    const now = yield* Clock.currentTimeMillis
    // Those parked together must not come back together.
    const jitter = yield* Random.nextIntBetween(50, 500)
    const state = stateOf(bot)
    const before = state.pace.parkedUntil
    const parked = park(state.pace, state.chats.get(chat) ?? freshChat, {
      id: chat,
      until: Math.ceil(now + seconds * 1_000) + jitter,
      now
    })
    state.pace = parked.bot
    state.chats.set(chat, parked.chat)
    yield* Metric.update(Metric.withAttributes(parks, { scope: "chat" }), 1)
    if (parked.bot.parkedUntil > before)
      yield* Metric.update(Metric.withAttributes(parks, { scope: "bot" }), 1)
    return Math.max(parked.chat.parkedUntil, parked.bot.parkedUntil)
  })

  const parkedUntil = (bot: BotKey, chat: ChatId) =>
    Effect.sync(() => {
      const state = stateOf(bot)
      return Math.max(state.pace.parkedUntil, state.chats.get(chat)?.parkedUntil ?? 0)
    })

  const forget = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const { chats } of bots.values())
      for (const [id, chat] of chats) if (isIdle(chat, now)) chats.delete(id)
  })
  yield* Effect.forkScoped(Effect.repeat(forget, Schedule.spaced("10 seconds")))

  const size = Effect.sync(() => [...bots.values()].reduce((sum, { chats }) => sum + chats.size, 0))

  return Pacer.of({ take, wait, park: parkChat, parkedUntil, size })
})
