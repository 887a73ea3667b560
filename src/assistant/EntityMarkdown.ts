/**
 * Text with Telegram entities as Markdown for CommonMark, GFM and Obsidian: it shows the same words with the
 * same formatting.
 *
 * - What was typed as plain text is shown as typed: `*`, `#`, `1.`, `<tag>` and the like are escaped, tags
 *   such as `#idea` stay tags.
 * - Line breaks stay. Several empty lines show as one, blanks at the end of a line go, blanks at its start
 *   become no-break spaces.
 * - A spoiler becomes `<span class="spoiler">`: plain to read anywhere, hidden where a style says so.
 * - Code and quotes of several lines stand in lines of their own. Inside code nothing else is formatted.
 */
import type { FormattedText } from "../domain/FormattedText.ts"
import { inlineLine, type Span } from "./InlineMarkdown.ts"
import { merge, type Range, rangeOf, spansOf, spansOfLine, without } from "./InlineSpans.ts"
import { codeBlock } from "./MarkdownEscape.ts"

/** Two blanks at the end of a line break it in every Markdown. */
const lineBreak = "  \n"

const paragraphs = (text: string, range: Range, spans: ReadonlyArray<Span>): string => {
  let out = ""
  let before = ""
  let start = range.start
  for (const line of text.slice(range.start, range.end).split("\n")) {
    const end = start + line.length
    const shown = inlineLine(text, start, end, spansOfLine(text, { start, end }, spans))
    if (start > range.start) out += before !== "" && shown !== "" ? lineBreak : "\n"
    out += shown
    before = shown
    start = end + 1
  }
  return out.replace(/^\n+|\n+$/g, "")
}

interface Block extends Range {
  readonly language: string | undefined
}

const codeBlocks = ({ text, entities }: FormattedText): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  for (const entity of entities.filter(({ type }) => type === "pre")) {
    for (const range of without([rangeOf(text, entity)], blocks)) {
      if (range.end > range.start) blocks.push({ ...range, language: entity.language })
    }
    blocks.sort((a, b) => a.start - b.start)
  }
  return blocks
}

/** The Markdown of what lies in `range` outside quotes: paragraphs and code blocks, a blank line between. */
const flow = (
  text: string,
  range: Range,
  blocks: ReadonlyArray<Block>,
  spans: ReadonlyArray<Span>
): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let from = range.start
  const plain = (to: number) => {
    const shown = paragraphs(text, { start: from, end: to }, spans)
    if (shown !== "") parts.push(shown)
  }
  for (const block of blocks) {
    const start = Math.max(block.start, range.start)
    const end = Math.min(block.end, range.end)
    if (start >= end) continue
    plain(start)
    parts.push(codeBlock(text.slice(start, end).replace(/\n$/, ""), block.language))
    from = end
  }
  plain(range.end)
  return parts
}

/** Puts `> ` before every line. */
export const quoted = (markdown: string): string =>
  markdown
    .split("\n")
    .map((line) => (line === "" ? ">" : `> ${line}`))
    .join("\n")

export const markdownOf = (formatted: FormattedText): string => {
  // Same length, so that offsets hold: Markdown takes a carriage return for a line break of its own.
  const text = formatted.text.replaceAll("\r\n", " \n").replaceAll("\r", "\n")
  const { entities } = formatted
  const blocks = codeBlocks({ text, entities })
  const spans = spansOf({ text, entities }, blocks)
  const quotes = merge(
    entities
      .filter(({ type }) => type === "blockquote" || type === "expandable_blockquote")
      .map((entity) => rangeOf(text, entity))
  )
  const parts: Array<string> = []
  let from = 0
  for (const quote of quotes) {
    parts.push(...flow(text, { start: from, end: quote.start }, blocks, spans))
    const inside = flow(text, quote, blocks, spans).join("\n\n")
    if (inside !== "") parts.push(quoted(inside))
    from = quote.end
  }
  parts.push(...flow(text, { start: from, end: text.length }, blocks, spans))
  return parts.join("\n\n")
}
