/**
 * What Telegram told us, decoded tolerantly: a field this version does not know is ignored, a kind of
 * content it does not know is kept as `Unsupported`, an update it cannot read at all is an `UnknownUpdate`.
 */
import { Schema } from "effect"
import { FormattedText } from "./FormattedText.ts"
import { ChatId, MessageId, ThreadId, UpdateId } from "./Ids.ts"

export const ChatKind = Schema.Literals(["private", "group", "supergroup", "channel"])
export type ChatKind = typeof ChatKind.Type

export const Chat = Schema.Struct({
  id: ChatId,
  kind: ChatKind,
  title: Schema.optionalKey(Schema.String),
  username: Schema.optionalKey(Schema.String)
})
export type Chat = typeof Chat.Type

/** A person, a bot, or a chat speaking for itself (`sender_chat`: anonymous admins, channels). */
export const Sender = Schema.Struct({
  id: Schema.Int,
  kind: Schema.Literals(["user", "bot", "chat"]),
  name: Schema.String,
  username: Schema.optionalKey(Schema.String),
  /** IETF tag of the person's Telegram client. */
  language: Schema.optionalKey(Schema.String)
})
export type Sender = typeof Sender.Type

/** Where a forwarded message came from (`forward_origin`). `date` in Unix seconds. */
export const ForwardOrigin = Schema.Union([
  Schema.TaggedStruct("User", { date: Schema.Int, user: Sender }),
  Schema.TaggedStruct("HiddenUser", { date: Schema.Int, name: Schema.String }),
  Schema.TaggedStruct("Chat", { date: Schema.Int, chat: Chat, signature: Schema.optionalKey(Schema.String) }),
  Schema.TaggedStruct("Channel", {
    date: Schema.Int,
    chat: Chat,
    messageId: MessageId,
    signature: Schema.optionalKey(Schema.String),
    /** `https://t.me/…` when the channel can be linked to. */
    link: Schema.optionalKey(Schema.String)
  })
])
export type ForwardOrigin = typeof ForwardOrigin.Type

/** A file Telegram holds. `size` in bytes, absent when Telegram does not say. */
export const MediaFile = Schema.Struct({
  fileId: Schema.String,
  fileUniqueId: Schema.String,
  size: Schema.optionalKey(Schema.Int),
  name: Schema.optionalKey(Schema.String),
  mime: Schema.optionalKey(Schema.String),
  width: Schema.optionalKey(Schema.Int),
  height: Schema.optionalKey(Schema.Int),
  /** seconds */
  duration: Schema.optionalKey(Schema.Int)
})
export type MediaFile = typeof MediaFile.Type

/** Everything a message can carry besides its text or caption. */
export const Attachment = Schema.Union([
  Schema.TaggedStruct("Photo", { file: MediaFile }),
  Schema.TaggedStruct("Video", { file: MediaFile }),
  Schema.TaggedStruct("Animation", { file: MediaFile }),
  Schema.TaggedStruct("Audio", {
    file: MediaFile,
    performer: Schema.optionalKey(Schema.String),
    title: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("Voice", { file: MediaFile }),
  Schema.TaggedStruct("VideoNote", { file: MediaFile }),
  Schema.TaggedStruct("Document", { file: MediaFile }),
  Schema.TaggedStruct("Sticker", {
    file: MediaFile,
    emoji: Schema.optionalKey(Schema.String),
    setName: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("Location", { latitude: Schema.Finite, longitude: Schema.Finite }),
  Schema.TaggedStruct("Venue", {
    latitude: Schema.Finite,
    longitude: Schema.Finite,
    title: Schema.String,
    address: Schema.String
  }),
  Schema.TaggedStruct("Contact", {
    phone: Schema.String,
    firstName: Schema.String,
    lastName: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("Poll", { question: Schema.String, options: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("Dice", { emoji: Schema.String, value: Schema.Int }),
  /** A content kind this version does not know: the names of the unknown fields. */
  Schema.TaggedStruct("Unsupported", { kinds: Schema.Array(Schema.String) })
])
export type Attachment = typeof Attachment.Type

/** The message a message answers, as much of it as is worth quoting. */
export const ReplyContext = Schema.Struct({
  messageId: Schema.optionalKey(MessageId),
  author: Schema.optionalKey(Schema.String),
  /** The part the person quoted, else the beginning of the replied text. */
  excerpt: Schema.String
})
export type ReplyContext = typeof ReplyContext.Type

export class IncomingMessage extends Schema.Class<IncomingMessage>("IncomingMessage")({
  messageId: MessageId,
  chat: Chat,
  thread: Schema.optionalKey(ThreadId),
  sender: Sender,
  /** Unix seconds, Telegram's clock. */
  date: Schema.Int,
  /** Unix seconds of the last edit. */
  editDate: Schema.optionalKey(Schema.Int),
  albumId: Schema.optionalKey(Schema.String),
  /** Text or caption; empty when there is none. */
  text: FormattedText,
  attachments: Schema.Array(Attachment),
  origin: Schema.optionalKey(ForwardOrigin),
  replyTo: Schema.optionalKey(ReplyContext)
}) {}

export const IncomingUpdate = Schema.Union([
  Schema.TaggedStruct("Message", { updateId: UpdateId, message: IncomingMessage }),
  Schema.TaggedStruct("EditedMessage", { updateId: UpdateId, message: IncomingMessage }),
  Schema.TaggedStruct("Button", {
    updateId: UpdateId,
    callbackId: Schema.String,
    from: Sender,
    data: Schema.String,
    /** Absent for buttons of inline messages and messages Telegram no longer holds. */
    message: Schema.optionalKey(
      Schema.Struct({ chat: Chat, messageId: MessageId, thread: Schema.optionalKey(ThreadId) })
    )
  }),
  /** The person blocked or unblocked the bot, or a group added or removed it (`my_chat_member`). */
  Schema.TaggedStruct("Membership", {
    updateId: UpdateId,
    chat: Chat,
    from: Sender,
    status: Schema.Literals(["present", "absent"])
  }),
  /** The person stopped what the bot shows while it makes it (`stopped_message_generation`). */
  Schema.TaggedStruct("DraftStopped", {
    updateId: UpdateId,
    chat: Chat,
    thread: Schema.optionalKey(ThreadId),
    draftId: Schema.Int
  }),
  /** Not understood: stored, counted, answered kindly when there is someone to answer. */
  Schema.TaggedStruct("Unknown", {
    updateId: UpdateId,
    kind: Schema.String,
    chat: Schema.optionalKey(Chat),
    thread: Schema.optionalKey(ThreadId),
    from: Schema.optionalKey(Sender)
  })
])
export type IncomingUpdate = typeof IncomingUpdate.Type
