/**
 * How often and how soon something that failed is tried again. Pure. The same delays hold for a call that is
 * repeated while its caller waits and for a row of the outbox that is; nothing is repeated by both.
 */

/** Milliseconds: the ceiling of the delay before the first repetition, and of any. */
const first = 500
const cap = 30_000

/** Full jitter under an exponential ceiling; `attempt` from 1, `spread` from 0 to 1. In milliseconds. */
export const delayOf = (attempt: number, spread: number): number =>
  Math.round(Math.min(first * 2 ** Math.min(Math.max(attempt, 1) - 1, 20), cap) * spread)

/**
 * A bot repeats at most a fifth of its calls and one a second: in an outage retries must not be what keeps
 * Telegram down. Credit nobody used expires: there is never more than `most`.
 */
export const retryBudget = { share: 0.2, perSecond: 1, most: 10 } as const

/** `credit` as it was at `at`, in Unix milliseconds. */
export interface Budget {
  readonly credit: number
  readonly at: number
}

export const freshBudget: Budget = { credit: retryBudget.most, at: 0 }

const grown = ({ credit, at }: Budget, now: number, by: number): Budget => {
  const earned = (Math.max(now - at, 0) / 1_000) * retryBudget.perSecond + by
  return { credit: Math.min(credit + earned, retryBudget.most), at: Math.max(at, now) }
}

/** After a call that repeats nothing. */
export const called = (budget: Budget, now: number): Budget => grown(budget, now, retryBudget.share)

/** The budget after one more repetition, or the time in Unix milliseconds at which there is room for it. */
export const repeated = (
  budget: Budget,
  now: number
):
  | { readonly _tag: "Granted"; readonly budget: Budget }
  | { readonly _tag: "Refused"; readonly at: number } => {
  const { credit, at } = grown(budget, now, 0)
  // A sum of fifths is not exact.
  return credit >= 1 - 1e-9
    ? { _tag: "Granted", budget: { credit: credit - 1, at } }
    : { _tag: "Refused", at: now + Math.ceil(((1 - credit) / retryBudget.perSecond) * 1_000) }
}
