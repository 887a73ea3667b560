/**
 * A note as messages in the chat: its title, then its text. What Telegram can show (bold, code) it shows; the
 * rest of the Markdown stays as it is in the file, without the backslashes that only Markdown needs.
 */
import { compose, type Piece } from "../domain/FormattedText.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"

/** Enough to read a note in a chat; the whole of a longer one is in the repository. */
const shown = 12_000

const frontMatter = /^---\n[\s\S]*?\n---\n+/
const heading = /^# (.+)\n+/

/** A fenced block, code in a line, bold text, an escaped character, the blanks of a line break: what begins first. */
const markup =
  /^(?<fence>`{3,})(?<language>[^`\n]*)\n(?<block>(?:.*\n)*?)\k<fence>$|(?<!`)(?<ticks>`+)(?!`)(?<code>[^\n]*?[^`\n])\k<ticks>(?!`)|\*\*(?<bold>[^\s*](?:[^*\n\\]|\\.)*?)\*\*|\\(?<escaped>[!-/:-@[-`{-~])| +$/gm

const unescaped = (text: string): string => text.replace(/\\([!-/:-@[-`{-~])/g, "$1")

export const piecesOf = (markdown: string): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let from = 0
  for (const match of markdown.matchAll(markup)) {
    pieces.push(markdown.slice(from, match.index))
    from = match.index + match[0].length
    const { language = "", block, code, bold, escaped = "" } = match.groups ?? {}
    if (block !== undefined) {
      pieces.push({ type: "pre", text: block.replace(/\n$/, ""), ...(language === "" ? {} : { language }) })
    } else if (code !== undefined) pieces.push({ type: "code", text: code })
    else if (bold !== undefined) pieces.push({ type: "bold", text: unescaped(bold) })
    else pieces.push(escaped)
  }
  return [...pieces, markdown.slice(from)]
}

export const noteContents = (file: Uint8Array): ReadonlyArray<OutgoingContent> => {
  const text = new TextDecoder().decode(file).replace(frontMatter, "")
  const title = unescaped(heading.exec(text)?.[1] ?? "")
  const body = text.replace(heading, "").trim()
  const cut = body.length > shown ? `${body.slice(0, shown).trimEnd()}\n\n…` : body
  const pieces = piecesOf(cut)
  return [
    {
      _tag: "Text",
      text: title === "" ? compose(...pieces) : compose({ type: "bold", text: title }, "\n\n", ...pieces),
      linkPreview: false
    }
  ]
}
