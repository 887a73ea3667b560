/** An update as it is stored for its conversation, and what can be told from it before it is handled. */
import { Schema } from "effect"
import { withoutStart } from "../domain/FormattedText.ts"
import { AppId, BotId, ChatId, TenantId } from "../domain/Ids.ts"
import { IncomingMessage, type IncomingUpdate } from "../domain/IncomingMessage.ts"
import { isOfAccount } from "../telegram/AccountMessage.ts"
import { type ConversationRef, conversationOf } from "../telegram/UpdateDecoder.ts"
import type { CommandCall } from "./MessageProcessor.ts"
import { type UserContext, userContext } from "./UserContext.ts"

/**
 * A received update at rest. The version is that of this envelope; `raw` is Telegram's JSON as it came,
 * decoded when it is handled. A row the engine could not decode would be marked as processed, unread: that
 * is why its payload is nothing but text to the engine.
 */
export const StoredUpdate = Schema.fromJsonString(
  Schema.Struct({
    v: Schema.Literal(1),
    tenant: TenantId,
    app: AppId,
    botId: BotId,
    /** Unix milliseconds */
    receivedAt: Schema.Int,
    raw: Schema.Unknown
  })
)
export type StoredUpdate = typeof StoredUpdate.Type

/** An update without a chat or a person belongs to no conversation; each bot has one of its own for those. */
const nowhere: ConversationRef = {
  chat: { id: ChatId.make(0), kind: "private" },
  sender: { id: 0, kind: "chat", name: "Telegram" }
}

const placeOf = (update: IncomingUpdate): ConversationRef => conversationOf(update) ?? nowhere

/** The entity that owns the conversation of an update. */
export const entityId = (bot: Pick<StoredUpdate, "tenant" | "app">, update: IncomingUpdate): string => {
  const { chat, thread, sender } = placeOf(update)
  return `${bot.tenant}/${bot.app}/${chat.id}/${thread ?? 0}/${sender.id}`
}

export const userOf = (stored: StoredUpdate, update: IncomingUpdate): UserContext => {
  const { chat, thread, sender } = placeOf(update)
  const { tenant, app, botId } = stored
  const key = { tenant, app, botId, chat: chat.id, thread, sender: sender.id }
  return userContext(key, sender, { unanswered: isOfAccount(stored.raw) })
}

/** `/name@bot argument`; the name of a command is at most 32 of a-z, 0-9 and `_` (Bot API). */
export const commandOf = (message: IncomingMessage): CommandCall | undefined => {
  if (message.origin !== undefined || message.attachments.length > 0) return undefined
  const match = /^\s*\/([a-z0-9_]{1,32})(?:@(\w+))?(?:\s+|$)/i.exec(message.text.text)
  if (match === null) return undefined
  const [start, name = "", bot] = match
  return {
    name: name.toLowerCase(),
    argument: withoutStart(message.text, start.length),
    ...(bot === undefined ? {} : { bot: bot.toLowerCase() })
  }
}

/** The message that `/note text` stands for. A command is never text itself, so the others stand for none. */
export const notedBy = (message: IncomingMessage, call: CommandCall): IncomingMessage | undefined =>
  call.name === "note" && call.argument.text.trim() !== ""
    ? new IncomingMessage({ ...message, text: call.argument })
    : undefined
