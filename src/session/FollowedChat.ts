/** A chat of an account whose messages become notes. */
import { Schema } from "effect"
import { AppId, MessageId, TenantId, UserId } from "../domain/Ids.ts"
import { Source } from "../telegram/UserClient.ts"

/** What Telegram calls the chat of an account with itself. */
export const savedTitle = "Saved Messages"

export const FollowedChat = Schema.Struct({
  tenant: TenantId,
  app: AppId,
  /** Whose chat it is: another account that is logged in later does not inherit it. */
  account: UserId,
  source: Source,
  title: Schema.String,
  /** Unix seconds: what was written before is left alone. */
  since: Schema.Int,
  /** All messages up to here are taken; 0 before the first. */
  lastMessage: MessageId,
  /** What was edited may have been told to nobody: all that is taken is read again. */
  rereadDue: Schema.optionalKey(Schema.Literal(true)),
  /** When one was taken last, in Unix milliseconds. */
  takenAt: Schema.optionalKey(Schema.Int),
  /** Why it is not followed now, though it should be. */
  lastError: Schema.optionalKey(Schema.String)
})
export type FollowedChat = typeof FollowedChat.Type
