/**
 * Markdown as the blocks of a rich message (Bot API 10.1). Blocks, not the Markdown itself: read by Telegram, that
 * could load pictures from anywhere and make buttons of its own, and a note holds what strangers wrote. Pure.
 */
import type { InputRichBlock, InputRichBlockListItem, RichBlockTableCell, RichText } from "grammy/types"
import type { BlockContent, DefinitionContent, List, ListItem, RootContent, Table } from "mdast"
import { code, footnotesOf, isLong } from "./Blocks.ts"
import { type Document, documentOf, inline } from "./Inline.ts"
import { type Format, isBlank, type Runs, textOf } from "./Runs.ts"
import { htmlBlock } from "./Tags.ts"

export type RichBlock = InputRichBlock

/** Source: Bot API, InputRichMessage, "Rich Message Limits". Characters are counted in UTF-16 units: never too few. */
export const richLimits = { characters: 32_768, blocks: 500, depth: 16, columns: 20 } as const

const wrapped = ({ type, url }: Format, text: RichText): RichText => {
  switch (type) {
    case "text_link":
      return { type: "url", text, url: url ?? "" }
    case "pre":
      return { type: "code", text }
    case "blockquote":
    case "expandable_blockquote":
      return text
    default:
      return { type, text }
  }
}

const one = (parts: Array<RichText>): RichText => (parts.length === 1 ? parts[0]! : parts)

/** Runs that share a format lie in it together. `level`: formats further out are done. */
const richText = (runs: Runs, level = 0): RichText => {
  const parts: Array<RichText> = []
  for (let at = 0; at < runs.length; ) {
    const format = runs[at]!.formats[level]
    let end = at + 1
    while (end < runs.length && runs[end]!.formats[level] === format) end++
    const inside = runs.slice(at, end)
    if (format === undefined) parts.push(textOf(inside))
    else parts.push(wrapped(format, richText(inside, level + 1)))
    at = end
  }
  return one(parts)
}

/** Undefined when there is nothing to see. */
const shown = (runs: Runs): RichText | undefined => {
  const whole = textOf(runs)
  if (isBlank(whole)) return undefined
  const last = runs.findLastIndex(({ text }) => text.trim() !== "")
  return richText(
    runs.slice(0, last + 1).map((run, index) => (index === last ? { ...run, text: run.text.trimEnd() } : run))
  )
}

const paragraph = (runs: Runs): ReadonlyArray<RichBlock> => {
  const text = shown(runs)
  return text === undefined ? [] : [{ type: "paragraph", text }]
}

const listEntry = (
  node: ListItem,
  document: Document,
  number: { readonly value?: number }
): ReadonlyArray<InputRichBlockListItem> => {
  const blocks = blocksIn(node.children, document)
  const checkbox = {
    ...(node.checked == null ? {} : { has_checkbox: true as const }),
    ...(node.checked === true ? { is_checked: true as const } : {})
  }
  if (blocks.length === 0 && node.checked == null) return []
  return [
    {
      blocks: blocks.length === 0 ? [{ type: "paragraph", text: "–" }] : blocks,
      ...checkbox,
      ...number
    }
  ]
}

const list = (node: List, document: Document): ReadonlyArray<RichBlock> => {
  const first = node.start ?? 1
  const items = node.children.flatMap((child, index) =>
    listEntry(child, document, node.ordered ? { value: first + index } : {})
  )
  return items.length === 0 ? [] : [{ type: "list", items }]
}

const table = (node: Table, document: Document): ReadonlyArray<RichBlock> => {
  const columns = node.children.reduce((most, { children }) => Math.max(most, children.length), 0)
  const cells = node.children.map((row, line) =>
    Array.from({ length: columns }, (_, column): RichBlockTableCell => {
      const cell = row.children[column]
      const text = cell === undefined ? undefined : shown(inline(cell.children, document))
      return {
        ...(text === undefined ? {} : { text }),
        ...(line === 0 ? { is_header: true } : {}),
        align: node.align?.[column] ?? "left",
        valign: "top"
      }
    })
  )
  const hasWords = cells.some((row) => row.some(({ text }) => text !== undefined))
  return hasWords ? [{ type: "table", cells, is_bordered: true }] : []
}

