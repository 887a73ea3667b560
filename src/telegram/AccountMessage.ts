/**
 * A message of a person's own account as an update that is stored beside those of bots: worded as if the person had
 * forwarded it, and named so that it is the same however often it is told. Pure.
 */
import { createHash } from "node:crypto"
import { Option, Schema } from "effect"
import { BlobHash, UpdateId } from "../domain/Ids.ts"
import {
  type Attachment,
  type ForwardOrigin,
  IncomingMessage,
  type IncomingUpdate,
  type Sender
} from "../domain/IncomingMessage.ts"
import { channelLink } from "./MessageDecoder.ts"
import { present, readRecord } from "./UpdateFields.ts"

/** The field that holds it; Telegram gives bots none of this name. */
const field = "account_message"

const Content = Schema.Struct({ edited: Schema.Boolean, message: IncomingMessage })
const encode = Schema.encodeSync(Content)
const decode = Schema.decodeUnknownOption(Content)

/** 52 bits of a SHA-256. Message ids are numbered anew in each channel; an edit is known by when it was made. */
const updateIdFor = ({ chat, messageId, editDate }: IncomingMessage, edited: boolean): UpdateId => {
  const name = edited ? `${chat.id}/${messageId}/${editDate ?? 0}` : `${chat.id}/${messageId}`
  const digest = createHash("sha256").update(name).digest()
  return UpdateId.make(Number(digest.readBigUInt64BE() >> 12n))
}

/** What is stored of it. */
export const accountUpdate = (message: IncomingMessage, edited: boolean) => ({
  update_id: updateIdFor(message, edited),
  [field]: encode({ edited, message })
})

/** Nobody wrote it to a bot, so nobody waits for an answer to it. */
export const isOfAccount = (raw: unknown): boolean => readRecord(raw)?.[field] !== undefined

/** `undefined` for what is none. */
export const readAccountUpdate = (updateId: UpdateId, raw: unknown): IncomingUpdate | undefined => {
  const content = Option.getOrUndefined(decode(readRecord(raw)?.[field]))
  if (content === undefined) return undefined
  return { _tag: content.edited ? "EditedMessage" : "Message", updateId, message: content.message }
}

const originOf = ({ chat, date, messageId, sender }: IncomingMessage): ForwardOrigin => {
  if (chat.kind === "channel")
    return present({ _tag: "Channel" as const, date, chat, messageId, link: channelLink(chat, messageId) })
  return sender.kind === "chat" ? { _tag: "Chat", date, chat } : { _tag: "User", date, user: sender }
}

/** As `owner`, whose account it is, would have forwarded it. What they wrote themselves is theirs as it is. */
export const asForwarded = (message: IncomingMessage, owner: Sender): IncomingMessage => {
  const origin = message.origin ?? (message.sender.id === owner.id ? undefined : originOf(message))
  return new IncomingMessage(present({ ...message, sender: owner, origin }))
}

/** What came of a file that was fetched before its message was handed on. Sizes in bytes. */
export const FetchedFile = Schema.Union([
  Schema.TaggedStruct("Stored", { blob: BlobHash }),
  Schema.TaggedStruct("TooLarge", { limit: Schema.Int }),
  Schema.TaggedStruct("Refused", { reason: Schema.String })
])
export type FetchedFile = typeof FetchedFile.Type

const prefix = "fetched:"
const FetchedText = Schema.fromJsonString(FetchedFile)
const encodeFetched = Schema.encodeSync(FetchedText)
const decodeFetched = Schema.decodeUnknownOption(FetchedText)

/** `undefined`: the file is still where Telegram has it. */
export const fetchedOf = (fileId: string): FetchedFile | undefined =>
  fileId.startsWith(prefix) ? Option.getOrUndefined(decodeFetched(fileId.slice(prefix.length))) : undefined

/** The message with its files where they are now. `fetched`: by `fileUniqueId`. */
export const withFetched = (
  message: IncomingMessage,
  fetched: ReadonlyMap<string, FetchedFile>
): IncomingMessage => {
  const settled = (attachment: Attachment): Attachment => {
    if (!("file" in attachment)) return attachment
    const file = fetched.get(attachment.file.fileUniqueId)
    if (file === undefined) return attachment
    return { ...attachment, file: { ...attachment.file, fileId: prefix + encodeFetched(file) } }
  }
  return new IncomingMessage({ ...message, attachments: message.attachments.map(settled) })
}
