/**
 * The sandbox's Telegram as a person sees it: users, chats, messages and what happens to them. Everything a
 * page or a test reads from the emulator is one of these; what the bot sees is the Bot API's own JSON.
 */
import { Schema } from "effect"
import { RichBlock } from "./RichMessage.ts"

const optional = Schema.optionalKey

/** A person, or a bot (`isBot`). */
export const User = Schema.Struct({
  id: Schema.Int,
  isBot: Schema.Boolean,
  firstName: Schema.String,
  lastName: optional(Schema.String),
  username: optional(Schema.String),
  /** IETF tag of the person's Telegram client. */
  language: optional(Schema.String)
})
export type User = typeof User.Type

/** A topic of a group with topics. General is not listed: its messages carry no thread. */
export const Topic = Schema.Struct({ id: Schema.Int, name: Schema.String })
export type Topic = typeof Topic.Type

/**
 * A chat of one bot. A private chat's id is the person's; a group's is negative.
 * `blocked`: the person blocked the bot, or the group removed it.
 */
export const Chat = Schema.Struct({
  bot: Schema.Int,
  id: Schema.Int,
  kind: Schema.Literals(["private", "group", "supergroup", "channel"]),
  title: Schema.String,
  forum: Schema.Boolean,
  blocked: Schema.Boolean,
  members: Schema.Array(Schema.Int),
  topics: Schema.Array(Topic),
  lastMessageId: optional(Schema.Int)
})
export type Chat = typeof Chat.Type

/** Telegram's MessageEntity; offsets and lengths in UTF-16 units. */
export const Entity = Schema.Struct({
  type: Schema.String,
  offset: Schema.Int,
  length: Schema.Int,
  url: optional(Schema.String),
  language: optional(Schema.String),
  userId: optional(Schema.Int),
  customEmojiId: optional(Schema.String)
})
export type Entity = typeof Entity.Type

export const MediaKind = Schema.Literals([
  "photo",
  "document",
  "voice",
  "video",
  "audio",
  "animation",
  "video_note",
  "sticker"
])
export type MediaKind = typeof MediaKind.Type

/** A file of a message. `url` is absolute, on the emulator, and serves the bytes with their type and name. */
export const Media = Schema.Struct({
  kind: MediaKind,
  fileId: Schema.String,
  url: Schema.String,
  /** bytes */
  size: Schema.Int,
  name: optional(Schema.String),
  mime: optional(Schema.String),
  width: optional(Schema.Int),
  height: optional(Schema.Int),
  /** seconds */
  duration: optional(Schema.Int),
  /** of a sticker */
  emoji: optional(Schema.String),
  title: optional(Schema.String),
  performer: optional(Schema.String)
})
export type Media = typeof Media.Type

export const PollOption = Schema.Struct({ text: Schema.String, votes: Schema.Int })
export const Poll = Schema.Struct({
  id: Schema.String,
  question: Schema.String,
  options: Schema.Array(PollOption),
  anonymous: Schema.Boolean,
  multiple: Schema.Boolean,
  closed: Schema.Boolean
})
export type Poll = typeof Poll.Type

export const Location = Schema.Struct({
  latitude: Schema.Finite,
  longitude: Schema.Finite,
  /** of a venue */
  title: optional(Schema.String),
  address: optional(Schema.String)
})
export type Location = typeof Location.Type

export const Contact = Schema.Struct({
  phone: Schema.String,
  firstName: Schema.String,
  lastName: optional(Schema.String)
})
export type Contact = typeof Contact.Type

/** A button under a message; exactly one of `data` (pressable) and `url` (a link) is there. */
export const Button = Schema.Struct({
  text: Schema.String,
  data: optional(Schema.String),
  url: optional(Schema.String)
})
export type Button = typeof Button.Type

/** Who forwarded content came from. `date` in Unix seconds. `link` as `https://t.me/name/5`. */
export const Origin = Schema.Struct({
  kind: Schema.Literals(["user", "hidden_user", "chat", "channel"]),
  name: Schema.String,
  date: Schema.Int,
  username: optional(Schema.String),
  signature: optional(Schema.String),
  link: optional(Schema.String)
})
export type Origin = typeof Origin.Type

export const Reply = Schema.Struct({
  messageId: Schema.Int,
  author: Schema.String,
  excerpt: Schema.String
})
export type Reply = typeof Reply.Type

