/** Tables for a phone: aligned in a monospaced block where they fit, else each row as a list of its cells. */
import type { AlignType, Table } from "mdast"
import { displayWidth } from "./DisplayWidth.ts"
import { type Document, inline } from "./Inline.ts"
import { bare, isBlank, joined, prefixed, type Runs, textOf, within } from "./Runs.ts"

/** What a phone held upright shows of a monospaced line without breaking it. */
const phoneColumns = 40

const empty: Runs = [bare("–")]

const lineOf = (cell: Runs): string => textOf(cell).replace(/\s+/g, " ").trim()

/** A block of code shows words only: no place to go to, nothing hidden. */
const needsFormats = (cell: Runs): boolean =>
  cell.some(({ formats }) => formats.some(({ type }) => type === "text_link" || type === "spoiler"))

const padded = (text: string, width: number, align: AlignType | undefined): string => {
  const space = width - displayWidth(text)
  const left = align === "right" ? space : align === "center" ? Math.floor(space / 2) : 0
  return " ".repeat(left) + text + " ".repeat(space - left)
}

type Rows = ReadonlyArray<ReadonlyArray<Runs>>

/** Undefined when it is wider than a phone. */
const aligned = (rows: Rows, columns: number, align: ReadonlyArray<AlignType>): Runs | undefined => {
  const lines = rows.map((row) => Array.from({ length: columns }, (_, at) => lineOf(row[at] ?? [])))
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(1, ...lines.map((line) => displayWidth(line[at]!)))
  )
  const between = 3
  if (widths.reduce((sum, width) => sum + width, between * (columns - 1)) > phoneColumns) return undefined
  const [head, ...body] = lines.map((line) =>
    line
      .map((cell, at) => padded(cell, widths[at]!, align[at]))
      .join(" │ ")
      .trimEnd()
  )
  const rule = widths.map((width) => "─".repeat(width)).join("─┼─")
  return within({ type: "pre" }, [bare([head, rule, ...body].join("\n"))])
}

const listed = (rows: Rows, columns: number): Runs => {
  const [head = [], ...body] = rows
  const item = (row: ReadonlyArray<Runs>): Runs => {
    const cells = Array.from({ length: columns }, (_, at): Runs => {
      const name = head[at] ?? []
      const value = row[at] ?? []
      const shown = isBlank(textOf(value)) ? empty : value
      if (isBlank(textOf(name))) return shown
      return [...within({ type: "bold" }, name), bare(": "), ...shown]
    })
    return prefixed(joined(cells, "\n"), "• ", "   ")
  }
  const names = prefixed(within({ type: "bold" }, joined(head, ", ")), "• ", "   ")
  return body.length === 0 ? names : joined(body.map(item), "\n")
}

export const table = (node: Table, document: Document): Runs => {
  const rows = node.children.map((row) => row.children.map((cell) => inline(cell.children, document)))
  if (rows.flat().every((cell) => isBlank(textOf(cell)))) return []
  const columns = rows.reduce((most, row) => Math.max(most, row.length), 0)
  const block = rows.flat().some(needsFormats) ? undefined : aligned(rows, columns, node.align ?? [])
  return block ?? listed(rows, columns)
}
