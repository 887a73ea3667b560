/** What follows from a poll that failed. Pure. Source: `getUpdates` of the Bot API, 409 and 429. */
import { Duration } from "effect"
import type { Outcome } from "./Outcome.ts"

/** How a poll can fail, as far as the poller cares. */
export type PollFailure =
  | { readonly _tag: "Conflict"; readonly by: "poller" | "webhook" }
  | { readonly _tag: "Wait"; readonly seconds: number }
  | { readonly _tag: "Unauthorized" }
  | { readonly _tag: "Refused"; readonly reason: string }
  | { readonly _tag: "Outage"; readonly reason: string }

export const failureOf = (outcome: Outcome): PollFailure => {
  switch (outcome._tag) {
    case "Conflict":
    case "Wait":
    case "Unauthorized":
      return outcome
    // The address of a bot is its token: a token that is none leads nowhere.
    case "FileExpired":
      return { _tag: "Unauthorized" }
    case "Refused":
      return { _tag: "Refused", reason: outcome.reason }
    default:
      return { _tag: "Outage", reason: "reason" in outcome ? outcome.reason : outcome._tag }
  }
}

/**
 * The first ones may be a poll of our own that Telegram has not seen end. Later each of ours ends one of the other
 * program's: those that go on for ever come rarely.
 */
const conflictSeconds = [5, 10, 15, 30, 60, 120, 300] as const

/** A right token is refused now and then. Milliseconds. */
const refused = { first: 60_000, longest: 3_600_000 }

/**
 * How long to wait after the `nth` failure in a row of its kind (from 0). `random` in [0, 1) spreads pollers
 * that failed together.
 */
export const waitAfter = (failure: PollFailure, nth: number, random: number): Duration.Duration => {
  switch (failure._tag) {
    case "Conflict":
      return Duration.seconds(conflictSeconds[Math.min(nth, conflictSeconds.length - 1)]!)
    case "Wait":
      return Duration.millis(failure.seconds * 1000 + random * 1000)
    case "Refused":
      return Duration.seconds(30)
    case "Unauthorized":
      return Duration.millis(
        Math.min(refused.first * 2 ** Math.min(nth, 10), refused.longest) * (0.8 + 0.4 * random)
      )
    default:
      return backoff(nth, random)
  }
}

/** Half a second doubling to 30 s, of which a random half. */
export const backoff = (nth: number, random: number): Duration.Duration => {
  const full = Math.min(30_000, 500 * 2 ** Math.min(nth, 10))
  return Duration.millis(full / 2 + (full / 2) * random)
}

export const advice = (failure: PollFailure): string => {
  switch (failure._tag) {
    case "Conflict":
      return failure.by === "webhook"
        ? "A webhook is set for this bot, so Telegram gives no updates to polls. It is removed each time; stop the program that sets it again, or revoke the token with @BotFather if you do not know it"
        : "Another program polls with this bot's token; only one may. Stop the other one, or revoke the token with @BotFather if you do not know it"
    case "Wait":
      return "Telegram asks to poll less often"
    case "Unauthorized":
      return "Telegram refuses the bot's token"
    case "Refused":
      return `Telegram refuses the poll itself (${failure.reason}); this looks like a mistake in this program`
    case "Outage":
      return `Telegram cannot be reached (${failure.reason}); trying again`
  }
}