/** One emoji (or custom emoji id) and who put it there. */
export const Reaction = Schema.Struct({ emoji: Schema.String, by: Schema.Array(Schema.Int) })
export type Reaction = typeof Reaction.Type

/**
 * A message as it stands now. `text` is the text or the caption, or the words of a `rich` one. Messages of an album share `albumId`.
 * `service` names a service message ("forum_topic_created", "new_chat_members").
 */
export const Message = Schema.Struct({
  bot: Schema.Int,
  chat: Schema.Int,
  id: Schema.Int,
  thread: optional(Schema.Int),
  from: User,
  /** Unix seconds */
  date: Schema.Int,
  editDate: optional(Schema.Int),
  albumId: optional(Schema.String),
  text: Schema.String,
  entities: Schema.Array(Entity),
  rich: optional(Schema.Array(RichBlock)),
  media: optional(Media),
  location: optional(Location),
  contact: optional(Contact),
  poll: optional(Poll),
  dice: optional(Schema.Struct({ emoji: Schema.String, value: Schema.Int })),
  service: optional(Schema.String),
  origin: optional(Origin),
  reply: optional(Reply),
  buttons: Schema.Array(Schema.Array(Button)),
  reactions: Schema.Array(Reaction)
})
export type Message = typeof Message.Type

export const Bot = Schema.Struct({
  id: Schema.Int,
  token: Schema.String,
  username: Schema.String,
  name: Schema.String
})
export type Bot = typeof Bot.Type

/** What the bot answered to a pressed button. Telegram shows `text` as a toast, or as a box when `alert`. */
export const CallbackAnswer = Schema.Struct({
  callbackId: Schema.String,
  text: optional(Schema.String),
  alert: Schema.Boolean,
  url: optional(Schema.String)
})
export type CallbackAnswer = typeof CallbackAnswer.Type

const where = { bot: Schema.Int, chat: Schema.Int }

/** What happens, as it happens, after it is durable. Nothing is replayed: subscribe first, then list. */
export const Event = Schema.Union([
  Schema.TaggedStruct("MessageSent", { ...where, message: Message }),
  /** Also: a poll's votes changed, buttons were replaced. */
  Schema.TaggedStruct("MessageEdited", { ...where, message: Message }),
  Schema.TaggedStruct("MessagesDeleted", { ...where, ids: Schema.Array(Schema.Int) }),
  Schema.TaggedStruct("Reacted", { ...where, messageId: Schema.Int, reactions: Schema.Array(Reaction) }),
  /** The bot shows an `action` ("typing", "upload_photo") until then (Unix ms), or until its next message. */
  Schema.TaggedStruct("Typing", {
    ...where,
    thread: optional(Schema.Int),
    action: Schema.String,
    until: Schema.Int
  }),
  /** A preview the bot streams, replaced by the next one of the same id, gone at `until` (Unix ms). */
  Schema.TaggedStruct("Draft", {
    ...where,
    thread: optional(Schema.Int),
    draftId: Schema.Int,
    text: Schema.String,
    entities: Schema.Array(Entity),
    /** With a button that stops it. */
    stop: optional(Schema.Boolean),
    until: Schema.Int
  }),
  Schema.TaggedStruct("CallbackAnswered", {
    ...where,
    messageId: Schema.Int,
    user: Schema.Int,
    answer: CallbackAnswer
  }),
  /** New, renamed, joined, blocked or unblocked, a topic added: read it again. */
  Schema.TaggedStruct("ChatChanged", where)
])
export type Event = typeof Event.Type

export const JournalEntry = Schema.Struct({
  seq: Schema.Int,
  /** Unix ms, the emulator's clock, when the call arrived and when it was answered */
  at: Schema.Int,
  endedAt: Schema.Int,
  bot: Schema.Int,
  method: Schema.String,
  chat: optional(Schema.Int),
  thread: optional(Schema.Int),
  /** The message that was sent or changed. */
  messageId: optional(Schema.Int),
  /** The HTTP status answered; 0 when the connection was cut instead. */
  status: Schema.Int,
  /** "ok", "refused" (by Telegram's rules), "limited" (by the rates), "fault" (by a rule of a test) */
  outcome: Schema.Literals(["ok", "refused", "limited", "fault"]),
  /** Whether the effect happened, whatever was answered. */
  processed: Schema.Boolean,
  description: optional(Schema.String),
  retryAfter: optional(Schema.Int),
  /** How many updates a getUpdates handed out. */
  updates: optional(Schema.Int)
})
export type JournalEntry = typeof JournalEntry.Type
