/** What Telegram takes, checked before anything is sent. Pure. Source: Bot API, the methods named below. */
import type { FormattedText } from "../domain/FormattedText.ts"
import type { BlobHash } from "../domain/Ids.ts"
import { Refused, TooLarge } from "./BotError.ts"
import { entitiesOf } from "./BotPayload.ts"
import type { AlbumItem, Button, OutgoingContent, OutgoingFile, TextContent } from "./OutgoingContent.ts"
import { isBlank } from "./richtext/Runs.ts"

const megabyte = 1024 * 1024

export const contentLimits = {
  /** UTF-16 units. Source: sendMessage. */
  text: 4_096,
  /** UTF-16 units. Source: sendPhoto, sendDocument. */
  caption: 1_024,
  /** A message. Source: "Formatting options". */
  entities: 100,
  /** Bytes. Source: "Sending files". */
  photo: 10 * megabyte,
  document: 50 * megabyte,
  /** Items. Source: sendMediaGroup. */
  album: { least: 2, most: 10 },
  /** Bytes of UTF-8. Source: InlineKeyboardButton. */
  callbackData: 64
} as const

export type Problem = TooLarge | Refused

const within = (what: string, size: number, limit: number, unit: string): ReadonlyArray<Problem> =>
  size > limit ? [new TooLarge({ what, size, limit, unit })] : []

const refused = (method: string, reason: string): ReadonlyArray<Problem> => [
  new Refused({ method, code: 400, reason })
]

/** The size of a kept file in bytes; absent: it is not kept. */
export type Sizes = ReadonlyMap<BlobHash, number>

const ofFile = (
  method: string,
  file: OutgoingFile,
  kind: "Photo" | "Document",
  sizes: Sizes
): ReadonlyArray<Problem> => {
  if (file._tag === "FileId") return file.fileId === "" ? refused(method, "the file id is empty") : []
  const size = sizes.get(file.hash)
  if (size === undefined)
    return [new Refused({ method, code: 404, reason: `the file ${file.hash.slice(0, 12)} is not kept` })]
  if (size === 0) return refused(method, "the file is empty")
  return kind === "Photo"
    ? within("The photo", size, contentLimits.photo, "bytes")
    : within("The document", size, contentLimits.document, "bytes")
}

const ofEntities = (text: FormattedText) =>
  within("The formatting", entitiesOf(text).entities?.length ?? 0, contentLimits.entities, "entities")

const ofText = (method: string, { text, buttons }: TextContent): ReadonlyArray<Problem> => [
  ...within("The text", text.text.length, contentLimits.text, "UTF-16 units"),
  ...ofEntities(text),
  ...(isBlank(text.text) ? refused(method, "the text is empty") : []),
  ...ofButtons(method, buttons)
]

const ofCaption = (caption: FormattedText | undefined): ReadonlyArray<Problem> =>
  caption === undefined
    ? []
    : [
        ...within("The caption", caption.text.length, contentLimits.caption, "UTF-16 units"),
        ...ofEntities(caption)
      ]

const ofButtons = (method: string, buttons: ReadonlyArray<ReadonlyArray<Button>> | undefined) =>
  (buttons ?? [])
    .flat()
    .flatMap(({ text, data }) => [
      ...(text.trim() === "" ? refused(method, "a button has no text") : []),
      ...(data === "" ? refused(method, `the button ${text} has no data`) : []),
      ...within(
        `The data of the button ${text}`,
        Buffer.byteLength(data),
        contentLimits.callbackData,
        "bytes"
      )
    ])

const ofAlbum = (method: string, items: ReadonlyArray<AlbumItem>, sizes: Sizes) => {
  const { least, most } = contentLimits.album
  if (items.length < least)
    return refused(method, `an album takes ${least} to ${most} items, this one has ${items.length}`)
  const kinds = new Set(items.map(({ _tag }) => _tag))
  return [
    ...within("The album", items.length, most, "items"),
    ...(kinds.size > 1 ? refused(method, "an album holds photos or documents, not both") : []),
    ...items.flatMap(({ _tag, file, caption }) => [
      ...ofFile(method, file, _tag, sizes),
      ...ofCaption(caption)
    ])
  ]
}

/** What of `content` Telegram would not take; nothing when it would take it. */
export const problemsOf = (
  method: string,
  content: OutgoingContent,
  sizes: Sizes
): ReadonlyArray<Problem> => {
  switch (content._tag) {
    case "Text":
      return ofText(method, content)
    case "Rich":
      return ofButtons(method, content.buttons)
    case "Parts":
      return content.parts.flatMap((part) => ofText(method, part))
    case "Photo":
    case "Document":
      return [
        ...ofFile(method, content.file, content._tag, sizes),
        ...ofCaption(content.caption),
        ...ofButtons(method, content.buttons)
      ]
    case "Album":
      return ofAlbum(method, content.items, sizes)
    case "Location":
      return [
        ...(Math.abs(content.latitude) > 90 || Math.abs(content.longitude) > 180
          ? refused(method, "a latitude is -90 to 90 degrees, a longitude -180 to 180")
          : []),
        ...ofButtons(method, content.buttons)
      ]
  }
}
