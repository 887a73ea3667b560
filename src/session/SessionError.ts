/** Why there is no live client of a session, and why a login came to nothing. Times in Unix milliseconds. */
import { Schema } from "effect"
import type { SqlError } from "effect/sql"
import { UserId } from "../domain/Ids.ts"
import type { FenceStale } from "../lock/Fences.ts"
import type { LocksUnavailable } from "../lock/Locks.ts"
import type { IllegalMove } from "./SessionState.ts"
import { SessionState } from "./SessionState.ts"
import type { SessionUnknown } from "./SessionStore.ts"
import type { VaultError } from "./Vault.ts"

const session = Schema.String
const until = (time: number) => new Date(time).toISOString()

/** Nobody is logged in. */
export class NotAuthorized extends Schema.TaggedError<NotAuthorized>()("NotAuthorized", {
  session,
  state: SessionState,
  because: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const why = this.because === undefined ? "" : ` (${this.because})`
    return this.state.startsWith("PENDING_")
      ? `Session ${this.session} is being logged in${why}; finish the login first`
      : `Session ${this.session} is not logged in${why}; log in`
  }
}
/** What is of its tenant rests until that is enabled again. */
export class TenantDisabled extends Schema.TaggedError<TenantDisabled>()("TenantDisabled", { session }) {
  override get message() {
    return `The tenant of session ${this.session} is disabled; enable it to use the session`
  }
}
/** Another process uses it; two at once would destroy it. */
export class HeldElsewhere extends Schema.TaggedError<HeldElsewhere>()("HeldElsewhere", {
  session,
  owner: Schema.String
}) {
  override get message() {
    return `Session ${this.session} is used by ${this.owner}; this process can have it when that ends`
  }
}
export class Revoked extends Schema.TaggedError<Revoked>()("Revoked", { session }) {
  override get message() {
    return `Session ${this.session} was ended; log in again to use it`
  }
}
/** Telegram asked to wait. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  session,
  until: Schema.Int
}) {
  override get message() {
    return `Telegram asked session ${this.session} to wait until ${until(this.until)}; try again after that`
  }
}
/** It failed of late, and is left alone for a while. */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  session,
  nextTry: Schema.Int,
  because: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `Telegram did not answer session ${this.session} (${this.because ?? "no reason known"}); it is tried again at ${until(this.nextTry)}`
  }
}
/** What was kept of it did not open. It was set aside. */
export class Corrupted extends Schema.TaggedError<Corrupted>()("Corrupted", { session }) {
  override get message() {
    return `What was kept of session ${this.session} does not open: it was changed, cut or belongs elsewhere. It was set aside; log in again`
  }
}
/** The API id and hash cannot be had from the vault. */
export class CredentialsMissing extends Schema.TaggedError<CredentialsMissing>()("CredentialsMissing", {
  session,
  problem: Schema.String
}) {
  override get message() {
    return `Session ${this.session} has no API id and hash: ${this.problem}. Take them from https://my.telegram.org and store them as "<id>:<hash>"`
  }
}
/** Bots log in by their token, accounts by their person. */
export class NotAnAccount extends Schema.TaggedError<NotAnAccount>()("NotAnAccount", { session }) {
  override get message() {
    return `Session ${this.session} is a bot's, which needs no login; manage it as an app`
  }
}

export type ClientError =
  | NotAuthorized
  | TenantDisabled
  | HeldElsewhere
  | Revoked
  | RateLimited
  | CircuitOpen
  | Corrupted
  | CredentialsMissing
  | NotAnAccount
  | LocksUnavailable
  | VaultError

export class AlreadyAuthorized extends Schema.TaggedError<AlreadyAuthorized>()("AlreadyAuthorized", {
  session
}) {
  override get message() {
    return `Session ${this.session} is logged in already; revoke it first to log in anew`
  }
}
export class LoginUnderWay extends Schema.TaggedError<LoginUnderWay>()("LoginUnderWay", { session }) {
  override get message() {
    return `Somebody is logging session ${this.session} in; finish or cancel that first`
  }
}
/** Not in this process, at least. `owner`: the one where somebody does, as far as is known. */
export class NoLogin extends Schema.TaggedError<NoLogin>()("NoLogin", {
  session,
  owner: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return this.owner === undefined
      ? `Nobody is logging session ${this.session} in here, or nothing is asked of them now; begin a login first`
      : `Session ${this.session} is being logged in at ${this.owner}; answer there, or cancel that login and begin another here`
  }
}
export class LoginCancelled extends Schema.TaggedError<LoginCancelled>()("LoginCancelled", { session }) {
  override get message() {
    return `The login of session ${this.session} was cancelled; begin another when you like`
  }
}
export class LoginExpired extends Schema.TaggedError<LoginExpired>()("LoginExpired", { session }) {
  override get message() {
    return `The login of session ${this.session} took too long and was ended; begin another`
  }
}
export class AccountRefused extends Schema.TaggedError<AccountRefused>()("AccountRefused", {
  session,
  expected: UserId
}) {
  override get message() {
    return `Another account than ${this.expected} was logged in as session ${this.session}, and logged out again; use the account that is expected`
  }
}
export class PasswordRefused extends Schema.TaggedError<PasswordRefused>()("PasswordRefused", {
  session,
  /** 0: the login is over. */
  triesLeft: Schema.Int
}) {
  override get message() {
    return this.triesLeft === 0
      ? `The password was wrong too often; begin the login of session ${this.session} again`
      : `The password is wrong; ${this.triesLeft} more can be tried`
  }
}
export class CodeRefused extends Schema.TaggedError<CodeRefused>()("CodeRefused", {
  session,
  triesLeft: Schema.Int
}) {
  override get message() {
    return this.triesLeft === 0
      ? `The code was wrong or is no longer good; begin the login of session ${this.session} again`
      : `The code is wrong; ${this.triesLeft} more can be tried`
  }
}
/** Telegram did not do what the login needs. */
export class LoginFailed extends Schema.TaggedError<LoginFailed>()("LoginFailed", {
  session,
  because: Schema.String
}) {
  override get message() {
    return `The login of session ${this.session} failed: ${this.because}`
  }
}

export type LoginError =
  | AlreadyAuthorized
  | TenantDisabled
  | LoginUnderWay
  | LoginCancelled
  | LoginExpired
  | AccountRefused
  | PasswordRefused
  | CodeRefused
  | LoginFailed
  | HeldElsewhere
  | RateLimited
  | CredentialsMissing
  | NotAnAccount
  | SessionUnknown

export class NothingToRevoke extends Schema.TaggedError<NothingToRevoke>()("NothingToRevoke", { session }) {
  override get message() {
    return `Nobody is logged in as session ${this.session}: there is nothing to revoke; remove it to be rid of it`
  }
}
/** What is logged in at Telegram is not forgotten here. */
export class StillLoggedIn extends Schema.TaggedError<StillLoggedIn>()("StillLoggedIn", { session }) {
  override get message() {
    return `Session ${this.session} is logged in, or about to be; revoke it first`
  }
}

export type RemoveError =
  | HeldElsewhere
  | StillLoggedIn
  | NotAnAccount
  | SessionUnknown
  | LocksUnavailable
  | SqlError.SqlError

export type RevokeError =
  | HeldElsewhere
  | NothingToRevoke
  | IllegalMove
  | FenceStale
  | NotAnAccount
  | SessionUnknown
  | LocksUnavailable
  | SqlError.SqlError
