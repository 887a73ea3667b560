/** How a login goes: what is shown to the person, and what an end that is not the wished one means. */
import type { Redacted } from "effect"
import type { SentCode, UserAccount, UserError } from "../telegram/UserClient.ts"
import {
  AccountRefused,
  CodeRefused,
  HeldElsewhere,
  type LoginError,
  LoginFailed,
  RateLimited
} from "./SessionError.ts"
import type { Learned } from "./SessionRow.ts"
import type { MoveReason } from "./SessionState.ts"

/** `expires`: Unix milliseconds. */
export type LoginStep =
  | { readonly _tag: "Starting" }
  /** To be scanned under Settings → Devices. Another follows when it expires. */
  | { readonly _tag: "Qr"; readonly url: Redacted.Redacted<string>; readonly expires: number }
  /** The phone has read it and asks its person. */
  | { readonly _tag: "Scanned" }
  | { readonly _tag: "CodeSent"; readonly sent: SentCode; readonly triesLeft: number }
  | { readonly _tag: "PasswordNeeded"; readonly hint: string | undefined; readonly triesLeft: number }
  /** The last. */
  | { readonly _tag: "Authorized"; readonly account: UserAccount }

/** Wrong answers that are taken before a login is over. */
export const tries = 3

/** What a failure of Telegram means for a login. `now`: Unix milliseconds. */
export const loginErrorOf = (session: string, error: UserError, now: number): LoginError => {
  switch (error._tag) {
    case "FloodWait":
      return new RateLimited({ session, until: now + error.seconds * 1_000 })
    case "WrongAccount":
      return new AccountRefused({ session, expected: error.expected })
    case "CodeWrong":
    case "CodeExpired":
      return new CodeRefused({ session, triesLeft: 0 })
    case "OwnershipEnded":
      return new HeldElsewhere({ session, owner: "another process" })
    default:
      return new LoginFailed({ session, because: error.message })
  }
}

/** The move a login makes that ends so. */
export const endOfLogin = (error: LoginError): readonly [MoveReason, Learned] => {
  switch (error._tag) {
    case "LoginCancelled":
      return ["login_cancelled", {}]
    case "TenantDisabled":
      return ["login_cancelled", { error: error.message }]
    case "LoginExpired":
      return ["login_expired", { error: error.message }]
    case "AccountRefused":
      return ["account_refused", { error: error.message }]
    case "PasswordRefused":
      return ["password_refused", { error: error.message }]
    case "CodeRefused":
      return ["code_refused", { error: error.message }]
    case "RateLimited":
      return ["flood_wait", { error: error.message, nextTry: error.until, nextTryBecause: "flood" }]
    default:
      return ["api_error", { error: error.message }]
  }
}
