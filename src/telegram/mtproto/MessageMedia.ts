/** What a message of an account carries, as the attachments a bot's message would have. */
import type { Message } from "@mtcute/core"
import type { Attachment, MediaFile } from "../../domain/IncomingMessage.ts"
import { present, storable } from "../UpdateFields.ts"
import { fileIdOf } from "./FileHandle.ts"

type Media = NonNullable<Message["media"]>
type DocumentMedia = Extract<Media, { readonly inputDocument: unknown }>
type PhotoMedia = Extract<Media, { readonly type: "photo" }>

const documentFile = (media: DocumentMedia, more: Partial<MediaFile> = {}): MediaFile => ({
  ...present({
    fileId: fileIdOf({
      kind: "document",
      dc: media.raw.dcId,
      id: media.raw.id.toString(),
      hash: media.raw.accessHash.toString(),
      reference: media.raw.fileReference,
      size: ""
    }),
    fileUniqueId: media.uniqueFileId,
    size: media.raw.size,
    name: media.fileName === null ? undefined : storable(media.fileName),
    mime: media.mimeType
  }),
  ...more
})

const photoFile = (media: PhotoMedia): MediaFile =>
  present({
    fileId: fileIdOf({
      kind: "photo",
      dc: media.raw.dcId,
      id: media.raw.id.toString(),
      hash: media.raw.accessHash.toString(),
      reference: media.raw.fileReference,
      size: "thumbSize" in media.location ? String(media.location.thumbSize) : ""
    }),
    fileUniqueId: media.uniqueFileId,
    size: media.fileSize,
    width: media.width,
    height: media.height
  })

/** A preview of a link in the text is no attachment. */
export const attachmentsOf = (media: Message["media"]): ReadonlyArray<Attachment> => {
  if (media === null) return []
  switch (media.type) {
    case "webpage":
      return []
    case "photo":
      return [{ _tag: "Photo", file: photoFile(media) }]
    case "video": {
      const file = documentFile(media, {
        width: media.width,
        height: media.height,
        duration: Math.round(media.duration)
      })
      return [{ _tag: media.isRound ? "VideoNote" : media.isAnimation ? "Animation" : "Video", file }]
    }
    case "audio":
      return [
        present({
          _tag: "Audio" as const,
          file: documentFile(media, { duration: Math.round(media.duration) }),
          performer: media.performer === null ? undefined : storable(media.performer),
          title: media.title === null ? undefined : storable(media.title)
        })
      ]
    case "voice":
      return [{ _tag: "Voice", file: documentFile(media, { duration: Math.round(media.duration) }) }]
    case "sticker":
      return [{ _tag: "Sticker", file: documentFile(media), emoji: media.emoji }]
    case "document":
      return [{ _tag: "Document", file: documentFile(media) }]
    case "location":
    case "live_location":
      return [{ _tag: "Location", latitude: media.latitude, longitude: media.longitude }]
    case "venue": {
      const { latitude, longitude } = media.location
      return [
        { _tag: "Venue", latitude, longitude, title: storable(media.title), address: storable(media.address) }
      ]
    }
    case "contact":
      return [
        present({
          _tag: "Contact" as const,
          phone: media.phoneNumber,
          firstName: storable(media.firstName),
          lastName: media.lastName === "" ? undefined : storable(media.lastName)
        })
      ]
    case "poll":
      return [
        {
          _tag: "Poll",
          question: storable(media.question),
          options: media.answers.map(({ text }) => storable(text))
        }
      ]
    case "dice":
      return [{ _tag: "Dice", emoji: media.emoji, value: media.value }]
    default:
      return [{ _tag: "Unsupported", kinds: [media.type] }]
  }
}
