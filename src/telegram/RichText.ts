/**
 * Markdown as people read it in a chat: text with Telegram's entities, never a `parse_mode`, so that no text
 * can fail to parse. See `richtext/` for how each construct is shown, and `split` for long texts.
 */
import { Result } from "effect"
import { fromMarkdown as parse } from "mdast-util-from-markdown"
import { gfmFromMarkdown } from "mdast-util-gfm"
import { gfm } from "micromark-extension-gfm"
import { type FormattedText, plain } from "../domain/FormattedText.ts"
import { blocks } from "./richtext/Blocks.ts"
import { fits, type RichBlock, richBlocks } from "./richtext/RichBlocks.ts"
import { formatted } from "./richtext/Runs.ts"
import { noteFromMarkdown, noteSyntax } from "./richtext/Syntax.ts"

export type { RichBlock } from "./richtext/RichBlocks.ts"
export { messageLimits, type PartLimits, split } from "./richtext/SplitText.ts"

/** A single tilde is no mark: people write "5~10 of 20~30". */
const extensions = [gfm({ singleTilde: false }), noteSyntax]
const mdastExtensions = [gfmFromMarkdown(), noteFromMarkdown]

/**
 * More than anybody writes without a blank line between, or in one another: the parser's time grows with the
 * square of it, of the depth with the cube.
 */
const most = { lines: 1_500, marks: 2_000, depth: 50, indentation: 150 }

const isReadable = (markdown: string): boolean => {
  let lines = 0
  let marks = 0
  for (const line of markdown.split("\n")) {
    const opening = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/.exec(line)?.[0] ?? ""
    const blank = line.trim() === ""
    lines = blank ? 0 : lines + 1
    marks = blank ? 0 : marks + (line.match(/\*+|_+|~+|\[/g)?.length ?? 0)
    if (lines > most.lines || marks > most.marks) return false
    if (opening.search(/\S/) > most.indentation) return false
    if ((opening.match(/[>+*-]|\d+/g)?.length ?? 0) > most.depth) return false
  }
  return true
}

/** `undefined`: made to exhaust a parser. */
const parsed = (markdown: string) => {
  const source = wellFormed(markdown)
  if (!isReadable(source)) return undefined
  // The parser calls itself for every level; somebody's thousandth is more than the stack holds.
  return Result.getOrElse(
    Result.try(() => parse(source, { extensions, mdastExtensions }).children),
    () => undefined
  )
}

const wellFormed = (markdown: string): string =>
  markdown
    .toWellFormed()
    .replace(/^\uFEFF/, "")
    .replace(/\r\n?/g, "\n")

/**
 * CommonMark with GFM, the simple tags of HTML, and what notes are written in (see `richtext/Syntax.ts`).
 * Never fails: what is made to exhaust a parser is shown as it was typed. The text is at its edges free of
 * empty lines; it is empty when there is nothing to see.
 */
export const fromMarkdown = (markdown: string): FormattedText => {
  const asTyped = () => plain(wellFormed(markdown).trim())
  const nodes = parsed(markdown)
  if (nodes === undefined) return asTyped()
  return Result.getOrElse(
    Result.try(() => formatted(blocks(nodes))),
    asTyped
  )
}

/** The same as one rich message; `undefined` when it is more than one holds, or nothing to see. */
export const richFromMarkdown = (markdown: string): ReadonlyArray<RichBlock> | undefined => {
  const nodes = parsed(markdown)
  if (nodes === undefined) return undefined
  return Result.getOrElse(
    Result.try(() => {
      const rich = richBlocks(nodes)
      return fits(rich) ? rich : undefined
    }),
    () => undefined
  )
}
