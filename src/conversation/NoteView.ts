/** A note in the chat: as a reader sees it, without its front matter; a long one as its file. */
import { bold, compose, plain } from "../domain/FormattedText.ts"
import { read, split } from "../knowledge/FrontMatter.ts"
import { cleanText } from "../knowledge/NoteFile.ts"
import { fromMarkdown } from "../telegram/RichText.ts"
import { longestMarkdown, type Saying } from "./Answers.ts"

/** `path`: where it lies in the knowledge base. A note of nothing to see still has a title. */
export const noteSaying = (path: string, bytes: Uint8Array): Saying => {
  const { yaml, body } = split(cleanText(new TextDecoder().decode(bytes)))
  const title = read(yaml).title?.trim() ?? ""
  const shows = body.length > longestMarkdown || fromMarkdown(body).text !== ""
  const empty = title === "" ? plain("…") : compose(bold(title))
  return {
    content: shows ? { _tag: "Rich", markdown: body } : { _tag: "Text", text: empty },
    file: { name: path.split("/").at(-1) ?? path, title, bytes }
  }
}
