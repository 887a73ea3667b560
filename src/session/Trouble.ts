/** What a failure of Telegram says about the session it happened to. Pure. */
import type { UserError } from "../telegram/UserClient.ts"
import type { SessionInfo } from "./SessionRow.ts"
import type { MoveReason } from "./SessionState.ts"

/** Why a session is over: what is kept of it is worth nothing. */
export type EndReason = Extract<
  MoveReason,
  "session_expired" | "session_revoked" | "key_duplicated" | "account_refused" | "material_corrupted"
>

export type Verdict =
  | { readonly _tag: "Ended"; readonly reason: EndReason }
  /** Telegram asked for it. */
  | { readonly _tag: "Wait"; readonly seconds: number }
  /** Whether the session lives cannot be told now. */
  | { readonly _tag: "Doubt" }
  /** It is another process's. */
  | { readonly _tag: "NotOurs" }
  /** Of one call, and nothing of the session. */
  | { readonly _tag: "None" }

const ended = (reason: EndReason): Verdict => ({ _tag: "Ended", reason })

export const verdictOf = (error: UserError): Verdict => {
  switch (error._tag) {
    case "AuthKeyUnregistered":
    case "AccountMoved":
      return ended("session_expired")
    case "SessionRevoked":
    case "AccountGone":
      return ended("session_revoked")
    case "AuthKeyDuplicated":
      return ended("key_duplicated")
    case "WrongAccount":
      return ended("account_refused")
    case "SessionUnreadable":
      return ended("material_corrupted")
    case "FloodWait":
      return { _tag: "Wait", seconds: error.seconds }
    case "NetworkDown":
    case "TelegramTrouble":
    case "ApiCredentialsRefused":
      return { _tag: "Doubt" }
    case "OwnershipEnded":
      return { _tag: "NotOurs" }
    default:
      return { _tag: "None" }
  }
}

/** When Telegram was asked for nothing but whether the session lives, any failure leaves that in doubt. */
export const verdictOfValidation = (error: UserError): Verdict => {
  const verdict = verdictOf(error)
  return verdict._tag === "None" ? { _tag: "Doubt" } : verdict
}

const second = 1_000
const minute = 60 * second

/** Between two looks at an idle session; and the most that is waited after failures. */
export const validateEvery = 5 * minute

/** Milliseconds until the next attempt after so many failures. `spread` from 0 to 1: sessions must not come at once. */
export const backoff = (failures: number, spread: number): number =>
  Math.round(Math.min(5 * second * 2 ** Math.max(failures - 1, 0), validateEvery) * (0.8 + 0.4 * spread))

/** Whether a session that is logged in should be looked at. `spread` as above: each has a rhythm of its own. */
export const isDue = (
  { lastActivity, nextTry }: Pick<SessionInfo, "lastActivity" | "nextTry">,
  now: number,
  spread: number
): boolean =>
  nextTry === undefined ? now - (lastActivity ?? 0) >= validateEvery * (0.8 + 0.4 * spread) : now >= nextTry
