/** What a note is called and where it belongs, told from its messages without understanding them. */

import type { FormattedText } from "../domain/FormattedText.ts"
import type { Attachment, IncomingMessage } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"
import { fileName } from "./AttachmentText.ts"
import { rangeOf } from "./InlineSpans.ts"
import { shownTime } from "./NoteText.ts"
import { noteWords } from "./NoteWords.ts"

const longest = 80

/** A hashtag holds at least one letter (Telegram); not the `#part` of an address or an entity. */
const hashtag = /(?<![\p{L}\p{N}\p{M}_&/#@])#([\p{N}\p{M}_]*\p{L}[\p{L}\p{N}\p{M}_]*)/gu

const noTagsInside = new Set(["url", "text_link", "code", "pre", "email", "mention"])

const tagsIn = ({ text, entities }: FormattedText): ReadonlyArray<string> => {
  const closed = entities.filter(({ type }) => noTagsInside.has(type)).map((entity) => rangeOf(text, entity))
  const marked = entities
    .filter(({ type }) => type === "hashtag")
    .map((entity) => {
      const { start, end } = rangeOf(text, entity)
      // `#tag@channel` names the channel the tag is to be looked up in.
      return { start, tag: text.slice(start, end).replace(/^#+/, "").replace(/@.*$/s, "") }
    })
  const found = [...text.matchAll(hashtag)]
    .map((match) => ({ start: match.index, tag: match[1]! }))
    .filter(({ start }) => !closed.some((range) => range.start <= start && start < range.end))
    .filter(({ start }) => !marked.some((one) => one.start === start))
  return [...marked, ...found]
    .sort((a, b) => a.start - b.start)
    .map(({ tag }) => tag.normalize("NFC").toLowerCase().trim())
    .filter((tag) => tag !== "")
}

/** All hashtags in order, each once, lower case, without `#`. */
export const tagsOf = (messages: ReadonlyArray<IncomingMessage>): ReadonlyArray<string> => [
  ...new Set(messages.flatMap(({ text }) => tagsIn(text)))
]

/** The first hashtag, else `inbox`. */
export const categoryOf = (messages: ReadonlyArray<IncomingMessage>): string => tagsOf(messages)[0] ?? "inbox"

/** At most 80 characters, cut between words where there is a gap in the second half. */
const shortened = (text: string): string => {
  const characters = [...text]
  if (characters.length <= longest) return text
  const start = characters.slice(0, longest - 1).join("")
  const whole = /\s/.test(characters[longest - 1]!) ? start : start.replace(/\s+\S*$/u, "")
  const kept = whole.length >= start.length / 2 ? whole : start
  return `${kept.replace(/[\s,;:.–—-]+$/u, "")}…`
}

/** The words of a line somebody wrote in Markdown, or as plain text that looks like it. */
const withoutMarkup = (line: string): string =>
  line
    .replace(/^\s*(?:#{1,6}\s+|>\s*|[-*+•]\s+(?:\[[ xX]\]\s+)?|\d{1,3}[.)]\s+)+/u, "")
    .replace(/!?\[([^\]]*)\]\([^)\s]*\)/g, "$1")
    .replace(/(\*\*|__|~~|\|\|)(?=\S)(.+?)(?<=\S)\1/g, "$2")
    .replace(/(?<![\w*])[*_](?=\S)([^*_]+?)(?<=\S)[*_](?![\w*])/g, "$1")
    .replace(/`+/g, "")
    .replace(/\s+/gu, " ")
    .trim()

/** Tags around the words are not part of what they say; tags inside a sentence are words of it. */
const withoutTags = (line: string): string =>
  line
    .replace(/^(?:#[\p{L}\p{N}\p{M}_@]+\s*)+/u, "")
    .replace(/(?:\s*#[\p{L}\p{N}\p{M}_@]+)+$/u, "")
    .replace(/(^|\s)#(?=[\p{L}\p{N}_])/gu, "$1")
    .trim()

/** Ends of sentences that are none: "Dr. Smith", "т. е. так". */
const abbreviation =
  /(?:^|\s)(?:dr|mr|mrs|ms|prof|st|vs|etc|e\.g|i\.e|jr|sr|inc|ltd|т\.?\s?е|т\.?\s?д|т\.?\s?п|г|гг|ул|им|стр|см|руб|тыс|\p{L})\.$/iu

/** Costly to make. The rules for where a sentence ends are the same in every language we meet. */
const sentences = new Intl.Segmenter("en", { granularity: "sentence" })

const firstSentence = (line: string): string => {
  let sentence = ""
  for (const { segment } of sentences.segment(line)) {
    sentence += segment
    if (!abbreviation.test(sentence.trimEnd())) break
  }
  return sentence.trim()
}

/** A title out of a text: its first line that says something, as far as its first sentence goes. */
export const titleIn = (text: string): string | undefined => {
  // Telegram allows 4,096; a title never needs more, whatever came.
  const lines = text.slice(0, 4096).toWellFormed().split(/\r?\n/)
  for (const line of lines) {
    const isHeading = /^\s*#{1,6}\s/.test(line)
    const words = withoutTags(withoutMarkup(line.slice(0, 1000)))
    const title = (isHeading ? words : firstSentence(words))
      .replace(/^https?:\/\/(?:www\.)?/i, "")
      .replace(/[.:;,]+$/, "")
    if (/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(title)) return shortened(title)
  }
  const tag = /#([\p{L}\p{N}\p{M}_]+)/u.exec(text)?.[1]
  return tag === undefined ? undefined : shortened(tag)
}

const attachmentTitle = (attachment: Attachment, language: Language): string | undefined => {
  const words = noteWords[language]
  switch (attachment._tag) {
    case "Venue":
      return attachment.title
    case "Location":
      return words.location
    case "Contact":
      return `${words.contact}: ${[attachment.firstName, attachment.lastName ?? ""].join(" ").trim() || attachment.phone}`
    case "Poll":
      return attachment.question
    case "Dice":
      return `${words.dice} ${attachment.value}`
    case "Unsupported":
      return undefined
    case "Sticker":
      return `${words.files.Sticker} ${attachment.emoji ?? ""}`
    default: {
      const name = fileName(attachment, words)
      return name === words.files[attachment._tag] ? undefined : name
    }
  }
}

/** `Photo 2026-11-22 14:05`: what it is and when it came. */
const plainTitle = (message: IncomingMessage, language: Language): string => {
  const words = noteWords[language]
  const first = message.attachments[0]
  const kind = first !== undefined && "file" in first ? words.files[first._tag] : words.message
  return `${kind} ${shownTime(message.date)}`
}

/** The first heading or sentence; without words the name of what came, else its kind and date. */
export const titleOf = (messages: ReadonlyArray<IncomingMessage>, language: Language): string => {
  for (const { text } of messages) {
    const title = titleIn(text.text)
    if (title !== undefined) return title
  }
  for (const { attachments } of messages) {
    for (const attachment of attachments) {
      const title = attachmentTitle(attachment, language)?.replace(/\s+/gu, " ").trim() ?? ""
      if (title !== "") return shortened(title)
    }
  }
  return messages[0] === undefined ? noteWords[language].message : plainTitle(messages[0], language)
}
