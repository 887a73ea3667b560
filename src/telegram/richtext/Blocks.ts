/** The blocks of a document, one below the other: mdast's block nodes as runs. */
import type { Blockquote, Code, FootnoteDefinition, List, ListItem, RootContent } from "mdast"
import { type Document, documentOf, inline } from "./Inline.ts"
import { bare, isBlank, joined, prefixed, type Run, type Runs, textOf, within } from "./Runs.ts"
import { table } from "./Tables.ts"
import { htmlBlock } from "./Tags.ts"

interface Place {
  readonly document: Document
  /** How many lists it is in. */
  readonly depth: number
  readonly isQuoted: boolean
}

const gap = "\n\n"
const bullets = ["•", "◦", "▪"] as const
const ruler = "———"

/** A longer quote opens at a tap. */
const shortQuote = { lines: 8, units: 600 }

export const isLong = (text: string): boolean =>
  text.length > shortQuote.units || text.split("\n").length > shortQuote.lines

/** Telegram's quotes do not nest: one in another has a bar at its side. */
const quote = (node: Blockquote, place: Place): Runs => {
  const inside = joined(
    node.children.map((child) => block(child, { ...place, isQuoted: true })),
    gap
  )
  if (place.isQuoted) return prefixed(inside, "│ ", "│ ")
  return within({ type: isLong(textOf(inside)) ? "expandable_blockquote" : "blockquote" }, inside)
}

const taskBox = ({ checked }: ListItem): string => (typeof checked === "boolean" ? (checked ? "☑" : "☐") : "")

const item = (node: ListItem, marker: string, place: Place): Runs => {
  const inside = joined(
    node.children.map((child) => block(child, place)),
    node.spread ? gap : "\n"
  )
  const box = taskBox(node)
  // A box stands for the bullet, not for the number.
  const sign = box === "" ? marker : /\d/.test(marker) ? `${marker} ${box}` : box
  return inside.length === 0
    ? [bare(sign)]
    : prefixed(inside, `${sign} `, " ".repeat(Math.max(3, marker.length + 1)))
}

const list = (node: List, place: Place): Runs => {
  const first = node.start ?? 1
  const bullet = bullets[Math.min(place.depth, bullets.length - 1)]!
  return joined(
    node.children.map((child, index) =>
      item(child, node.ordered ? `${first + index}.` : bullet, { ...place, depth: place.depth + 1 })
    ),
    node.spread || node.children.some(({ spread }) => spread) ? gap : "\n"
  )
}

export const code = ({ value, lang }: Code): { readonly text: string; readonly language?: string } => ({
  text: value.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd(),
  ...(lang != null && /^[A-Za-z0-9+#._-]{1,40}$/.test(lang) ? { language: lang } : {})
})

const block = (node: RootContent, place: Place): Runs => {
  switch (node.type) {
    case "paragraph":
      return trimmedEnd(inline(node.children, place.document))
    case "heading":
      return trimmedEnd(inline(node.children, place.document, [{ type: "bold" }]))
    case "blockquote":
      return quote(node, place)
    case "list":
      return list(node, place)
    case "listItem":
      return item(node, bullets[0], place)
    case "code": {
      const { text, ...language } = code(node)
      return [{ text, formats: [{ type: "pre", ...language }] }]
    }
    case "table":
      return table(node, place.document)
    case "thematicBreak":
      return [bare(ruler)]
    case "html":
      return htmlBlock(node.value)
    // Said where they are referred to, and below the text.
    case "definition":
    case "footnoteDefinition":
    case "yaml":
    case "tableRow":
    case "tableCell":
      return []
    default:
      return inline([node], place.document)
  }
}

/** Without line breaks after the last word. */
const trimmedEnd = (runs: Runs): Runs => {
  const last = runs.findLastIndex(({ text }) => text.trim() !== "")
  return runs
    .slice(0, last + 1)
    .map((run, index): Run => (index === last ? { ...run, text: run.text.trimEnd() } : run))
}

const footnotesIn = function* (nodes: ReadonlyArray<RootContent>): Generator<FootnoteDefinition> {
  for (const node of nodes) {
    if (node.type === "footnoteDefinition") yield node
    if ("children" in node) yield* footnotesIn(node.children)
  }
}

/** The footnotes by their numbers. */
export const footnotesOf = (nodes: ReadonlyArray<RootContent>, { footnotes }: Document) => {
  const number = ({ identifier }: FootnoteDefinition) => footnotes.get(identifier) ?? 0
  return [...footnotesIn(nodes)]
    .sort((a, b) => number(a) - number(b))
    .map((node) => ({ sign: `[${number(node)}]`, children: node.children }))
}

const footnote = ({ sign, children }: ReturnType<typeof footnotesOf>[number], place: Place): Runs => {
  const inside = joined(
    children.map((child) => block(child, place)),
    "\n"
  )
  return isBlank(textOf(inside)) ? [bare(sign)] : prefixed(inside, `${sign} `, "   ")
}

/** The whole document, its footnotes at the end under a rule. */
export const blocks = (nodes: ReadonlyArray<RootContent>): Runs => {
  const document = documentOf(nodes)
  const place: Place = { document, depth: 0, isQuoted: false }
  const notes = footnotesOf(nodes, document).map((node) => footnote(node, place))
  return joined(
    [
      ...nodes.map((node) => block(node, place)),
      ...(notes.length === 0 ? [] : [[bare(ruler)], joined(notes, "\n")])
    ],
    gap
  )
}
