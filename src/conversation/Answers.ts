/**
 * What a person is told as outbox entries: in messages while that is few of them, else as a document with a
 * summary. The one place that decides it. Pure.
 */
import { markdownOf } from "../assistant/EntityMarkdown.ts"
import { titleIn } from "../assistant/NoteTitle.ts"
import { bold, compose, type FormattedText, plain } from "../domain/FormattedText.ts"
import type { Language } from "../domain/Language.ts"
import { hashOf } from "../knowledge/Blobs.ts"
import { slugOf } from "../knowledge/NotePath.ts"
import type { OutgoingContent, RichContent, TextContent } from "../telegram/BotPort.ts"
import type { OutboxAction, OutboxEntry } from "../telegram/Outbox.ts"
import { fromMarkdown, split } from "../telegram/RichText.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

/** A file a text is sent as when a chat is no place to read it. */
export interface AnswerFile {
  readonly name: string
  readonly title: string
  readonly bytes: Uint8Array
}

/** `file`: what stands for a long one; absent, it is made of the text. */
export interface Saying {
  readonly content: OutgoingContent
  readonly file?: AnswerFile
}

/** `files` are to be kept before the contents, which name them, are sent. */
export interface Told {
  readonly contents: ReadonlyArray<OutgoingContent>
  readonly files: ReadonlyArray<Uint8Array>
}

/** More messages than that nobody reads in a chat. */
const mostParts = 5

/** Marks and addresses are not shown, but no five messages have so much of them; somebody's megabytes are not read. */
export const longestMarkdown = 50_000

/** UTF-16 units. The title, the size and a summary of so much are a caption. */
const longestTitle = 200
const longestSummary = 600
/** Of Markdown, enough to sum it up. */
const summedUp = 4_000

const first = (text: string, units: number): string =>
  split(plain(text), { units, entities: Number.POSITIVE_INFINITY })[0]?.text.trim() ?? ""

/** The beginning of it, without the title it may begin with. */
const summaryOf = (text: string, title: string): string => {
  const rest = text.trimStart()
  const start = first(rest.startsWith(title) ? rest.slice(title.length) : rest, longestSummary)
  return start.length < rest.length - title.length ? `${start} …` : start
}

interface Long {
  readonly source: string
  readonly beginning: FormattedText
}

const document = (
  language: Language,
  { source, beginning }: Long,
  content: TextContent | RichContent,
  file: AnswerFile | undefined
): Told => {
  const words = texts[language]
  const title = first(file?.title ?? titleIn(beginning.text) ?? "", longestTitle) || words.answer
  const bytes = file?.bytes ?? new TextEncoder().encode(source)
  const caption = compose(bold(title), `\n\n${summaryOf(beginning.text, title)}\n\n`, {
    type: "italic",
    text: words.inTheFile(source.length)
  })
  const name = file?.name ?? `${slugOf(title)}.md`
  return {
    contents: [
      {
        _tag: "Document",
        file: { _tag: "Blob", hash: hashOf(bytes), name, mime: "text/markdown" },
        caption,
        ...(content.buttons === undefined ? {} : { buttons: content.buttons })
      }
    ],
    files: [bytes]
  }
}

/** Buttons belong under the end of what they are about. */
const inParts = ({ buttons, ...content }: TextContent, parts: ReadonlyArray<FormattedText>): Told => ({
  contents: parts.map(
    (text, index): TextContent =>
      index === parts.length - 1 && buttons !== undefined
        ? { ...content, text, buttons }
        : { ...content, text }
  ),
  files: []
})

const one = (language: Language, { content, file }: Saying): Told => {
  switch (content._tag) {
    case "Text": {
      const parts = split(content.text)
      return parts.length <= mostParts
        ? inParts(content, parts)
        : document(language, { source: markdownOf(content.text), beginning: content.text }, content, file)
    }
    case "Rich": {
      // As text it may take several: one rich message holds more than five of them, a server that knows none does not.
      const { markdown } = content
      return markdown.length <= longestMarkdown && split(fromMarkdown(markdown)).length <= mostParts
        ? { contents: [content], files: [] }
        : document(
            language,
            { source: markdown, beginning: fromMarkdown(markdown.slice(0, summedUp)) },
            content,
            file
          )
    }
    default:
      return { contents: [content], files: [] }
  }
}

export const told = (language: Language, sayings: ReadonlyArray<Saying>): Told => {
  const all = sayings.map((saying) => one(language, saying))
  return { contents: all.flatMap(({ contents }) => contents), files: all.flatMap(({ files }) => files) }
}

/** The contents of an answer as outbox entries, in order; none where nobody is answered. */
export const entriesOf = (
  user: UserContext,
  key: string,
  contents: ReadonlyArray<OutgoingContent>,
  first: (content: OutgoingContent) => OutboxAction = (content) => ({ _tag: "Send", content })
): ReadonlyArray<OutboxEntry> =>
  user.unanswered
    ? []
    : contents.map((content, index) => ({
        address: user.address,
        botId: user.botId,
        key: index === 0 ? key : `${key}:${index + 1}`,
        delivery: "result",
        action: index === 0 ? first(content) : { _tag: "Send", content }
      }))
