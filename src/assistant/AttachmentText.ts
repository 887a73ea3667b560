/** What came with a message, as Markdown: pictures shown, files linked, everything else said in a line. */
import type { Attachment, MediaFile } from "../domain/IncomingMessage.ts"
import { downloadLimit } from "../telegram/Download.ts"
import { escapeText } from "./MarkdownEscape.ts"
import type { FileState } from "./Media.ts"
import type { NoteWords } from "./NoteWords.ts"

/** By `fileUniqueId`. A file that is not in it is still to be fetched. */
export type NoteFiles = ReadonlyMap<string, FileState>

/** From a note's place, `topics/<category>/<YYYY-MM>/`, to the root of the knowledge base. */
const root = "../../.."

/** Words of people inside a line: no line of its own, nothing of it is markup. */
export const inline = (text: string): string => escapeText(text.replace(/\s+/gu, " ").trim())

const shownSize = (bytes: number, words: NoteWords): string => {
  const step = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3
  const value = bytes / 1024 ** step
  return `${step === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${words.units[step]}`
}

const shownDuration = (seconds: number): string => {
  const two = (value: number) => String(value).padStart(2, "0")
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}

const pictures = new Set([
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
  "image/svg+xml",
  "image/avif"
])

const icons = {
  Photo: "🖼",
  Video: "🎬",
  Animation: "🎞",
  Audio: "🎵",
  Voice: "🎤",
  VideoNote: "📹",
  Document: "📎"
} as const

type FileAttachment = Extract<Attachment, { readonly _tag: keyof typeof icons }>

/** What a person calls the thing: its name, its performer and title, else its kind. */
export const fileName = (attachment: FileAttachment, words: NoteWords): string => {
  const { name } = attachment.file
  if (attachment._tag === "Audio" && attachment.title !== undefined) {
    return attachment.performer === undefined
      ? attachment.title
      : `${attachment.performer} — ${attachment.title}`
  }
  return name !== undefined && name.trim() !== "" ? name : words.files[attachment._tag]
}

const details = (file: MediaFile, words: NoteWords): ReadonlyArray<string> => [
  ...(file.duration === undefined ? [] : [shownDuration(file.duration)]),
  ...(file.size === undefined ? [] : [shownSize(file.size, words)])
]

const fileLine = (attachment: FileAttachment, state: FileState, words: NoteWords): string => {
  const { file } = attachment
  const name = inline(fileName(attachment, words))
  const more = (...parts: ReadonlyArray<string>) => (parts.length === 0 ? "" : ` (${parts.join(", ")})`)
  switch (state._tag) {
    case "Stored": {
      const path = `${root}/${state.path}`
      if (attachment._tag === "Photo" || pictures.has(file.mime ?? "")) return `![${name}](${path})`
      return `${icons[attachment._tag]} [${name}](${path})${more(...details(file, words))}`
    }
    case "TooLarge": {
      const why = state.limit > downloadLimit ? words.beyond : words.tooLarge
      return `${icons[attachment._tag]} ${name}${more(...details(file, words), why(shownSize(state.limit, words)))}`
    }
    case "Refused":
      return `${icons[attachment._tag]} ${name}${more(...details(file, words), words.refused)}`
    case "Pending":
      return `${icons[attachment._tag]} ${name}${more(...details(file, words), words.pending)}`
  }
}

const mapLink = (text: string, place: { readonly latitude: number; readonly longitude: number }) => {
  const at = `${place.latitude.toFixed(5)}/${place.longitude.toFixed(5)}`
  const [latitude, longitude] = at.split("/")
  return `[${text}](https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${at})`
}

/** One attachment: a line, for a poll a line and a list. */
export const attachmentText = (attachment: Attachment, files: NoteFiles, words: NoteWords): string => {
  switch (attachment._tag) {
    case "Sticker": {
      const set = attachment.setName === undefined ? "" : ` (${inline(attachment.setName)})`
      return `${inline(attachment.emoji ?? "") || "🏷"} ${words.files.Sticker}${set}`
    }
    case "Location": {
      const text = `${attachment.latitude.toFixed(5)}, ${attachment.longitude.toFixed(5)}`
      return `📍 ${words.location}: ${mapLink(text, attachment)}`
    }
    case "Venue": {
      const address = inline(attachment.address)
      return `📍 ${mapLink(inline(attachment.title) || words.location, attachment)}${address === "" ? "" : `, ${address}`}`
    }
    case "Contact": {
      const name = inline([attachment.firstName, attachment.lastName ?? ""].join(" "))
      return `👤 ${words.contact}: ${[name, inline(attachment.phone)].filter((part) => part !== "").join(", ")}`
    }
    case "Poll":
      return [
        `📊 ${words.poll}: ${inline(attachment.question)}`,
        attachment.options.map((option) => `- ${inline(option)}`).join("\n")
      ]
        .filter((part) => part !== "")
        .join("\n\n")
    case "Dice":
      return `${inline(attachment.emoji)} ${words.dice}: ${attachment.value}`
    case "Unsupported":
      return `❔ ${words.unsupported(attachment.kinds.map(inline).join(", "))}`
    default:
      return fileLine(attachment, files.get(attachment.file.fileUniqueId) ?? { _tag: "Pending" }, words)
  }
}
