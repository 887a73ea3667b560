/** A note as messages in the chat: as a reader sees it, without its front matter. */
import { type FormattedText, plain } from "../domain/FormattedText.ts"
import { type Parts, split as partsOf, read } from "../knowledge/FrontMatter.ts"
import { cleanText } from "../knowledge/NoteFile.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"
import { fromMarkdown, split } from "../telegram/RichText.ts"

/** Enough to read a note in a chat; the whole of a longer one is in the repository. */
const shown = 12_000

/** Marks and addresses are not shown, so it takes more Markdown than that; somebody's megabytes are not read. */
const longest = 2 * shown

const more = "…"

/** The beginning of the Markdown, up to the end of a line, or of a word when the lines are as long as that. */
const beginning = (body: string): string => {
  const start = body.slice(0, longest)
  const end = [start.lastIndexOf("\n"), start.lastIndexOf(" ")].find((at) => at > longest / 2)
  return start.slice(0, end)
}

const cut = (text: FormattedText, isWhole: boolean): FormattedText => {
  const [first, ...rest] = split(text, { units: shown, entities: Number.POSITIVE_INFINITY })
  if (first === undefined || (isWhole && rest.length === 0)) return text
  return { text: `${first.text.trimEnd()}\n\n${more}`, entities: first.entities }
}

/** A note of nothing to see still has a title. */
const titleOf = ({ yaml }: Parts): FormattedText => {
  const title = read(yaml).title?.trim() ?? ""
  return title === ""
    ? plain(more)
    : { text: title, entities: [{ type: "bold", offset: 0, length: title.length }] }
}

export const noteContents = (
  file: Uint8Array
): ReadonlyArray<Extract<OutgoingContent, { readonly _tag: "Text" }>> => {
  const parts = partsOf(cleanText(new TextDecoder().decode(file)))
  const isWhole = parts.body.length <= longest
  const text = cut(fromMarkdown(isWhole ? parts.body : beginning(parts.body)), isWhole)
  return [{ _tag: "Text", text: text.text === "" ? titleOf(parts) : text, linkPreview: false }]
}
