/**
 * Telegram's pace, as far as it is known: about one message a second to a chat with short bursts, 20 a minute to a
 * group, 30 a second for the bot. Edits share the budget; reactions, deletions, actions and answers are free.
 */
import * as Args from "./Args.ts"

export interface Pace {
  /** Milliseconds one message costs. */
  readonly period: number
  /** How many may come at once after a rest. */
  readonly burst: number
}
export interface Rates {
  readonly chat: Pace
  readonly group: Pace
  readonly bot: Pace
}

export const telegramRates: Rates = {
  chat: { period: 1_000, burst: 5 },
  group: { period: 3_000, burst: 20 },
  bot: { period: 1_000 / 30, burst: 30 }
}

/** When each key's budget is whole again, Unix ms. */
export type Ledger = ReadonlyMap<string, number>

const wait = (whole: number, now: number, { period, burst }: Pace, cost: number): number =>
  Math.max(whole, now) + (cost - burst) * period - now

/** Spends `cost` of every budget, or of none: then says how many seconds to wait. */
export const spend = (
  ledger: Ledger,
  now: number,
  budgets: ReadonlyArray<readonly [string, Pace]>,
  cost: number
): { readonly ledger: Ledger; readonly retryAfter: number } => {
  // An album larger than a burst passes on a full budget: it cannot be sent in parts.
  const waits = budgets.map(([key, pace]) =>
    wait(ledger.get(key) ?? 0, now, pace, Math.min(cost, pace.burst))
  )
  const longest = Math.max(0, ...waits)
  if (longest > 0) return { ledger, retryAfter: Math.max(1, Math.ceil(longest / 1000)) }
  const after = new Map(ledger)
  for (const [key, { period }] of budgets) after.set(key, Math.max(ledger.get(key) ?? 0, now) + cost * period)
  return { ledger: after, retryAfter: 0 }
}

/** Without the keys whose budget is whole, so that a ledger stays as small as its recent chats. */
export const prune = (ledger: Ledger, now: number): Ledger =>
  new Map([...ledger].filter(([, whole]) => whole > now))

const counted = /^(?:send(?!ChatAction|MessageDraft)|forwardMessage|copyMessage|editMessage)/i

/** What a call costs: the messages it puts into a chat or changes; 0 for free ones. */
export const costOf = (method: string, args: Args.Args): number => {
  if (!counted.test(method)) return 0
  if (method.toLowerCase() !== "sendmediagroup") return 1
  const media = args.values.media
  const items: unknown = typeof media === "string" ? media.split('"media"').length - 1 : media
  return Array.isArray(items) ? Math.max(items.length, 1) : typeof items === "number" ? Math.max(items, 1) : 1
}

export const budgetsOf = (
  rates: Rates,
  bot: number,
  args: Args.Args
): ReadonlyArray<readonly [string, Pace]> => {
  const chat = Args.integer(args, "chat_id")
  const whole = [`bot:${bot}`, rates.bot] as const
  if (chat === undefined) return [whole]
  const own = [`chat:${bot}:${chat}`, rates.chat] as const
  return chat < 0 ? [own, [`group:${bot}:${chat}`, rates.group], whole] : [own, whole]
}
