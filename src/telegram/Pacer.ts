/** Keeps the pace of every bot: who may speak now, who waits until when, and what may be repeated. */
import { Clock, Context, Duration, Effect, Layer, Metric, Random, Schedule } from "effect"
import type { ChatId } from "../domain/Ids.ts"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { parks, repeatsRefused } from "./metrics.ts"
import * as Rules from "./PaceRules.ts"
import * as Retrying from "./Retrying.ts"

export { isGroup, placesOf } from "./PaceRules.ts"

/** A place taken now, or the Unix time in milliseconds at which to ask again, and what holds it back. */
export type Place =
  | { readonly _tag: "Taken" }
  | { readonly _tag: "Later"; readonly at: number; readonly because: keyof Rules.Ready }

/** Who asks for a place. `cost`: the places it takes, 1 unless said otherwise. */
export interface Wish {
  readonly chat: ChatId
  readonly urgency: Rules.Urgency
  readonly cost?: number
}

export class Pacer extends Context.Service<
  Pacer,
  {
    /** Takes the place when it is free now; never waits. */
    readonly take: (bot: BotKey, wish: Wish) => Effect.Effect<Place>
    /** As `take`, for a row of the outbox: progress edits leave it the place it has to wait for. */
    readonly claim: (bot: BotKey, wish: Wish) => Effect.Effect<Place>
    /** Waits for the place, unless that is longer than `longest`: then nothing is taken. */
    readonly wait: (bot: BotKey, wish: Wish, longest: Duration.Input) => Effect.Effect<Place>
    /** The places a broadcast finds now, and when there is the next one. */
    readonly room: (bot: BotKey) => Effect.Effect<{ readonly places: number; readonly at: number }>
    /** Telegram asked to wait: `seconds` from now with jitter. Returns the deadline that now holds. */
    readonly park: (bot: BotKey, chat: ChatId, seconds: number) => Effect.Effect<number>
    /** The deadline of the chat's park, the bot's included; in the past when it is not parked. */
    readonly parkedUntil: (bot: BotKey, chat: ChatId) => Effect.Effect<number>
    /** Begins where another process, or this one, ended. */
    readonly restore: (bot: BotKey, past: Rules.Past) => Effect.Effect<void>
    /** A call that repeats none was made: the more of them, the more may be repeated. */
    readonly called: (bot: BotKey) => Effect.Effect<void>
    /** `undefined`: one failed call may be repeated now. Else the Unix time in milliseconds to ask again. */
    readonly repeat: (bot: BotKey) => Effect.Effect<number | undefined>
    /** How many chats are remembered, of all bots. */
    readonly size: Effect.Effect<number>
  }
>()("zapiska/telegram/Pacer") {
  static readonly layer: Layer.Layer<Pacer> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** How long after its time the outbox may take to claim a place before it counts as gone. */
const grace = 1_000

interface BotState {
  pace: Rules.BotPace
  budget: Retrying.Budget
  readonly chats: Map<ChatId, Rules.ChatPace>
}

const make = Effect.gen(function* () {
  const bots = new Map<string, BotState>()
  let latest = 0

  /** The time. A clock that was set back would keep everybody waiting until it shows the old time again. */
  const present = Effect.map(Clock.currentTimeMillis, (now) => {
    const by = Rules.setBackBy(latest, now)
    latest = by > 0 ? now : Math.max(latest, now)
    if (by === 0) return now
    for (const state of bots.values()) {
      state.pace = Rules.earlier.bot(state.pace, by)
      state.budget = { ...state.budget, at: state.budget.at - by }
      for (const [id, chat] of state.chats) state.chats.set(id, Rules.earlier.chat(chat, by))
    }
    return now
  })

  const stateOf = (bot: BotKey): BotState => {
    const name = botName(bot)
    const known = bots.get(name)
    if (known !== undefined) return known
    const state = { pace: Rules.freshBot, budget: Retrying.freshBudget, chats: new Map() }
    bots.set(name, state)
    return state
  }
  const chatOf = (state: BotState, chat: ChatId) => state.chats.get(chat) ?? Rules.freshChat

  const takeAt = (bot: BotKey, { chat, urgency, cost = 1 }: Wish, now: number): Place => {
    const state = stateOf(bot)
    const pace = chatOf(state, chat)
    const { parked, chat: own, bot: whole } = Rules.deadlinesOf(state.pace, pace, urgency, cost)
    const at = Math.max(parked, own, whole)
    if (at > now) return { _tag: "Later", at, because: parked > now ? "parked" : own > now ? "chat" : "bot" }
    const spent = Rules.spend(state.pace, pace, { group: Rules.isGroup(chat), now, cost })
    state.pace = spent.bot
    state.chats.set(chat, spent.chat)
    return { _tag: "Taken" }
  }

  const take = (bot: BotKey, wish: Wish) => Effect.map(present, (now) => takeAt(bot, wish, now))

  const claim = (bot: BotKey, wish: Wish) =>
    Effect.map(take(bot, wish), (place) => {
      if (place._tag === "Later" && place.because === "chat") {
        const { chats } = stateOf(bot)
        const pace = chats.get(wish.chat) ?? Rules.freshChat
        chats.set(wish.chat, { ...pace, wantedUntil: place.at + grace })
      }
      return place
    })

  const wait = Effect.fnUntraced(function* (bot: BotKey, wish: Wish, longest: Duration.Input) {
    const patience = (yield* present) + Duration.toMillis(Duration.fromInputUnsafe(longest))
    while (true) {
      const now = yield* present
      const place = takeAt(bot, wish, now)
      if (place._tag === "Taken" || place.at > patience) return place
      yield* Effect.sleep(place.at - now)
    }
  })

  const room = (bot: BotKey) => Effect.map(present, (now) => Rules.roomOf(stateOf(bot).pace, now))

  const park = Effect.fnUntraced(function* (bot: BotKey, chat: ChatId, seconds: number) {
    const now = yield* present
    // Those parked together must not come back together.
    const jitter = yield* Random.nextIntBetween(50, 500)
    const state = stateOf(bot)
    const before = state.pace.parkedUntil
    const parked = Rules.park(state.pace, chatOf(state, chat), {
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

  const restore = (bot: BotKey, past: Rules.Past) =>
    Effect.sync(() => {
      const state = stateOf(bot)
      const shown = Rules.paceAfter(past)
      state.pace = Rules.together.bot(state.pace, shown.bot)
      for (const [id, chat] of shown.chats) state.chats.set(id, Rules.together.chat(chatOf(state, id), chat))
    })

  const called = (bot: BotKey) =>
    Effect.map(present, (now) => {
      const state = stateOf(bot)
      state.budget = Retrying.called(state.budget, now)
    })

  const repeat = (bot: BotKey) =>
    Effect.gen(function* () {
      const state = stateOf(bot)
      const result = Retrying.repeated(state.budget, yield* present)
      if (result._tag === "Granted") {
        state.budget = result.budget
        return undefined
      }
      yield* Metric.update(repeatsRefused, 1)
      return result.at
    })

  const forget = Effect.map(present, (now) => {
    for (const { chats } of bots.values())
      for (const [id, chat] of chats) if (Rules.isIdle(chat, now)) chats.delete(id)
  })
  yield* Effect.forkScoped(Effect.repeat(forget, Schedule.spaced("10 seconds")))

  const size = Effect.sync(() => [...bots.values()].reduce((sum, { chats }) => sum + chats.size, 0))

  return Pacer.of({ take, claim, wait, room, park, parkedUntil, restore, called, repeat, size })
})
