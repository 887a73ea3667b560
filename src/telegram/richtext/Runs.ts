/**
 * Text on its way to a message: runs, each in the formats it is shown in. Entities are worked out from them
 * at the end, by Telegram's rules, so that nothing before has to count offsets.
 */
import type { FormattedText, TextEntity } from "../../domain/FormattedText.ts"

/** One object is one stretch: two links side by side, even to the same place, stay two. */
export interface Format {
  readonly type:
    | "bold"
    | "italic"
    | "underline"
    | "strikethrough"
    | "spoiler"
    | "code"
    | "pre"
    | "text_link"
    | "blockquote"
    | "expandable_blockquote"
  /** `text_link` */
  readonly url?: string
  /** `pre` */
  readonly language?: string
}

/** `formats`: the outermost first. */
export interface Run {
  readonly text: string
  readonly formats: ReadonlyArray<Format>
}
export type Runs = ReadonlyArray<Run>

export const bare = (text: string): Run => ({ text, formats: [] })

export const textOf = (runs: Runs): string => runs.map(({ text }) => text).join("")

export const within = (format: Format, runs: Runs): Runs =>
  runs.map(({ text, formats }) => ({ text, formats: [format, ...formats] }))

/** A second of the same kind adds nothing: bold in bold, a link in a link. */
export const also = (formats: ReadonlyArray<Format>, format: Format): ReadonlyArray<Format> =>
  formats.some(({ type }) => type === format.type) ? formats : [...formats, format]

/**
 * Nothing a reader sees: white space, and what Telegram's servers take for an empty message too (zero-width
 * and control characters, the blank of Braille, the fillers of Hangul).
 */
export const isBlank = (text: string): boolean =>
  /^[\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800\uFFFC]*$/u.test(text)

export const isQuote = (type: string): boolean => type === "blockquote" || type === "expandable_blockquote"

const isBlock = ({ formats }: Run): boolean => formats.some(({ type }) => type === "pre" || isQuote(type))

/** What is left of the blocks that show something, one `gap` between each two. */
export const joined = (blocks: ReadonlyArray<Runs>, gap: string): Runs =>
  blocks
    .filter((runs) => !isBlank(textOf(runs)))
    .flatMap((runs, index) => (index === 0 ? runs : [bare(gap), ...runs]))

/**
 * `first` before the first line and `rest` before each further one that is not empty. Code and quotes keep
 * their lines as they are, in a block of their own.
 */
export const prefixed = (runs: Runs, first: string, rest: string): Runs => {
  const out: Array<Run> = []
  let pending = first
  const endLine = (run: Run) => {
    if (out.length === 0) out.push(bare(first.trimEnd()))
    out.push(run)
  }
  for (const run of runs) {
    if (isBlock(run)) {
      if (out.length === 0) endLine(bare("\n"))
      out.push(run)
      pending = ""
      continue
    }
    run.text.split("\n").forEach((line, index) => {
      if (index > 0) {
        endLine({ ...run, text: "\n" })
        pending = rest
      }
      if (line === "") return
      // A line under the blanks would look odd.
      if (pending !== "") out.push(bare(pending))
      pending = ""
      out.push({ ...run, text: line })
    })
  }
  return out
}

const only = (formats: ReadonlyArray<Format>, ...types: ReadonlyArray<Format["type"]>) =>
  formats.filter(({ type }) => isQuote(type) || types.includes(type))

/**
 * Source: Bot API, "Formatting options": code contains nothing and is in nothing but a quote; quotes and
 * links do not nest. Code as a link is the link.
 */
const allowed = (formats: ReadonlyArray<Format>): ReadonlyArray<Format> => {
  const has = (wanted: Format["type"]) => formats.some(({ type }) => type === wanted)
  const kept = has("pre")
    ? only(formats, "pre")
    : has("text_link")
      ? formats.filter(({ type }) => type !== "code")
      : has("code")
        ? only(formats, "code")
        : formats
  const kind = (type: string) => (isQuote(type) ? "quote" : type)
  return kept.filter(
    ({ type }, index) => kept.findIndex((other) => kind(other.type) === kind(type)) === index
  )
}

/**
 * The entity without white space at its edges; undefined when nothing is left. Code and quotes keep the
 * indentation of their first line.
 */
export const trimmed = (text: string, entity: TextEntity): TextEntity | undefined => {
  const shown = text.slice(entity.offset, entity.offset + entity.length)
  const indented = entity.type === "pre" || isQuote(entity.type)
  const length = shown.trimEnd().length
  if (length === 0) return undefined
  const blanks = (indented ? /^(?:[^\S\n]*\n)*/ : /^\s*/).exec(shown)?.[0].length ?? 0
  return { ...entity, offset: entity.offset + blanks, length: length - blanks }
}

/** The text of the runs with entities that nest: where formats overlap, the inner one is split. */
export const formatted = (runs: Runs): FormattedText => {
  let text = ""
  const entities: Array<TextEntity> = []
  const open: Array<{ readonly format: Format; readonly offset: number }> = []
  const closeFrom = (index: number) => {
    for (const { format, offset } of open.splice(index)) {
      const { type, url, language } = format
      const entity = trimmed(text, {
        type,
        offset,
        length: text.length - offset,
        ...(url === undefined ? {} : { url }),
        ...(language === undefined ? {} : { language })
      })
      if (entity !== undefined) entities.push(entity)
    }
  }
  for (const run of runs) {
    if (run.text === "") continue
    const wanted = allowed(run.formats)
    const ended = open.findIndex(({ format }) => !wanted.includes(format))
    if (ended >= 0) closeFrom(ended)
    for (const format of wanted) {
      if (!open.some((one) => one.format === format)) open.push({ format, offset: text.length })
    }
    text += run.text
  }
  closeFrom(0)
  return { text, entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length) }
}
