/**
 * When a bot may speak, by Telegram's limits: one message a second in a chat (three at once), twenty a minute in
 * a group, edits included, and 28 a second for what nobody asked for. Pure. Source: core.telegram.org/bots/faq,
 * "My bot is hitting limits". Times in Unix milliseconds.
 */
import type { ChatId } from "../domain/Ids.ts"
import type { OutgoingContent } from "./OutgoingContent.ts"

/**
 * `interactive`: somebody waits for it. `progress`: worthless as soon as the next one comes; it leaves the chat's
 * last place, and every place the outbox waits for, to others. `broadcast`: nobody asked; it leaves the bot's
 * budget to the replies.
 */
export type Urgency = "interactive" | "progress" | "broadcast"

export const limits = {
  /** In a chat: one place per `interval`, `burst` at once. */
  chat: { interval: 1_000, burst: 3 },
  group: { count: 20, window: 60_000 },
  bot: { count: 28, window: 1_000 },
  /** So many chats parked within the window: it is the bot that Telegram means. */
  parks: { count: 3, window: 2_000 }
} as const

/** `clear`: when the whole burst is free again. `sent`: of groups only. */
export interface ChatPace {
  readonly clear: number
  readonly sent: ReadonlyArray<number>
  readonly parkedUntil: number
  /** The outbox waits for the next place, and takes it before then. */
  readonly wantedUntil: number
}
export interface BotPace {
  readonly sent: ReadonlyArray<number>
  readonly parkedUntil: number
  readonly parks: ReadonlyArray<{ readonly chat: ChatId; readonly at: number; readonly until: number }>
}

export const freshChat: ChatPace = { clear: 0, sent: [], parkedUntil: 0, wantedUntil: 0 }
export const freshBot: BotPace = { sent: [], parkedUntil: 0, parks: [] }

/** Groups, supergroups and channels have negative ids. */
export const isGroup = (chat: ChatId): boolean => chat < 0

/** The places a content takes: each item of an album is a message. */
export const placesOf = (content: OutgoingContent): number =>
  content._tag === "Album" ? Math.max(content.items.length, 1) : 1

interface Sliding {
  readonly count: number
  readonly window: number
}

/** Only the last `count` of a sliding window decide anything. */
const within = (times: ReadonlyArray<number>, { count, window }: Sliding, now: number) =>
  times.slice(-count).filter((time) => time > now - window)

/** When there is room for `places` more in a sliding window; `times` ascending. */
const roomAt = (times: ReadonlyArray<number>, limit: Sliding, places: number) => {
  const leaving = times.length + Math.min(places, limit.count) - limit.count - 1
  return leaving < 0 ? 0 : times[leaving]! + limit.window
}

/** What holds a message back, each as the time it ends. */
export interface Ready {
  readonly parked: number
  readonly chat: number
  readonly bot: number
}

/** Every rule is a deadline. An album larger than a burst goes when the whole burst is free: it has no parts. */
export const deadlinesOf = (bot: BotPace, chat: ChatPace, urgency: Urgency, cost: number): Ready => {
  const places = urgency === "progress" ? cost + 1 : cost
  const { burst, interval } = limits.chat
  return {
    parked: Math.max(bot.parkedUntil, chat.parkedUntil),
    chat: Math.max(
      chat.clear - (burst - Math.min(places, burst)) * interval,
      roomAt(chat.sent, limits.group, places),
      urgency === "progress" ? chat.wantedUntil : 0
    ),
    bot: urgency === "broadcast" ? roomAt(bot.sent, limits.bot, cost) : 0
  }
}

/** The earliest time for one more message: the latest of the deadlines holds. */
export const readyAt = (bot: BotPace, chat: ChatPace, urgency: Urgency, cost = 1): number =>
  Math.max(...Object.values(deadlinesOf(bot, chat, urgency, cost)))

/** How many places a broadcast finds in the bot's budget, and when there is the next one. */
export const roomOf = (bot: BotPace, now: number): { readonly places: number; readonly at: number } => {
  const at = Math.max(bot.parkedUntil, roomAt(bot.sent, limits.bot, 1))
  return { places: at > now ? 0 : limits.bot.count - within(bot.sent, limits.bot, now).length, at }
}

