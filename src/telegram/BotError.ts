/** What a call through the port may fail with. None of them carries a token, a URL or a message's text. */
import { Schema } from "effect"
import { BlobHash, ChatId } from "../domain/Ids.ts"

/** Telegram asked to wait, longer than this call may. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  method: Schema.String,
  /** Unix milliseconds: nothing goes to this chat before. */
  until: Schema.Int
}) {
  override get message() {
    return `${this.method}: Telegram asked to wait until ${new Date(this.until).toISOString()}`
  }
}
/** Certainly not done: no bytes left, or Telegram answered that it failed, and the retries are used up. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  method: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: Telegram cannot be reached (${this.reason}); it is tried again later`
  }
}
/** Perhaps done: the answer was lost. A message that may have been sent is never sent again blindly. */
export class Ambiguous extends Schema.TaggedError<Ambiguous>()("Ambiguous", {
  method: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: the answer was lost (${this.reason}); it may or may not have been done`
  }
}
/** The circuit breaker is open. `until`: Unix milliseconds of the next try. */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", {
  method: Schema.String,
  until: Schema.Int
}) {
  override get message() {
    return `${this.method}: not tried, Telegram has been failing; the next try is at ${new Date(this.until).toISOString()}`
  }
}
/** Blocked, deactivated, kicked, or the chat is gone. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  method: Schema.String,
  chat: Schema.optionalKey(ChatId),
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: the chat cannot be written to (${this.reason})`
  }
}
/** The token is wrong or was revoked: the bot stops until it has a new one. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {
  method: Schema.String
}) {
  override get message() {
    return `${this.method}: Telegram refuses the bot's token; get a valid one from @BotFather, and start again or rotate it`
  }
}
/** The group became a supergroup with another id. */
export class Migrated extends Schema.TaggedError<Migrated>()("Migrated", {
  method: Schema.String,
  to: ChatId
}) {
  override get message() {
    return `${this.method}: the group is now ${this.to}`
  }
}
/** The message to edit, delete or react to is gone. */
export class TargetGone extends Schema.TaggedError<TargetGone>()("TargetGone", {
  method: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: the message is no longer there (${this.reason})`
  }
}
/** Telegram refuses the request itself; trying again cannot help. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  method: Schema.String,
  code: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `${this.method}: refused with ${this.code}: ${this.reason}`
  }
}
/** A limit of the Bot API, checked before anything is sent or fetched. `unit`: what `size` and `limit` count. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  what: Schema.String,
  size: Schema.Int,
  limit: Schema.Int,
  unit: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const unit = this.unit === undefined ? "" : ` ${this.unit}`
    return `${this.what} is ${this.size}${unit}, Telegram allows ${this.limit}${unit}`
  }
}
/**
 * A file of ours could not be read to its end: nothing was sent, and Telegram has no part in it. `again`: whether the
 * place it is kept in may answer later.
 */
export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  hash: BlobHash,
  reason: Schema.String,
  again: Schema.Literals(["later", "never"])
}) {
  override get message() {
    const next = this.again === "later" ? "it is tried again later" : "what it belongs to is not sent"
    return `The file ${this.hash.slice(0, 12)} cannot be read (${this.reason}); ${next}`
  }
}
/** No bot is configured under this key. */
export class BotUnknown extends Schema.TaggedError<BotUnknown>()("BotUnknown", { app: Schema.String }) {
  override get message() {
    return `There is no bot ${this.app}`
  }
}

export const BotPortError = Schema.Union([
  RateLimited,
  Unavailable,
  Ambiguous,
  CircuitOpen,
  Unreachable,
  Unauthorized,
  Migrated,
  TargetGone,
  Refused,
  TooLarge,
  FileUnreadable,
  BotUnknown
])
export type BotPortError = typeof BotPortError.Type
