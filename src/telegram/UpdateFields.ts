/**
 * The small parts of an update: people, chats, files, text with entities. Each reader gives `undefined` for
 * what it cannot read, so that one odd field never costs the message it came with.
 */
import { Option, Schema, SchemaTransformation } from "effect"
import type { FormattedText, TextEntity } from "../domain/FormattedText.ts"
import { ChatId, ThreadId, UserId } from "../domain/Ids.ts"
import { type Chat, ChatKind, type MediaFile, type Sender } from "../domain/IncomingMessage.ts"

export const reader = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (value: unknown): S["Type"] | undefined =>
    value === undefined || value === null ? undefined : Option.getOrUndefined(decode(value))
}

/** PostgreSQL's text can hold neither NUL nor half a surrogate pair. The length stays: offsets still fit. */
export const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")

const Text = Schema.String.pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform({ decode: storable, encode: (text: string) => text })
  )
)

type Present<A> = { [K in keyof A as undefined extends A[K] ? never : K]: A[K] } & {
  [K in keyof A as undefined extends A[K] ? K : never]?: Exclude<A[K], undefined>
}

/** Leaves out the keys without a value: an optional key is absent, never `undefined`. */
export const present = <A extends object>(fields: A): Present<A> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<A>

export type Raw = { readonly [field: string]: unknown }

export const readRecord = (value: unknown): Raw | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : undefined
export const readList = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
export const readText = reader(Text)
export const readInt = reader(Schema.Int)
export const readSize = reader(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))
export const readNumber = reader(Schema.Finite)

const readKind = reader(ChatKind)
const readThreadId = reader(ThreadId)

export const readUser = (value: unknown): Sender | undefined => {
  const raw = readRecord(value)
  const id = readInt(raw?.id)
  if (raw === undefined || id === undefined) return undefined
  const username = readText(raw.username)
  const name = [readText(raw.first_name), readText(raw.last_name)].filter((part) => part?.trim()).join(" ")
  return present({
    id,
    kind: raw.is_bot === true ? ("bot" as const) : ("user" as const),
    name: name !== "" ? name : (username ?? String(id)),
    username,
    language: readText(raw.language_code)
  })
}

export const readChat = (value: unknown): Chat | undefined => {
  const raw = readRecord(value)
  const id = readInt(raw?.id)
  const kind = readKind(raw?.type)
  if (raw === undefined || id === undefined || kind === undefined) return undefined
  return present({
    id: ChatId.make(id),
    kind,
    title: readText(raw.title),
    username: readText(raw.username)
  })
}

/** A chat that speaks for itself: a channel, an anonymous administrator. */
export const chatAsSender = (chat: Chat): Sender =>
  present({
    id: chat.id,
    kind: "chat" as const,
    name: chat.title ?? chat.username ?? String(chat.id),
    username: chat.username
  })

/**
 * A forum topic. In groups without topics `message_thread_id` only names a thread of replies, and General
 * is 1 on the way in but refused on the way out: both are no topic at all.
 */
export const readThread = (message: Raw): ThreadId | undefined => {
  const thread = message.is_topic_message === true ? readThreadId(message.message_thread_id) : undefined
  return thread === 1 ? undefined : thread
}

/** Entities as far as they lie inside the text: the rest of them is cut off, or they are left out. */
export const readEntities = (text: string, value: unknown): ReadonlyArray<TextEntity> => {
  const entities: Array<TextEntity> = []
  for (const item of readList(value)) {
    const raw = readRecord(item)
    const type = readText(raw?.type)
    const from = readInt(raw?.offset)
    const long = readInt(raw?.length)
    if (raw === undefined || type === undefined || from === undefined || long === undefined) continue
    const offset = Math.max(0, from)
    const length = Math.min(text.length, from + long) - offset
    if (length <= 0) continue
    const userId = readInt(readRecord(raw.user)?.id)
    entities.push(
      present({
        type,
        offset,
        length,
        url: readText(raw.url),
        language: readText(raw.language),
        userId: userId === undefined ? undefined : UserId.make(userId),
        customEmojiId: readText(raw.custom_emoji_id)
      })
    )
  }
  return entities
}

export const readFormatted = (text: unknown, entities: unknown): FormattedText | undefined => {
  const plain = readText(text)
  return plain === undefined ? undefined : { text: plain, entities: readEntities(plain, entities) }
}

export const readFile = (value: unknown): MediaFile | undefined => {
  const raw = readRecord(value)
  const fileId = readText(raw?.file_id)
  if (raw === undefined || fileId === undefined || fileId === "") return undefined
  return present({
    fileId,
    fileUniqueId: readText(raw.file_unique_id) ?? fileId,
    size: readSize(raw.file_size),
    name: readText(raw.file_name),
    mime: readText(raw.mime_type),
    width: readSize(raw.width),
    height: readSize(raw.height),
    duration: readSize(raw.duration)
  })
}

/** Of the sizes of a photo the one with the most pixels. */
export const readPhoto = (value: unknown): MediaFile | undefined => {
  const pixels = (file: MediaFile) => (file.width ?? 0) * (file.height ?? 0)
  return readList(value)
    .map(readFile)
    .reduce(
      (best, file) =>
        file !== undefined && (best === undefined || pixels(file) > pixels(best)) ? file : best,
      undefined
    )
}
