/**
 * Where a session of Telegram stands, and how it may get elsewhere: one table, for bots and for people's own
 * accounts. What is not in it does not happen.
 */
import { Result, Schema } from "effect"

/** A bot by its token, or a person's account. */
export const SessionKind = Schema.Literals(["bot", "user"])
export type SessionKind = typeof SessionKind.Type

export const SessionState = Schema.Literals([
  /** Nobody is logged in, nothing is kept. */
  "ABSENT",
  "PENDING_QR",
  "PENDING_CODE",
  "PENDING_PASSWORD",
  "AUTHORIZED",
  /** Logged in, as far as we know: Telegram could not be asked, or wants us to wait. */
  "STALE",
  /** Ended by us, by its person or by Telegram; nothing is kept. */
  "REVOKED"
])
export type SessionState = typeof SessionState.Type

export const MoveReason = Schema.Literals([
  "qr_started",
  "qr_scanned",
  "code_sent",
  "password_required",
  "password_verified",
  "authorization_success",
  "validation_failed",
  "validation_success",
  "api_error",
  "flood_wait",
  "session_expired",
  "session_revoked",
  "manual_revoke",
  /** Two programs used one session, and Telegram ended it for both. */
  "key_duplicated",
  /** What was kept of it does not open: changed, cut, another's, or sealed under a lost key. */
  "material_corrupted",
  "login_cancelled",
  "login_expired",
  /** The account that was logged in is not the one that was expected. */
  "account_refused",
  "password_refused",
  "code_refused",
  /** A bot's token is not valid any more. */
  "token_refused",
  /** Somebody else receives the bot's updates. */
  "polled_elsewhere"
])
export type MoveReason = typeof MoveReason.Type

export interface Move {
  readonly from: SessionState
  readonly reason: MoveReason
  readonly to: SessionState
  readonly kind: SessionKind
}

const pending = ["PENDING_QR", "PENDING_CODE", "PENDING_PASSWORD"] as const
const loggedIn = ["AUTHORIZED", "STALE"] as const
const loggedOut = ["ABSENT", "REVOKED"] as const

const each = (
  kind: SessionKind,
  froms: ReadonlyArray<SessionState>,
  reasons: ReadonlyArray<MoveReason>,
  to: SessionState
): ReadonlyArray<Move> => froms.flatMap((from) => reasons.map((reason): Move => ({ kind, from, reason, to })))

/** Every move there is. */
export const moves: ReadonlyArray<Move> = [
  // A person logs in,
  ...each("user", loggedOut, ["qr_started"], "PENDING_QR"),
  ...each("user", loggedOut, ["code_sent"], "PENDING_CODE"),
  ...each("user", ["PENDING_QR"], ["qr_scanned"], "PENDING_QR"),
  ...each("user", ["PENDING_CODE"], ["code_sent"], "PENDING_CODE"),
  ...each("user", ["PENDING_QR", "PENDING_CODE"], ["password_required"], "PENDING_PASSWORD"),
  ...each("user", ["PENDING_QR", "PENDING_CODE"], ["authorization_success"], "AUTHORIZED"),
  ...each("user", ["PENDING_PASSWORD"], ["password_verified"], "AUTHORIZED"),
  // or does not.
  ...each(
    "user",
    pending,
    ["login_cancelled", "login_expired", "account_refused", "api_error", "flood_wait"],
    "ABSENT"
  ),
  ...each("user", ["PENDING_PASSWORD"], ["password_refused"], "ABSENT"),
  ...each("user", ["PENDING_CODE"], ["code_refused"], "ABSENT"),
  ...each("user", pending, ["manual_revoke"], "REVOKED"),
  // A session lives,
  ...each("user", ["AUTHORIZED"], ["validation_failed", "api_error", "flood_wait"], "STALE"),
  ...each("user", ["STALE"], ["validation_success"], "AUTHORIZED"),
  // and ends.
  ...each(
    "user",
    loggedIn,
    ["session_expired", "key_duplicated", "material_corrupted", "account_refused"],
    "ABSENT"
  ),
  ...each("user", loggedIn, ["session_revoked", "manual_revoke"], "REVOKED"),
  // A bot needs no login: Telegram takes its token or not.
  ...each("bot", loggedOut, ["authorization_success"], "AUTHORIZED"),
  ...each("bot", ["ABSENT", "AUTHORIZED"], ["api_error", "flood_wait", "polled_elsewhere"], "STALE"),
  ...each("bot", ["AUTHORIZED"], ["validation_failed"], "STALE"),
  ...each("bot", ["STALE"], ["validation_success"], "AUTHORIZED"),
  ...each("bot", ["ABSENT", "AUTHORIZED", "STALE"], ["token_refused", "manual_revoke"], "REVOKED")
]

/** The move is not in the table; nothing was changed. */
export class IllegalMove extends Schema.TaggedError<IllegalMove>()("IllegalMove", {
  kind: SessionKind,
  from: SessionState,
  reason: MoveReason
}) {
  override get message() {
    return `A ${this.kind} session that is ${this.from} cannot take ${this.reason}; it can take ${reasonsFrom(this.kind, this.from).join(", ")}`
  }
}

const tableKey = (kind: SessionKind, from: SessionState, reason: MoveReason) => `${kind} ${from} ${reason}`
const table = new Map(moves.map(({ kind, from, reason, to }) => [tableKey(kind, from, reason), to]))

export const reasonsFrom = (kind: SessionKind, state: SessionState): ReadonlyArray<MoveReason> =>
  moves.flatMap((move) => (move.kind === kind && move.from === state ? [move.reason] : []))

/** Where a session gets by `reason`. */
export const next = (
  session: { readonly kind: SessionKind; readonly state: SessionState },
  reason: MoveReason
): Result.Result<SessionState, IllegalMove> => {
  const to = table.get(tableKey(session.kind, session.state, reason))
  return to === undefined
    ? Result.fail(new IllegalMove({ kind: session.kind, from: session.state, reason }))
    : Result.succeed(to)
}

export const isPending = (state: SessionState): boolean => state.startsWith("PENDING_")
export const isLoggedIn = (state: SessionState): boolean => state === "AUTHORIZED" || state === "STALE"

/** What others are told of a move. */
export const eventOf = ({ reason, to }: Pick<Move, "reason" | "to">): string => {
  if (isPending(to)) return `session.${reason}`
  return `session.${to.toLowerCase()}`
}
