/**
 * What the bot is going to say, durable with the decision to say it. The dispatcher of each bot sends the
 * rows of a (chat, thread) strictly in order, through retries.
 *
 * States: `pending → sending → sent | unknown | dead`.
 */
import { Context, type Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Address } from "../domain/Address.ts"
import { BotId, MessageId, type TenantId } from "../domain/Ids.ts"
import { type BotKey, OutgoingContent } from "./BotPort.ts"

export const OutboxAction = Schema.Union([
  Schema.TaggedStruct("Send", { content: OutgoingContent, replyTo: Schema.optionalKey(MessageId) }),
  /**
   * Turns the status message sent under the key `status` into `content`: edits it when it was sent, takes
   * its place when it was not, is sent anew when it is gone.
   */
  Schema.TaggedStruct("Resolve", { status: Schema.String, content: OutgoingContent }),
  Schema.TaggedStruct("Edit", { message: MessageId, content: OutgoingContent })
])
export type OutboxAction = typeof OutboxAction.Type

export const OutboxEntry = Schema.Struct({
  address: Address,
  botId: BotId,
  /** Unique per tenant and bot: an entry whose key is already there is not added again. */
  key: Schema.String,
  /** A `result` whose fate is unknown is sent once more; `chatter` never is. */
  delivery: Schema.Literals(["result", "chatter"]),
  action: OutboxAction
})
export type OutboxEntry = typeof OutboxEntry.Type

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Adds the entries; joins the caller's transaction and wakes the dispatcher when it commits. */
    readonly enqueue: (
      tenant: TenantId,
      entries: ReadonlyArray<OutboxEntry>
    ) => Effect.Effect<void, SqlError.SqlError>
    /**
     * The dispatcher of one bot: runs until interrupted. There is one at a time per bot. Rows left in
     * `sending` by a killed one become `unknown` first.
     */
    readonly dispatch: (bot: BotKey, botId: BotId) => Effect.Effect<never, SqlError.SqlError>
  }
>()("zapiska/telegram/Outbox") {}
