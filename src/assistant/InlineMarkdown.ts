/**
 * One line of text with inline formatting as Markdown. Emphasis is written with `**`, `*` and `~~` where
 * CommonMark is sure to read it so (its rules about whitespace and punctuation at the edges), and with the
 * HTML element elsewhere, which every Markdown reader understands at any place.
 */
import { beforeLink, codeSpan, escapeLineStart, escapeText, linkTarget } from "./MarkdownEscape.ts"

export type Emphasis = "bold" | "italic" | "strikethrough" | "boldItalic"

/** What a stretch of a line looks like. `start` and `end` are UTF-16 units in the whole text. */
export interface Span {
  readonly kind: Emphasis | "underline" | "spoiler" | "code" | "link"
  readonly start: number
  readonly end: number
  /** `link` */
  readonly url?: string
}

type Token =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Code"; readonly code: string }
  | { readonly _tag: "Open" | "Close"; readonly span: Span; readonly pair: number }

const marks: { readonly [kind in Emphasis]: readonly [mark: string, open: string, close: string] } = {
  bold: ["**", "<strong>", "</strong>"],
  italic: ["*", "<em>", "</em>"],
  boldItalic: ["***", "<strong><em>", "</em></strong>"],
  strikethrough: ["~~", "<s>", "</s>"]
}
const emphasisOf = (kind: Span["kind"]): Emphasis | undefined =>
  kind in marks ? (kind as Emphasis) : undefined

/**
 * Opens and closes spans in proper nesting. Where two overlap without nesting, the inner one is closed with
 * the outer and opened again. Nothing else goes into code, and no link into a link (see `InlineSpans`).
 */
const tokensOf = (
  text: string,
  from: number,
  to: number,
  spans: ReadonlyArray<Span>
): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  const open: Array<{ span: Span; pair: number }> = []
  let pairs = 0
  const edges = new Set([from, to])
  for (const span of spans) edges.add(span.start).add(span.end)
  const points = [...edges].filter((point) => point >= from && point <= to).sort((a, b) => a - b)
  const start = (span: Span) => {
    open.push({ span, pair: pairs })
    tokens.push({ _tag: "Open", span, pair: pairs++ })
  }
  points.forEach((point, index) => {
    const lowest = open.findIndex(({ span }) => span.end <= point)
    const reopened: Array<Span> = []
    while (lowest >= 0 && open.length > lowest) {
      const { span, pair } = open.pop()!
      tokens.push({ _tag: "Close", span, pair })
      if (span.end > point) reopened.push(span)
    }
    const opening = spans.filter((span) => span.kind !== "code" && span.start === point)
    for (const span of [...reopened, ...opening].sort((a, b) => b.end - a.end)) start(span)
    const next = points[index + 1]
    if (next === undefined || next === point) return
    const piece = text.slice(point, next)
    const inCode = spans.some((span) => span.kind === "code" && span.start <= point && span.end >= next)
    const last = tokens.at(-1)
    // Two code spans that touch would close each other; together they look the same.
    if (inCode && last?._tag === "Code") tokens[tokens.length - 1] = { _tag: "Code", code: last.code + piece }
    else tokens.push(inCode ? { _tag: "Code", code: piece } : { _tag: "Text", text: piece })
  })
  return tokens
}

type Side = "edge" | "space" | "blank" | "word" | "mark" | "emphasis" | "other"

/** What the reader of an emphasis mark sees beside it. Beyond the letters it knows for sure: `other`. */
const side = (token: Token | undefined, end: "first" | "last"): Side => {
  if (token === undefined) return "edge"
  if (token._tag === "Code") return "mark"
  if (token._tag !== "Text") return emphasisOf(token.span.kind) === undefined ? "mark" : "emphasis"
  const char = end === "first" ? token.text[0]! : token.text.at(-1)!
  if (/\s/u.test(char)) return char === " " || char === "\t" ? "space" : "blank"
  if (/[\p{L}\p{N}]/u.test(char)) return "word"
  return /[!-/:-@[-`{-~]/.test(char) ? "mark" : "other"
}

/** CommonMark 0.31, "left-flanking delimiter run" (and right-flanking, seen from the other side). */
const flanks = (outside: Side, inside: Side): boolean => {
  if (outside === "emphasis" || ["edge", "space", "blank", "emphasis"].includes(inside)) return false
  return inside === "word" || outside === "edge" || outside === "space" || outside === "mark"
}

/** The pairs of emphasis that can be written with marks. */
const markable = (tokens: ReadonlyArray<Token>): ReadonlySet<number> => {
  const safe = new Set<number>()
  const refused = new Set<number>()
  tokens.forEach((token, index) => {
    if (token._tag !== "Open" && token._tag !== "Close") return
    const before = side(tokens[index - 1], "last")
    const after = side(tokens[index + 1], "first")
    const fits = token._tag === "Open" ? flanks(before, after) : flanks(after, before)
    ;(fits ? safe : refused).add(token.pair)
  })
  return safe.difference(refused)
}

/** `<https://…>`: shown as it is and followed everywhere. */
const isAutolink = (url: string, text: string) =>
  url === text && linkTarget(url) !== undefined && /^[a-z][a-z0-9+.-]{1,31}:[^\s<>\p{Cc}]*$/iu.test(text)

const tag = (token: Token & { readonly _tag: "Open" | "Close" }, marked: ReadonlySet<number>): string => {
  const opens = token._tag === "Open"
  const emphasis = emphasisOf(token.span.kind)
  if (emphasis !== undefined) {
    const [mark, open, close] = marks[emphasis]
    if (marked.has(token.pair)) return mark
    return opens ? open : close
  }
  switch (token.span.kind) {
    case "underline":
      return opens ? "<u>" : "</u>"
    case "spoiler":
      return opens ? '<span class="spoiler">' : "</span>"
    default:
      return opens ? "[" : `](${linkTarget(token.span.url ?? "") ?? ""})`
  }
}

/** Leading blanks would vanish, or make the line code: they become no-break spaces, a tab four of them. */
const indentation = /^[ \t]+/

export const inlineLine = (text: string, from: number, to: number, spans: ReadonlyArray<Span>): string => {
  const tokens = tokensOf(text, from, to, spans)
  const marked = markable(tokens)
  let line = ""
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
    const next = tokens[index + 1]
    if (token._tag === "Open" && token.span.kind === "link" && next?._tag === "Text") {
      const closes = tokens[index + 2]
      const alone = closes?._tag === "Close" && closes.pair === token.pair
      if (alone && isAutolink(token.span.url ?? "", next.text)) {
        line += `<${next.text}>`
        index += 2
        continue
      }
    }
    if (token._tag === "Text") line += escapeText(token.text, next === undefined ? "line" : "markup")
    else if (token._tag === "Code") line += codeSpan(token.code)
    else {
      const opened = tag(token, marked)
      line = (opened === "[" ? beforeLink(line) : line) + opened
    }
  }
  const trimmed = line.replace(/[ \t]+$/, "")
  const blanks = indentation.exec(trimmed)?.[0]
  if (blanks === undefined) return escapeLineStart(trimmed)
  return blanks.replaceAll("\t", "    ").replaceAll(" ", "\u00A0") + trimmed.slice(blanks.length)
}
