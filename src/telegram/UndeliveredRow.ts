/** A message that may not have arrived, as operators see it; apart from the database it is read from. */
import { Schema } from "effect"
import { AppId, ChatId, TenantId, ThreadId } from "../domain/Ids.ts"

export const UndeliveredRow = Schema.Struct({
  id: Schema.Int,
  tenant: TenantId,
  app: AppId,
  chat: ChatId,
  thread: Schema.optionalKey(ThreadId),
  /** `unknown`: it may or may not stand in the chat. `dead`: it does not. */
  state: Schema.Literals(["unknown", "dead"]),
  delivery: Schema.Literals(["result", "chatter"]),
  reason: Schema.String,
  attempts: Schema.Int,
  /** ISO 8601. */
  createdAt: Schema.String,
  endedAt: Schema.String
})
export type UndeliveredRow = typeof UndeliveredRow.Type

/** The newest that ended, at most this many at once. */
export const page = 100
