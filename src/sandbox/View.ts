/**
 * From the Bot API's JSON to what a person sees: one pure translation, used for every page and event.
 */
import type { Message as AnyMessage, Chat as ApiChat, User as ApiUser, MessageOrigin } from "grammy/types"
import { type EntityInput, toView } from "./Entities.ts"
import { plainText, type RichBlock } from "./RichMessage.ts"
import type { Button, Chat, Media, MediaKind, Message, Origin, Reaction, Reply, User } from "./Views.ts"
import type { ApiMessage, ChatRow, MessageRow, Reactions } from "./World.ts"

const given = <K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }

export const userView = (user: ApiUser): User => ({
  id: user.id,
  isBot: user.is_bot,
  firstName: user.first_name,
  ...given("lastName", user.last_name),
  ...given("username", user.username),
  ...given("language", user.language_code)
})

export const chatView = (row: ChatRow, last: number | null): Chat => ({
  bot: row.bot,
  id: row.id,
  kind: row.kind,
  title: row.title,
  forum: row.forum,
  blocked: row.blocked,
  members: row.members,
  topics: row.topics,
  ...given("lastMessageId", last ?? undefined)
})

export const fullName = (user: { first_name: string; last_name?: string | undefined }): string =>
  user.last_name === undefined ? user.first_name : `${user.first_name} ${user.last_name}`

const chatTitle = (chat: ApiChat): string =>
  chat.title ?? (chat.first_name === undefined ? "" : fullName({ ...chat, first_name: chat.first_name }))

const origin = (from: MessageOrigin): Origin => {
  const { date } = from
  if (from.type === "user") {
    return {
      kind: "user",
      date,
      name: fullName(from.sender_user),
      ...given("username", from.sender_user.username)
    }
  }
  if (from.type === "hidden_user") return { kind: "hidden_user", date, name: from.sender_user_name }
  const chat: ApiChat = from.type === "chat" ? from.sender_chat : from.chat
  const username = chat.username
  return {
    kind: from.type,
    date,
    name: chatTitle(chat),
    ...given("username", username),
    ...given("signature", from.author_signature),
    ...(from.type === "channel" && username !== undefined
      ? { link: `https://t.me/${username}/${from.message_id}` }
      : {})
  }
}

interface ApiFile {
  readonly file_id: string
  readonly file_size?: number
  readonly file_name?: string
  readonly mime_type?: string
  readonly width?: number
  readonly height?: number
  readonly length?: number
  readonly duration?: number
  readonly emoji?: string
  readonly title?: string
  readonly performer?: string
}

/** An animation also comes as a document, so it is looked for first. */
const kinds: ReadonlyArray<MediaKind> = [
  "photo",
  "animation",
  "document",
  "voice",
  "video",
  "audio",
  "video_note",
  "sticker"
]

type Content = Omit<AnyMessage, "reply_to_message">

/** The file of a message and what kind it is. */
export const fileOf = (
  message: Content
): { readonly kind: MediaKind; readonly file: ApiFile } | undefined => {
  const kind = kinds.find((each) => message[each] !== undefined)
  if (kind === undefined) return undefined
  const file = kind === "photo" ? message.photo?.at(-1) : message[kind]
  return file === undefined ? undefined : { kind, file: file as ApiFile }
}

const media = (message: ApiMessage, apiRoot: string): Media | undefined => {
  const found = fileOf(message)
  if (found === undefined) return undefined
  const { kind, file } = found
  return {
    kind,
    fileId: file.file_id,
    url: `${apiRoot}/control/file/${file.file_id}`,
    size: file.file_size ?? 0,
    ...given("name", file.file_name),
    ...given("mime", file.mime_type ?? (kind === "photo" ? "image/jpeg" : undefined)),
    ...given("width", file.width ?? file.length),
    ...given("height", file.height ?? file.length),
    ...given("duration", file.duration),
    ...given("emoji", file.emoji),
    ...given("title", file.title),
    ...given("performer", file.performer)
  }
}

const richShown = (message: Content): ReadonlyArray<RichBlock> | undefined =>
  message.rich_message?.blocks as unknown as ReadonlyArray<RichBlock> | undefined

const textShown = (message: Content): string =>
  message.text ?? message.caption ?? plainText(richShown(message) ?? [])

const reply = (to: Content): Reply => ({
  messageId: to.message_id,
  author: to.from === undefined ? "" : fullName(to.from),
  excerpt: (textShown(to) || (fileOf(to)?.kind ?? "")).slice(0, 200)
})

const buttons = (message: ApiMessage): ReadonlyArray<ReadonlyArray<Button>> =>
  (message.reply_markup?.inline_keyboard ?? []).map((row) =>
    row.map((button) => ({
      text: button.text,
      ...("callback_data" in button ? { data: button.callback_data } : {}),
      ...("url" in button ? { url: button.url } : {})
    }))
  )

export const reactionsView = (reactions: Reactions): ReadonlyArray<Reaction> => {
  const by = new Map<string, Array<number>>()
  for (const [user, emoji] of Object.entries(reactions)) {
    for (const each of emoji) by.set(each, [...(by.get(each) ?? []), Number(user)])
  }
  return [...by].map(([emoji, users]) => ({ emoji, by: users }))
}

const services = ["forum_topic_created", "new_chat_members", "left_chat_member", "new_chat_title"] as const

export const messageView = (bot: number, { message, reactions }: MessageRow, apiRoot: string): Message => {
  const { poll, location, venue, contact, dice } = message
  const place = venue?.location ?? location
  return {
    bot,
    chat: message.chat.id,
    id: message.message_id,
    ...given("thread", message.message_thread_id),
    from: userView(message.from),
    date: message.date,
    ...given("editDate", message.edit_date),
    ...given("albumId", message.media_group_id),
    text: textShown(message),
    entities: toView((message.entities ?? message.caption_entities ?? []) as ReadonlyArray<EntityInput>),
    ...given("rich", richShown(message)),
    ...given("media", media(message, apiRoot)),
    ...given(
      "location",
      place === undefined
        ? undefined
        : {
            latitude: place.latitude,
            longitude: place.longitude,
            ...given("title", venue?.title),
            ...given("address", venue?.address)
          }
    ),
    ...given(
      "contact",
      contact === undefined
        ? undefined
        : {
            phone: contact.phone_number,
            firstName: contact.first_name,
            ...given("lastName", contact.last_name)
          }
    ),
    ...given(
      "poll",
      poll === undefined
        ? undefined
        : {
            id: poll.id,
            question: poll.question,
            options: poll.options.map((option) => ({ text: option.text, votes: option.voter_count })),
            anonymous: poll.is_anonymous,
            multiple: poll.allows_multiple_answers,
            closed: poll.is_closed
          }
    ),
    ...given("dice", dice === undefined ? undefined : { emoji: dice.emoji, value: dice.value }),
    ...given(
      "service",
      services.find((each) => message[each] !== undefined)
    ),
    ...given("origin", message.forward_origin === undefined ? undefined : origin(message.forward_origin)),
    ...given("reply", message.reply_to_message === undefined ? undefined : reply(message.reply_to_message)),
    buttons: buttons(message),
    reactions: reactionsView(reactions)
  }
}
