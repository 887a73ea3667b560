/**
 * Updates of the Bot API as our own words. It never fails: what cannot be read becomes `Unknown` with
 * whatever could be found of chat, topic and sender. Source: Bot API 10.3, Update.
 */
import { Schema } from "effect"
import { MessageId, type ThreadId, UpdateId } from "../domain/Ids.ts"
import type { Chat, IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import { readAccountUpdate } from "./AccountMessage.ts"
import { serviceField } from "./MessageContent.ts"
import { readMessage, readSender } from "./MessageDecoder.ts"
import {
  present,
  type Raw,
  readChat,
  reader,
  readInt,
  readRecord,
  readText,
  readThread,
  readUser,
  storable
} from "./UpdateFields.ts"

const readUpdateId = reader(UpdateId)
const readMessageId = reader(MessageId)
const readStatus = reader(
  Schema.Literals(["creator", "administrator", "member", "restricted", "left", "kicked"])
)

/** The id Telegram gave the update; without one it can be neither stored once nor confirmed. */
export const updateIdOf = (raw: unknown): UpdateId | undefined => readUpdateId(readRecord(raw)?.update_id)

/** Stands in an update that has no id of its own. Telegram's begin at 1. */
export const noUpdateId = UpdateId.make(0)

const messageKinds: { readonly [kind: string]: "Message" | "EditedMessage" } = {
  message: "Message",
  channel_post: "Message",
  edited_message: "EditedMessage",
  edited_channel_post: "EditedMessage"
}

const unknown = (updateId: UpdateId, kind: string, content: Raw | undefined): IncomingUpdate => {
  const message = readRecord(content?.message)
  const chat = readChat(content?.chat) ?? readChat(message?.chat)
  const from = readUser(content?.from) ?? readUser(content?.user)
  const thread = content && (readThread(content) ?? (message && readThread(message)))
  return present({
    _tag: "Unknown" as const,
    updateId,
    kind: storable(kind),
    chat,
    thread,
    from: content && chat ? (readSender(content, chat) ?? from) : from
  })
}

const readButton = (updateId: UpdateId, content: Raw): IncomingUpdate | undefined => {
  const callbackId = readText(content.id)
  const from = readUser(content.from)
  const data = readText(content.data)
  if (callbackId === undefined || from === undefined || data === undefined) return undefined
  const raw = readRecord(content.message)
  const chat = readChat(raw?.chat)
  const messageId = readMessageId(raw?.message_id)
  const message =
    raw && chat && messageId !== undefined ? present({ chat, messageId, thread: readThread(raw) }) : undefined
  return present({ _tag: "Button" as const, updateId, callbackId, from, data, message })
}

const readMembership = (updateId: UpdateId, content: Raw): IncomingUpdate | undefined => {
  const chat = readChat(content.chat)
  const from = readUser(content.from)
  const member = readRecord(content.new_chat_member)
  const status = readStatus(member?.status)
  if (chat === undefined || from === undefined || status === undefined) return undefined
  const absent =
    status === "left" || status === "kicked" || (status === "restricted" && member?.is_member === false)
  return { _tag: "Membership", updateId, chat, from, status: absent ? "absent" : "present" }
}

/** Bot API 10.3. Drafts are in private chats; topics there have numbers of their own. */
const readDraftStopped = (updateId: UpdateId, content: Raw): IncomingUpdate | undefined => {
  const chat = readChat(content.chat)
  const draftId = readInt(content.draft_id)
  if (chat === undefined || draftId === undefined) return undefined
  const thread = readThread({ ...content, is_topic_message: true })
  return present({ _tag: "DraftStopped" as const, updateId, chat, thread, draftId })
}

/** The kinds beside messages. */
const otherKinds: { readonly [kind: string]: typeof readButton } = {
  callback_query: readButton,
  my_chat_member: readMembership,
  stopped_message_generation: readDraftStopped
}

/** Exactly one field beside `update_id` is set; should there be more, a kind we know goes first. */
const kindOf = (raw: Raw): string => {
  const kinds = Object.keys(raw).filter((field) => field !== "update_id")
  const known = (kind: string) => Object.hasOwn(messageKinds, kind) || Object.hasOwn(otherKinds, kind)
  return kinds.find(known) ?? kinds[0] ?? "empty"
}

export const decodeUpdate = (raw: unknown): IncomingUpdate => {
  const update = readRecord(raw)
  if (update === undefined) return unknown(noUpdateId, "unreadable", undefined)
  const updateId = updateIdOf(update) ?? noUpdateId
  const ofAccount = readAccountUpdate(updateId, update)
  if (ofAccount !== undefined) return ofAccount
  const kind = kindOf(update)
  const content = readRecord(update[kind])
  if (content === undefined) return unknown(updateId, kind, undefined)
  if (Object.hasOwn(messageKinds, kind)) {
    const service = serviceField(content)
    if (service !== undefined) return unknown(updateId, `service:${service}`, content)
    const message = readMessage(content)
    return message === undefined
      ? unknown(updateId, kind, content)
      : { _tag: messageKinds[kind]!, updateId, message }
  }
  const read = Object.hasOwn(otherKinds, kind) ? otherKinds[kind] : undefined
  return read?.(updateId, content) ?? unknown(updateId, kind, content)
}

/** Whose conversation an update belongs to: where it happened and who sent or pressed. */
export interface ConversationRef {
  readonly chat: Chat
  readonly thread?: ThreadId
  readonly sender: Sender
}

/** `undefined` when nobody, or no place, is known to which it belongs. */
export const conversationOf = (update: IncomingUpdate): ConversationRef | undefined => {
  switch (update._tag) {
    case "Message":
    case "EditedMessage": {
      const { chat, thread, sender } = update.message
      return present({ chat, thread, sender })
    }
    case "Button":
      return (
        update.message &&
        present({ chat: update.message.chat, thread: update.message.thread, sender: update.from })
      )
    case "Membership":
      return { chat: update.chat, sender: update.from }
    case "DraftStopped": {
      const { chat, thread } = update
      // A private chat is its person, of whom nothing else is said.
      const sender: Sender = { id: chat.id, kind: "user", name: chat.username ?? String(chat.id) }
      return chat.kind === "private" ? present({ chat, thread, sender }) : undefined
    }
    case "Unknown":
      return update.chat && update.from
        ? present({ chat: update.chat, thread: update.thread, sender: update.from })
        : undefined
  }
}
