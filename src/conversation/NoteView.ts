/** A note as messages in the chat: as a reader sees it, without its front matter. */
import { type FormattedText, plain } from "../domain/FormattedText.ts"
import { type Parts, split as partsOf, read } from "../knowledge/FrontMatter.ts"
import { cleanText } from "../knowledge/NoteFile.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"
import { fromMarkdown, split } from "../telegram/RichText.ts"

/** Enough to read a note in a chat; the whole of a longer one is in the repository. */
const shown = 12_000

/** Marks and addresses are not shown, so it takes more Markdown than that; somebody's megabytes are not read. */
const longest = 8 * shown

const more = "…"

const cut = (text: FormattedText, isWhole: boolean): FormattedText => {
  const [first = text, ...rest] = split(text, { units: shown, entities: Number.POSITIVE_INFINITY })
  if (isWhole && rest.length === 0) return text
  return { text: `${first.text.trimEnd()}\n\n${more}`, entities: first.entities }
}

/** A note of pictures without names, or of nothing: it still has a title. */
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
  const text = cut(fromMarkdown(isWhole ? parts.body : parts.body.slice(0, longest)), isWhole)
  return [{ _tag: "Text", text: text.text === "" ? titleOf(parts) : text, linkPreview: false }]
}
