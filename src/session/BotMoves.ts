/** What an answer of Telegram to a bot makes of the bot's session. Pure. */
import { Duration } from "effect"
import type { Hearing } from "../telegram/Intake.ts"
import { advice, type PollFailure } from "../telegram/PollRules.ts"
import type { Learned } from "./SessionRow.ts"
import type { MoveReason, SessionState } from "./SessionState.ts"

/** `Move`: into another state. `Note`: it stays where it is, and something is learned. */
export type BotMove =
  | { readonly _tag: "Move"; readonly reason: MoveReason; readonly learned: Learned }
  | { readonly _tag: "Note"; readonly learned: Learned }

/** A row is not written for each poll. Milliseconds. */
const noteTroubleEvery = Duration.toMillis("1 minute")
const noteActivityEvery = Duration.toMillis("10 minutes")

/** How many failures of a kind in a row say something: polls of our own may meet, a line may be cut for a moment. */
const patience: { readonly [tag in PollFailure["_tag"]]: number } = {
  Conflict: 1,
  Outage: 2,
  Wait: 0,
  Refused: 0,
  Unauthorized: 0
}

const answeredBy = (state: SessionState): MoveReason =>
  state === "STALE" ? "validation_success" : "authorization_success"

const failedBy = (failure: PollFailure): MoveReason => {
  switch (failure._tag) {
    case "Conflict":
      return "polled_elsewhere"
    case "Wait":
      return "flood_wait"
    case "Unauthorized":
      return "token_refused"
    default:
      return "api_error"
  }
}

/** `at`: when the row was last written here, in Unix milliseconds; `trouble`: what it then said. */
export interface Written {
  readonly state: SessionState
  readonly at: number | undefined
  readonly trouble: string | undefined
}

const refusedAdvice =
  "Telegram refuses the bot's token: rotate it with one of @BotFather's, or wait if it is right"

/** What the row says of a failure. */
export const troubleOf = (failure: PollFailure): string =>
  failure._tag === "Unauthorized" ? refusedAdvice : advice(failure)

/** What is to be written, if anything. */
export const moveOf = (hearing: Hearing, written: Written, now: number): BotMove | undefined => {
  const { at, state, trouble } = written
  const every = (millis: number) => at === undefined || now - at >= millis
  if (hearing._tag === "Answered") {
    if (state !== "AUTHORIZED") return { _tag: "Move", reason: answeredBy(state), learned: {} }
    return every(noteActivityEvery) ? { _tag: "Note", learned: {} } : undefined
  }
  const { failure, nth, wait } = hearing
  if (nth < patience[failure._tag]) return undefined
  const error = troubleOf(failure)
  const learned: Learned = {
    error,
    nextTry: now + wait,
    nextTryBecause: failure._tag === "Wait" ? "flood" : "trouble"
  }
  const isThere = failure._tag === "Unauthorized" ? state === "REVOKED" : state === "STALE"
  if (isThere) return error !== trouble || every(noteTroubleEvery) ? { _tag: "Note", learned } : undefined
  // What is over stays so until Telegram takes the token again.
  if (state === "REVOKED") return undefined
  return { _tag: "Move", reason: failedBy(failure), learned }
}
