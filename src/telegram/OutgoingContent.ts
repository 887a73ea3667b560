/** What a bot can put into a chat. Small and serialisable: files are named, their bytes stay where they are. */
import { Schema } from "effect"
import { FormattedText } from "../domain/FormattedText.ts"
import { BlobHash } from "../domain/Ids.ts"

/** A button under a message. `data` at most 64 bytes of UTF-8 (Bot API). */
export const Button = Schema.Struct({
  text: Schema.String,
  data: Schema.String.check(
    Schema.makeFilter((data: string) =>
      Buffer.byteLength(data) <= 64 && data.length > 0 ? undefined : "callback data takes 1 to 64 bytes"
    )
  )
})
export type Button = typeof Button.Type

/** A file kept for the tenant, by the hash of its bytes, or one Telegram knows already. */
export const OutgoingFile = Schema.Union([
  Schema.TaggedStruct("Blob", {
    hash: BlobHash,
    /** With the extension people's programs open it by. */
    name: Schema.String,
    mime: Schema.optionalKey(Schema.String)
  }),
  Schema.TaggedStruct("FileId", { fileId: Schema.String })
])
export type OutgoingFile = typeof OutgoingFile.Type

const buttons = Schema.optionalKey(Schema.Array(Schema.Array(Button)))
/** At most 1,024 UTF-16 units. */
const caption = Schema.optionalKey(FormattedText)

/** `text` is 1 to 4,096 UTF-16 units: longer text is split before it gets here. */
export const TextContent = Schema.TaggedStruct("Text", {
  text: FormattedText,
  buttons,
  /** Only `true` shows one: a preview fetches the link, and with it whatever somebody put into it. */
  linkPreview: Schema.optionalKey(Schema.Boolean)
})
export type TextContent = typeof TextContent.Type

/**
 * What was written in Markdown: a rich message where the server takes those, else text with entities. Link
 * previews stay off either way.
 */
export const RichContent = Schema.TaggedStruct("Rich", { markdown: Schema.String, buttons })
export type RichContent = typeof RichContent.Type

/** Several messages in order, where one does not hold it. */
export const PartsContent = Schema.TaggedStruct("Parts", { parts: Schema.NonEmptyArray(TextContent) })
export type PartsContent = typeof PartsContent.Type

/** At most 10 MB; Telegram makes it smaller. As it is, a picture goes as a document. */
export const PhotoContent = Schema.TaggedStruct("Photo", { file: OutgoingFile, caption, buttons })
export type PhotoContent = typeof PhotoContent.Type

/** At most 50 MB. */
export const DocumentContent = Schema.TaggedStruct("Document", { file: OutgoingFile, caption, buttons })
export type DocumentContent = typeof DocumentContent.Type

export const AlbumItem = Schema.Union([
  Schema.TaggedStruct("Photo", { file: OutgoingFile, caption }),
  Schema.TaggedStruct("Document", { file: OutgoingFile, caption })
])
export type AlbumItem = typeof AlbumItem.Type

/** 2 to 10 items of one kind. Telegram puts no buttons under an album. */
export const AlbumContent = Schema.TaggedStruct("Album", { items: Schema.Array(AlbumItem) })
export type AlbumContent = typeof AlbumContent.Type

/** Degrees. */
export const LocationContent = Schema.TaggedStruct("Location", {
  latitude: Schema.Finite,
  longitude: Schema.Finite,
  buttons
})
export type LocationContent = typeof LocationContent.Type

export const OutgoingContent = Schema.Union([
  TextContent,
  RichContent,
  PartsContent,
  PhotoContent,
  DocumentContent,
  AlbumContent,
  LocationContent
])
export type OutgoingContent = typeof OutgoingContent.Type

/** The files of a content, in order. */
export const filesOf = (content: OutgoingContent): ReadonlyArray<OutgoingFile> => {
  switch (content._tag) {
    case "Photo":
    case "Document":
      return [content.file]
    case "Album":
      return content.items.map(({ file }) => file)
    case "Text":
    case "Rich":
    case "Parts":
    case "Location":
      return []
  }
}
