/** What is put into the outbox. */
import { type Option, Schema, type Tracer } from "effect"
import { Address } from "../domain/Address.ts"
import { BotId, MessageId } from "../domain/Ids.ts"
import { OutgoingContent } from "./BotPort.ts"

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
  /**
   * Of unknown fate, `chatter` is never sent again; a `result` is: at most once within one life of the process, and
   * once after each kill while it was being sent (`Settlement.killed`). Each time counts as `unknown`.
   */
  delivery: Schema.Literals(["result", "chatter"]),
  /**
   * `broadcast`: nobody asked for it, so that it leaves the bot's budget to those who did. Absent: `interactive`.
   */
  urgency: Schema.optionalKey(Schema.Literals(["interactive", "broadcast"])),
  action: OutboxAction
})
export type OutboxEntry = typeof OutboxEntry.Type

/** `span`: what decided to say it, where that is not the span the entry is added in. */
export type TracedEntry = OutboxEntry & { readonly span?: Option.Option<Tracer.AnySpan> }