const quote = (children: ReadonlyArray<RootContent>, document: Document): ReadonlyArray<RichBlock> => {
  const blocks = blocksIn(children, document)
  if (blocks.length === 0) return []
  const words = blocks.flatMap((block) => (block.type === "paragraph" ? [block.text] : []))
  // One that opens at a tap holds text only.
  return words.length === blocks.length && isLong(words.map(plainOf).join("\n\n"))
    ? [
        {
          type: "expandable_blockquote",
          text: one(words.flatMap((text, at) => (at === 0 ? [text] : ["\n\n", text])))
        }
      ]
    : [{ type: "blockquote", blocks: [...blocks] }]
}

const blocksIn = (nodes: ReadonlyArray<RootContent>, document: Document): Array<RichBlock> =>
  nodes.flatMap((node) => [...block(node as BlockContent | DefinitionContent, document)])

const block = (node: BlockContent | DefinitionContent, document: Document): ReadonlyArray<RichBlock> => {
  switch (node.type) {
    case "heading": {
      const text = shown(inline(node.children, document))
      return text === undefined ? [] : [{ type: "heading", text, size: node.depth }]
    }
    case "paragraph":
      return paragraph(inline(node.children, document))
    case "blockquote":
      return quote(node.children, document)
    case "list":
      return list(node, document)
    case "code": {
      const { text, language } = code(node)
      return isBlank(text) ? [] : [{ type: "pre", text, ...(language === undefined ? {} : { language }) }]
    }
    case "table":
      return table(node, document)
    case "thematicBreak":
      return [{ type: "divider" }]
    case "html":
      return paragraph(htmlBlock(node.value))
    case "definition":
    case "footnoteDefinition":
      return []
  }
}

/** The whole document, its footnotes under a rule. */
export const richBlocks = (nodes: ReadonlyArray<RootContent>): ReadonlyArray<RichBlock> => {
  const document = documentOf(nodes)
  const notes = footnotesOf(nodes, document).flatMap(({ sign, children }) => {
    const [first, ...others] = blocksIn(children, document)
    const text: RichText = first?.type === "paragraph" ? [`${sign} `, first.text] : sign
    const rest = first === undefined || first.type === "paragraph" ? others : [first, ...others]
    return [{ type: "paragraph" as const, text }, ...rest]
  })
  return [
    ...blocksIn(nodes, document),
    ...(notes.length === 0 ? [] : [{ type: "divider" as const }, ...notes])
  ]
}

/** The words of it. */
export const plainOf = (text: RichText): string => {
  if (typeof text === "string") return text
  if (Array.isArray(text)) return text.map(plainOf).join("")
  return "text" in text ? plainOf(text.text) : ""
}

interface Size {
  readonly characters: number
  readonly blocks: number
  readonly depth: number
  readonly columns: number
}

const nothing: Size = { characters: 0, blocks: 0, depth: 0, columns: 0 }

const sum = (sizes: ReadonlyArray<Size>): Size =>
  sizes.reduce(
    (all, one) => ({
      characters: all.characters + one.characters,
      blocks: all.blocks + one.blocks,
      depth: Math.max(all.depth, one.depth),
      columns: Math.max(all.columns, one.columns)
    }),
    nothing
  )

const within = (inside: Size, blocks: number): Size => ({
  ...inside,
  blocks: inside.blocks + blocks,
  depth: inside.depth + 1
})

const textSize = (text: RichText): Size => {
  if (typeof text === "string") return { ...nothing, characters: text.length }
  if (Array.isArray(text)) return sum(text.map(textSize))
  return "text" in text ? within(textSize(text.text), 0) : nothing
}

const blockSize = (block: RichBlock): Size => {
  switch (block.type) {
    case "list":
      return within(sum(block.items.map(({ blocks }) => within(sum(blocks.map(blockSize)), 1))), 1)
    case "table": {
      const rows = block.cells.map((row) => ({
        ...within(sum(row.map(({ text = "" }) => textSize(text))), 1),
        columns: row.length
      }))
      return within(sum(rows), 1)
    }
    case "blockquote":
      return within(sum(block.blocks.map(blockSize)), 1)
    default:
      return within("text" in block ? textSize(block.text) : nothing, 1)
  }
}

/** Whether Telegram takes it as one message. */
export const fits = (blocks: ReadonlyArray<RichBlock>): boolean => {
  const { characters, ...size } = sum(blocks.map(blockSize))
  return (
    characters > 0 &&
    characters <= richLimits.characters &&
    size.blocks <= richLimits.blocks &&
    size.depth <= richLimits.depth &&
    size.columns <= richLimits.columns
  )
}
