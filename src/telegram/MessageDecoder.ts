/**
 * One message of the Bot API as an `IncomingMessage`: who wrote it, where, what it forwards and answers.
 * Source: Bot API 10.3, Message, MessageOrigin, ExternalReplyInfo.
 */
import { MessageId } from "../domain/Ids.ts"
import {
  type Chat,
  type ForwardOrigin,
  IncomingMessage,
  type ReplyContext,
  type Sender
} from "../domain/IncomingMessage.ts"
import { readContent } from "./MessageContent.ts"
import {
  chatAsSender,
  present,
  type Raw,
  readChat,
  readInt,
  readRecord,
  readText,
  readThread,
  readUser
} from "./UpdateFields.ts"

/** As much of an answered message as is worth quoting, in UTF-16 units. */
const excerptLength = 300

const readMessageId = (value: unknown): MessageId | undefined => {
  const id = readInt(value)
  return id === undefined ? undefined : MessageId.make(id)
}

/** `sender_chat` first: beside it `from` is a stand-in, the same account for every such chat. */
export const readSender = (message: Raw, chat: Chat): Sender | undefined => {
  const speaking = readChat(message.sender_chat)
  if (speaking !== undefined) return chatAsSender(speaking)
  return readUser(message.from) ?? (chat.kind === "channel" ? chatAsSender(chat) : undefined)
}

/** Public by user name; of a private channel the members can open the other form. */
export const channelLink = (chat: Chat, messageId: MessageId): string | undefined => {
  if (chat.username !== undefined) return `https://t.me/${chat.username}/${messageId}`
  const internal = /^-1000*(\d+)$/.exec(String(chat.id))?.[1]
  return internal === undefined ? undefined : `https://t.me/c/${internal}/${messageId}`
}

const readOrigin = (value: unknown): ForwardOrigin | undefined => {
  const raw = readRecord(value)
  if (raw === undefined) return undefined
  const date = readInt(raw.date) ?? 0
  const user = readUser(raw.sender_user)
  if (user !== undefined) return { _tag: "User", date, user }
  const signature = readText(raw.author_signature)
  const sender = readChat(raw.sender_chat)
  if (sender !== undefined) return present({ _tag: "Chat" as const, date, chat: sender, signature })
  const chat = readChat(raw.chat)
  const messageId = readMessageId(raw.message_id)
  if (chat !== undefined && messageId !== undefined) {
    const link = channelLink(chat, messageId)
    return present({ _tag: "Channel" as const, date, chat, messageId, signature, link })
  }
  if (chat !== undefined) return present({ _tag: "Chat" as const, date, chat, signature })
  // A kind of origin from after this version is still a forward, from someone we cannot name.
  return { _tag: "HiddenUser", date, name: readText(raw.sender_user_name) ?? "?" }
}

/** What the origin of a forward is called. */
export const originName = (origin: ForwardOrigin): string => {
  switch (origin._tag) {
    case "User":
      return origin.user.name
    case "HiddenUser":
      return origin.name
    default:
      return origin.chat.title ?? origin.chat.username ?? String(origin.chat.id)
  }
}

/** The beginning of a text, never cut inside a character. */
const beginning = (text: string): string =>
  text.length <= excerptLength ? text : `${text.slice(0, excerptLength).replace(/[\uD800-\uDBFF]$/, "")}…`

const readReply = (message: Raw): ReplyContext | undefined => {
  const quote = readText(readRecord(message.quote)?.text)
  const replied = readRecord(message.reply_to_message)
  // The first message of a topic stands here in every message of it; nobody answered that.
  if (replied !== undefined && replied.forum_topic_created === undefined) {
    const chat = readChat(replied.chat) ?? readChat(message.chat)
    const origin = readOrigin(replied.forward_origin)
    const author = chat && readSender(replied, chat)?.name
    return present({
      messageId: readMessageId(replied.message_id),
      author: origin === undefined ? author : originName(origin),
      excerpt: beginning(quote ?? readContent(replied).text.text)
    })
  }
  const external = readRecord(message.external_reply)
  if (external !== undefined) {
    const origin = readOrigin(external.origin)
    // Its message id belongs to another chat.
    return present({ author: origin && originName(origin), excerpt: beginning(quote ?? "") })
  }
  const story = readChat(readRecord(message.reply_to_story)?.chat)
  if (story !== undefined) return { author: chatAsSender(story).name, excerpt: "" }
  return quote === undefined ? undefined : { excerpt: beginning(quote) }
}

/** `undefined` when it lacks what no message can be without: its id, chat, sender or date. */
export const readMessage = (value: unknown): IncomingMessage | undefined => {
  const raw = readRecord(value)
  const messageId = readMessageId(raw?.message_id)
  const chat = readChat(raw?.chat)
  const date = readInt(raw?.date)
  if (raw === undefined || messageId === undefined || chat === undefined || date === undefined)
    return undefined
  const sender = readSender(raw, chat)
  if (sender === undefined) return undefined
  return new IncomingMessage(
    present({
      messageId,
      chat,
      thread: readThread(raw),
      sender,
      date,
      editDate: readInt(raw.edit_date),
      albumId: readText(raw.media_group_id),
      ...readContent(raw),
      origin: readOrigin(raw.forward_origin),
      replyTo: readReply(raw)
    })
  )
}