/** What an earlier process did, as far as its rows show, ascending by `at`. */
export interface Past {
  readonly sent: ReadonlyArray<{ readonly chat: ChatId; readonly at: number; readonly cost: number }>
  readonly parks: ReadonlyArray<{ readonly chat: ChatId; readonly at: number; readonly until: number }>
}

const several = (time: number, cost: number): ReadonlyArray<number> => Array<number>(cost).fill(time)

/** Both states after a message at `now`. Replies spend the bot's budget too, without waiting for it. */
export const spend = (
  bot: BotPace,
  chat: ChatPace,
  options: { readonly group: boolean; readonly now: number; readonly cost?: number }
): { readonly bot: BotPace; readonly chat: ChatPace } => {
  const { group, now, cost = 1 } = options
  return {
    bot: { ...bot, sent: [...within(bot.sent, limits.bot, now), ...several(now, cost)] },
    chat: {
      ...chat,
      clear: Math.max(chat.clear, now) + cost * limits.chat.interval,
      sent: group ? [...within(chat.sent, limits.group, now), ...several(now, cost)] : [],
      wantedUntil: 0
    }
  }
}

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

export interface Pace {
  readonly bot: BotPace
  readonly chats: ReadonlyMap<ChatId, ChatPace>
}

/** The pace as that past left it. */
export const paceAfter = (past: Past): Pace => {
  let bot = freshBot
  const chats = new Map<ChatId, ChatPace>()
  const becomes = (id: ChatId, after: { readonly bot: BotPace; readonly chat: ChatPace }) => {
    bot = after.bot
    chats.set(id, after.chat)
  }
  for (const { chat: id, at: now, cost } of past.sent)
    becomes(id, spend(bot, chats.get(id) ?? freshChat, { group: isGroup(id), now, cost }))
  for (const { chat: id, at: now, until } of past.parks)
    becomes(id, park(bot, chats.get(id) ?? freshChat, { id, until, now }))
  return { bot, chats }
}

const busier = (one: ReadonlyArray<number>, other: ReadonlyArray<number>) =>
  other.length > one.length ? other : one

/** What two accounts of the same past come to together: neither counts twice what both know. */
export const together = {
  chat: (one: ChatPace, other: ChatPace): ChatPace => ({
    clear: Math.max(one.clear, other.clear),
    sent: busier(one.sent, other.sent),
    parkedUntil: Math.max(one.parkedUntil, other.parkedUntil),
    wantedUntil: Math.max(one.wantedUntil, other.wantedUntil)
  }),
  bot: (one: BotPace, other: BotPace): BotPace => ({
    sent: busier(one.sent, other.sent),
    parkedUntil: Math.max(one.parkedUntil, other.parkedUntil),
    parks: other.parks.length > one.parks.length ? other.parks : one.parks
  })
}

/** As if all of it had been so many milliseconds earlier: for a clock that was set back by as much. */
export const earlier = {
  chat: (chat: ChatPace, by: number): ChatPace => ({
    clear: chat.clear - by,
    sent: chat.sent.map((at) => at - by),
    parkedUntil: chat.parkedUntil - by,
    wantedUntil: chat.wantedUntil - by
  }),
  bot: (bot: BotPace, by: number): BotPace => ({
    sent: bot.sent.map((at) => at - by),
    parkedUntil: bot.parkedUntil - by,
    parks: bot.parks.map(({ chat, at, until }) => ({ chat, at: at - by, until: until - by }))
  })
}

/** By how much a clock was set back that showed `latest` before; 0: it was not. Milliseconds nobody notices. */
export const setBackBy = (latest: number, now: number): number => (latest - now > 1_000 ? latest - now : 0)

/** Forgetting such a chat changes no decision. */
export const isIdle = (chat: ChatPace, now: number): boolean =>
  chat.clear <= now &&
  chat.parkedUntil <= now &&
  chat.wantedUntil <= now &&
  within(chat.sent, limits.group, now).length === 0
