/**
 * Telegram's entities as spans Markdown can show: of each kind merged where they touch, nothing inside code,
 * no link inside a link, links found in the text where Telegram marked none.
 */
import type { FormattedText, TextEntity } from "../domain/FormattedText.ts"
import type { Span } from "./InlineMarkdown.ts"
import { linkTarget } from "./MarkdownEscape.ts"

export interface Range {
  readonly start: number
  readonly end: number
}

/** The range of an entity inside the text, never half a surrogate pair. */
export const rangeOf = (text: string, entity: TextEntity): Range => {
  const clamp = (at: number) => Math.min(Math.max(at, 0), text.length)
  const splits = (at: number) =>
    /[\uDC00-\uDFFF]/.test(text[at] ?? "") && /[\uD800-\uDBFF]/.test(text[at - 1] ?? "")
  const start = clamp(entity.offset)
  const end = clamp(entity.offset + entity.length)
  return { start: splits(start) ? start - 1 : start, end: splits(end) ? end + 1 : end }
}

/** Overlapping and touching ranges become one. */
export const merge = (ranges: ReadonlyArray<Range>): ReadonlyArray<Range> => {
  const merged: Array<Range> = []
  for (const range of ranges.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && range.start <= last.end) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
    } else merged.push(range)
  }
  return merged
}

/** What is left of `ranges` outside `holes`. Both sorted and without overlaps among themselves. */
export const without = (ranges: ReadonlyArray<Range>, holes: ReadonlyArray<Range>): ReadonlyArray<Range> =>
  ranges.flatMap((range) => {
    const rest: Array<Range> = []
    let from = range.start
    for (const hole of holes) {
      if (hole.end <= from || hole.start >= range.end) continue
      if (hole.start > from) rest.push({ start: from, end: hole.start })
      from = hole.end
    }
    if (from < range.end) rest.push({ start: from, end: range.end })
    return rest
  })

const urlOf = (text: string, entity: TextEntity): string | undefined => {
  const { start, end } = rangeOf(text, entity)
  const shown = text.slice(start, end)
  switch (entity.type) {
    case "text_link":
      return entity.url
    case "url":
      return shown
    case "email":
      return `mailto:${shown}`
    case "mention":
      return /^@\w+$/.test(shown) ? `https://t.me/${shown.slice(1)}` : undefined
    case "text_mention":
      return entity.userId === undefined ? undefined : `tg://user?id=${entity.userId}`
    default:
      return undefined
  }
}

/** Addresses without an entity. Punctuation that ends a sentence is not part of them. */
const bareUrls = (text: string): ReadonlyArray<Range & { readonly url: string }> =>
  [...text.matchAll(/\bhttps?:\/\/[^\s<>"']+/gi)].map((match) => {
    const url = match[0].replace(/[.,;:!?)\]}*_~`|]+$/, "")
    return { start: match.index, end: match.index + url.length, url }
  })

const kinds = {
  bold: "bold",
  italic: "italic",
  underline: "underline",
  strikethrough: "strikethrough",
  spoiler: "spoiler"
} as const
const kindOf = (type: string) => (Object.hasOwn(kinds, type) ? kinds[type as keyof typeof kinds] : undefined)

const sameRange = (a: Range, b: Range) => a.start === b.start && a.end === b.end

/** The same words bold and italic are one span: their marks would otherwise stand beside each other. */
const joinBoldItalic = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const both = spans.filter(
    (bold) => bold.kind === "bold" && spans.some((other) => other.kind === "italic" && sameRange(bold, other))
  )
  const joined = (span: Span) => both.some((bold) => sameRange(bold, span))
  return [
    ...spans.filter((span) => !((span.kind === "bold" || span.kind === "italic") && joined(span))),
    ...both.map((bold): Span => ({ ...bold, kind: "boldItalic" }))
  ]
}

/** Spans of the text outside `blocks` (code blocks), which nothing formats. */
export const spansOf = (
  { text, entities }: FormattedText,
  blocks: ReadonlyArray<Range>
): ReadonlyArray<Span> => {
  const ranges = (type: string) =>
    merge(entities.filter((entity) => entity.type === type).map((entity) => rangeOf(text, entity)))
  const code = without(ranges("code"), blocks)
  const closed = merge([...blocks, ...code])
  const spans: Array<Span> = code.map((range) => ({ kind: "code", ...range }))
  for (const type of Object.keys(kinds)) {
    for (const range of without(ranges(type), closed)) spans.push({ kind: kindOf(type)!, ...range })
  }
  let taken = closed
  const links = entities.flatMap((entity) => {
    const url = urlOf(text, entity)
    return url === undefined ? [] : [{ ...rangeOf(text, entity), url }]
  })
  for (const { url, ...range } of [...links, ...bareUrls(text)]) {
    if (linkTarget(url) === undefined) continue
    for (const part of without([range], taken)) {
      spans.push({ kind: "link", ...part, url })
    }
    taken = merge([...taken, range])
  }
  return spans
}

/** The spans of one line, without blanks at their edges, which emphasis must not have. */
export const spansOfLine = (text: string, line: Range, spans: ReadonlyArray<Span>): ReadonlyArray<Span> =>
  joinBoldItalic(
    spans.flatMap((span) => {
      let start = Math.max(span.start, line.start)
      let end = Math.min(span.end, line.end)
      if (span.kind !== "code") {
        while (start < end && /\s/u.test(text[start]!)) start++
        while (start < end && /\s/u.test(text[end - 1]!)) end--
      }
      return start < end ? [{ ...span, start, end }] : []
    })
  )
