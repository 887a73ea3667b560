/** What is kept of a session beside its secrets, and what a move makes of it. */
import { Schema } from "effect"
import { AppId, TenantId, UserId } from "../domain/Ids.ts"
import { isPending, MoveReason, SessionKind, SessionState } from "./SessionState.ts"

/** What people see of a session. Times in Unix milliseconds. */
export const SessionInfo = Schema.Struct({
  tenant: TenantId,
  app: AppId,
  kind: SessionKind,
  state: SessionState,
  /** Whose account it has to be. */
  expected: Schema.optionalKey(UserId),
  account: Schema.optionalKey(Schema.Struct({ id: UserId, name: Schema.String })),
  /** The process that used it last. */
  owner: Schema.optionalKey(Schema.String),
  /** Attempts that failed since Telegram last answered. */
  failures: Schema.Int,
  lastActivity: Schema.optionalKey(Schema.Int),
  lastError: Schema.optionalKey(Schema.String),
  /** Until then Telegram is not asked, */
  nextTry: Schema.optionalKey(Schema.Int),
  /** because it asked for that, or because it failed. */
  nextTryBecause: Schema.optionalKey(Schema.Literals(["flood", "trouble"])),
  /** When it came into its state. */
  changed: Schema.Int,
  /** It rests until its tenant is enabled again, whatever its state. */
  tenantDisabled: Schema.optionalKey(Schema.Literal(true))
})
export type SessionInfo = typeof SessionInfo.Type

/** With what no person is shown; what else there is of its tenant is not asked for each time. */
export interface SessionRow extends Omit<SessionInfo, "tenantDisabled"> {
  /** Names the API id and hash in the vault. */
  readonly apiKeyAlias?: string
  /** How many moves it has made. */
  readonly moves: number
}

/** What no person is shown stays here, and so does a try that is past: it is under way, or nobody makes it. */
export const infoOf = (
  { apiKeyAlias: _alias, moves: _moves, nextTry, nextTryBecause, ...info }: SessionRow,
  now: number
): SessionInfo =>
  nextTry === undefined || nextTry <= now
    ? info
    : { ...info, nextTry, ...(nextTryBecause === undefined ? {} : { nextTryBecause }) }

/** A move that was made. */
export const SessionTransition = Schema.Struct({
  /** From 1, without gaps. */
  number: Schema.Int,
  from: SessionState,
  to: SessionState,
  reason: MoveReason,
  /** `admin`, `user:<telegram id>` or `system`. */
  actor: Schema.String,
  /** The trace in which it was made. */
  trace: Schema.String,
  at: Schema.Int
})
export type SessionTransition = typeof SessionTransition.Type

/** What is learned with a move, or without one. */
export interface Learned {
  readonly account?: { readonly id: UserId; readonly name: string }
  readonly error?: string
  readonly nextTry?: number
  readonly nextTryBecause?: "flood" | "trouble"
}

type Changing = "account" | "failures" | "lastActivity" | "lastError" | "nextTry" | "nextTryBecause" | "owner"

const without = (row: SessionRow, ...fields: ReadonlyArray<Changing>): SessionRow => {
  const rest: { -readonly [K in keyof SessionRow]?: SessionRow[K] } = { ...row }
  for (const field of fields) delete rest[field]
  return { ...(rest as SessionRow), failures: row.failures }
}

const defined = ({ error, nextTry, nextTryBecause }: Learned) => ({
  ...(error === undefined ? {} : { lastError: error }),
  ...(nextTry === undefined ? {} : { nextTry, nextTryBecause: nextTryBecause ?? "trouble" })
})

/** Telegram answered for it. */
export const answered = (row: SessionRow, { account }: Learned, now: number): SessionRow => ({
  ...without(row, "lastError", "nextTry", "nextTryBecause"),
  ...(account === undefined ? {} : { account: { id: account.id, name: account.name } }),
  failures: 0,
  lastActivity: now
})

/** It could not be used. */
export const failed = (row: SessionRow, learned: Learned): SessionRow => ({
  ...without(row, "nextTry", "nextTryBecause"),
  ...defined(learned),
  failures: row.failures + 1
})

/** The row after a move to `to`. */
export const moved = (row: SessionRow, to: SessionState, learned: Learned, now: number): SessionRow => {
  const there = (after: SessionRow): SessionRow => ({
    ...after,
    state: to,
    moves: row.moves + 1,
    changed: now
  })
  if (to === "AUTHORIZED") return there(answered(row, learned, now))
  if (to === "STALE") return there(failed(row, learned))
  if (isPending(to))
    return there({
      ...without(row, "lastError", "nextTry", "nextTryBecause", "account"),
      failures: 0,
      lastActivity: now
    })
  return there({
    ...without(row, "lastError", "nextTry", "nextTryBecause", "owner", "account"),
    ...defined(learned),
    failures: 0
  })
}
