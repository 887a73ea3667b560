/**
 * The Markdown block of one message: when it came, what it answers or forwards, its text and what came with
 * it. Each block stands by itself: nothing in it reaches into the next one. Times are UTC.
 */
import type { ForwardOrigin, IncomingMessage, ReplyContext } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"
import { originName } from "../telegram/MessageDecoder.ts"
import { attachmentText, inline, type NoteFiles } from "./AttachmentText.ts"
import { markdownOf, quoted } from "./EntityMarkdown.ts"
import { linkTarget } from "./MarkdownEscape.ts"
import { type NoteWords, noteWords } from "./NoteWords.ts"

export interface BlockOptions {
  readonly language: Language
  /** Unix milliseconds of the note; a message of another day says its date. */
  readonly created: number
}

/** Beyond the years a date can have Telegram's seconds are not a time; they become the nearest one. */
const isoOf = (seconds: number): string =>
  new Date(Math.min(Math.max(seconds, 0), 253_402_300_799) * 1000).toISOString()

/** `2026-11-22 14:05` */
export const shownTime = (seconds: number): string => isoOf(seconds).slice(0, 16).replace("T", " ")

const timeLine = (seconds: number, created: number): string => {
  const time = shownTime(seconds)
  const sameDay = time.slice(0, 10) === shownTime(created / 1000).slice(0, 10)
  return `**${sameDay ? time.slice(11) : time}** UTC`
}

const linked = (text: string, url: string | undefined): string => {
  const target = url === undefined ? undefined : linkTarget(url)
  return target === undefined ? text : `[${text}](${target})`
}

const profile = (username: string | undefined) =>
  username === undefined ? undefined : `https://t.me/${username}`

/** Who or what a forward is from, linked where there is something to open. */
const originText = (origin: ForwardOrigin): string => {
  const name = inline(originName(origin))
  switch (origin._tag) {
    case "User":
      return linked(name, profile(origin.user.username))
    case "HiddenUser":
      return name
    case "Chat":
    case "Channel": {
      const link = (origin._tag === "Channel" ? origin.link : undefined) ?? profile(origin.chat.username)
      return linked(name, link) + (origin.signature === undefined ? "" : ` (${inline(origin.signature)})`)
    }
  }
}

const replyQuote = ({ author, excerpt }: ReplyContext): string => {
  const said = markdownOf({ text: excerpt.replace(/\n\s*\n/g, "\n").trim(), entities: [] })
  const who = author === undefined || author.trim() === "" ? "↩" : `↩ **${inline(author)}**:`
  return quoted(said === "" ? who : `${who}  \n${said}`)
}

const content = (message: IncomingMessage, files: NoteFiles, words: NoteWords): ReadonlyArray<string> => {
  const parts = message.attachments.map((attachment) => attachmentText(attachment, files, words))
  const text = markdownOf(message.text)
  if (text.trim() !== "") parts.push(text)
  return parts.length === 0 ? [`*${words.emptyMessage}*`] : parts
}

export const blockOf = (message: IncomingMessage, files: NoteFiles, options: BlockOptions): string => {
  const words = noteWords[options.language]
  const parts = [timeLine(message.date, options.created)]
  if (message.replyTo !== undefined) parts.push(replyQuote(message.replyTo))
  const said = content(message, files, words)
  if (message.origin === undefined) parts.push(...said)
  else {
    const from = words.forwarded(originText(message.origin), `${shownTime(message.origin.date)} UTC`)
    parts.push(quoted([from, ...said].join("\n\n")))
  }
  return parts.join("\n\n")
}
