/** What a call of a person's own account may fail with. None carries a phone number, a code, a password or a key. */
import { Schema } from "effect"
import { UserId } from "../domain/Ids.ts"

const method = Schema.String

/** Telegram does not know the key (any more): a new login, or one that was ended elsewhere. */
export class AuthKeyUnregistered extends Schema.TaggedError<AuthKeyUnregistered>()("AuthKeyUnregistered", {
  method
}) {
  override get message() {
    return `${this.method}: this account is not logged in here; log in`
  }
}
/** Ended by its person, under Settings → Devices, or by Telegram. */
export class SessionRevoked extends Schema.TaggedError<SessionRevoked>()("SessionRevoked", { method }) {
  override get message() {
    return `${this.method}: the session was ended from another device or by Telegram; log in again`
  }
}
/** Two programs used one key at once, for which Telegram destroys it. */
export class AuthKeyDuplicated extends Schema.TaggedError<AuthKeyDuplicated>()("AuthKeyDuplicated", {
  method
}) {
  override get message() {
    return `${this.method}: the session was used in two places at once and Telegram ended it; log in again, and look for a copy of it elsewhere`
  }
}
/** It lives in another data centre by now, which did not take the login over. */
export class AccountMoved extends Schema.TaggedError<AccountMoved>()("AccountMoved", { method }) {
  override get message() {
    return `${this.method}: Telegram moved the account to another data centre, and its login could not be carried over; log in again`
  }
}
/** The account is gone or banned. */
export class AccountGone extends Schema.TaggedError<AccountGone>()("AccountGone", { method }) {
  override get message() {
    return `${this.method}: the account was deleted or banned by Telegram`
  }
}
/** Telegram asked to wait, longer than this call may. */
export class FloodWait extends Schema.TaggedError<FloodWait>()("FloodWait", {
  method,
  seconds: Schema.Int
}) {
  override get message() {
    return `${this.method}: Telegram asked to wait ${this.seconds} s; try again after that`
  }
}
/** Code or QR are accepted, the password of the account's two-step verification is missing. */
export class PasswordNeeded extends Schema.TaggedError<PasswordNeeded>()("PasswordNeeded", {
  method,
  hint: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `${this.method}: the account asks for its two-step password`
  }
}
export class PasswordWrong extends Schema.TaggedError<PasswordWrong>()("PasswordWrong", { method }) {
  override get message() {
    return `${this.method}: the two-step password is wrong; try again`
  }
}
export class PhoneWrong extends Schema.TaggedError<PhoneWrong>()("PhoneWrong", { method }) {
  override get message() {
    return `${this.method}: no account has this phone number; write it with its country code, as +49 170 1234567`
  }
}
export class CodeWrong extends Schema.TaggedError<CodeWrong>()("CodeWrong", { method }) {
  override get message() {
    return `${this.method}: the code is wrong; try again`
  }
}
/** Also: no code was asked for on this connection. */
export class CodeExpired extends Schema.TaggedError<CodeExpired>()("CodeExpired", { method }) {
  override get message() {
    return `${this.method}: the code is no longer good; ask for a new one`
  }
}
/** Another account than the expected one logged in. It is logged out again. */
export class WrongAccount extends Schema.TaggedError<WrongAccount>()("WrongAccount", {
  method,
  expected: UserId
}) {
  override get message() {
    return `${this.method}: another account than the expected one answered and was logged out here; use the account that talks to the bot`
  }
}
/** What was kept of the session cannot be read. */
export class SessionUnreadable extends Schema.TaggedError<SessionUnreadable>()("SessionUnreadable", {
  part: Schema.Literals(["session", "peers", "positions"])
}) {
  override get message() {
    return `What was kept of the session (${this.part}) cannot be read; log in again`
  }
}
/** The owner's right to use the session is over: nothing more is written to Telegram. */
export class OwnershipEnded extends Schema.TaggedError<OwnershipEnded>()("OwnershipEnded", { method }) {
  override get message() {
    return `${this.method}: not sent, for another process may own this session now; open it again`
  }
}
/** No answer in time. It may or may not have been done. */
export class Timeout extends Schema.TaggedError<Timeout>()("Timeout", { method }) {
  override get message() {
    return `${this.method}: Telegram did not answer in time; try again`
  }
}
/** Telegram cannot be reached, or the connection was closed for good. */
export class NetworkDown extends Schema.TaggedError<NetworkDown>()("NetworkDown", { method }) {
  override get message() {
    return `${this.method}: Telegram cannot be reached; check that this machine may connect to it`
  }
}
/** Telegram's own trouble (5xx), longer than it was waited for. */
export class TelegramTrouble extends Schema.TaggedError<TelegramTrouble>()("TelegramTrouble", { method }) {
  override get message() {
    return `${this.method}: Telegram has trouble of its own; try again later`
  }
}
/** The API id and hash of `my.telegram.org` are wrong, or forbidden to be used. */
export class ApiCredentialsRefused extends Schema.TaggedError<ApiCredentialsRefused>()(
  "ApiCredentialsRefused",
  { method }
) {
  override get message() {
    return `${this.method}: Telegram refuses the API id and hash; take them from https://my.telegram.org`
  }
}
/** The chat is not there, or this account may not see it. */
export class ChatClosed extends Schema.TaggedError<ChatClosed>()("ChatClosed", { method }) {
  override get message() {
    return `${this.method}: the account cannot see this chat; join it, or follow another`
  }
}
/** The file is no longer there, or its reference is too old: read its message again. */
export class FileGone extends Schema.TaggedError<FileGone>()("FileGone", { method }) {
  override get message() {
    return `${this.method}: Telegram no longer gives this file; read its message again`
  }
}
/** Telegram refuses the request itself. `reason`: its own word, such as `PEER_ID_INVALID`. */
export class CallRefused extends Schema.TaggedError<CallRefused>()("CallRefused", {
  method,
  code: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: refused with ${this.code} ${this.reason}`
  }
}

export const UserError = Schema.Union([
  AuthKeyUnregistered,
  SessionRevoked,
  AuthKeyDuplicated,
  AccountMoved,
  AccountGone,
  FloodWait,
  PasswordNeeded,
  PasswordWrong,
  PhoneWrong,
  CodeWrong,
  CodeExpired,
  WrongAccount,
  SessionUnreadable,
  OwnershipEnded,
  Timeout,
  NetworkDown,
  TelegramTrouble,
  ApiCredentialsRefused,
  ChatClosed,
  FileGone,
  CallRefused
])
export type UserError = typeof UserError.Type
