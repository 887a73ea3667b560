/**
 * `parse_mode: MarkdownV2` turned into text and entities as strictly as Telegram does it: what is unbalanced or
 * not escaped is refused with the byte offset Telegram would name.
 */
import { Result } from "effect"
import type { EntityInput, Formatted } from "./Entities.ts"
import { type Answer, badRequest } from "./Refusal.ts"

type Kind = Omit<EntityInput, "offset" | "length">

/** An entity begun; `mark` ends it. Link texts end with "]" and get their target then. */
interface Open {
  readonly mark: string
  readonly type: string
  readonly offset: number
}

interface Scan {
  readonly source: string
  readonly entities: Array<EntityInput>
  readonly stack: Array<Open>
  index: number
  text: string
  /** Where the quotation of the current lines began in the text. */
  quote: number | undefined
}

/** Undefined: not mine. Otherwise the scan has moved on, or is refused. */
type Rule = (scan: Scan, char: string) => Answer<void> | undefined

const moved: Answer<void> = Result.succeed(undefined)
const refused = (why: string) => badRequest(`can't parse entities: ${why}`)
const noEnd = ({ source }: Scan, what: string, at: number) =>
  refused(`Can't find end of ${what} at byte offset ${Buffer.byteLength(source.slice(0, at))}`)

const reserved = new Set("_*[]()~`>#+-=|{}.!")
const marks: ReadonlyArray<readonly [string, string]> = [
  ["||", "spoiler"],
  ["__", "underline"],
  ["_", "italic"],
  ["*", "bold"],
  ["~", "strikethrough"]
]

const close = (scan: Scan, kind: Kind, offset: number) => {
  const length = scan.text.length - offset
  if (length > 0) scan.entities.push({ ...kind, offset, length })
}

/** From `at`, the content up to the unescaped `end`, with its escapes taken off. */
const verbatim = (source: string, at: number, end: string) => {
  let content = ""
  let index = at
  while (index < source.length) {
    if (source.startsWith(end, index)) return { content, after: index + end.length }
    if (source[index] === "\\" && index + 1 < source.length) index++
    content += source[index]
    index++
  }
  return undefined
}

const atLineStart = ({ source, index }: Scan) => index === 0 || source[index - 1] === "\n"

const escaped: Rule = (scan, char) => {
  if (char !== "\\" || scan.index + 1 >= scan.source.length) return undefined
  scan.text += scan.source[scan.index + 1]
  scan.index += 2
  return moved
}

const quoted: Rule = (scan, char) => {
  if (char !== ">" || !atLineStart(scan)) return undefined
  scan.quote ??= scan.text.length
  scan.index++
  return moved
}

const code: Rule = (scan, char) => {
  if (char !== "`") return undefined
  const fence = scan.source.startsWith("```", scan.index) ? "```" : "`"
  const inner = verbatim(scan.source, scan.index + fence.length, fence)
  if (inner === undefined) return noEnd(scan, fence === "`" ? "Code entity" : "Pre entity", scan.index)
  const language = fence === "`" ? undefined : /^([^\s`]*)\n/.exec(inner.content)?.[1]
  const offset = scan.text.length
  scan.text += language === undefined ? inner.content : inner.content.slice(language.length + 1)
  close(scan, { type: fence === "`" ? "code" : "pre", ...(language ? { language } : {}) }, offset)
  scan.index = inner.after
  return moved
}

const linkBegins: Rule = (scan, char) => {
  const emoji = char === "!" && scan.source[scan.index + 1] === "["
  if (char !== "[" && !emoji) return undefined
  scan.stack.push({ mark: "]", type: "link", offset: scan.text.length })
  scan.index += emoji ? 2 : 1
  return moved
}

const linkEnds: Rule = (scan, char) => {
  const open = scan.stack.at(-1)
  if (char !== "]" || open?.mark !== "]") return undefined
  scan.stack.pop()
  if (scan.source[scan.index + 1] !== "(") {
    scan.index++
    return moved
  }
  const target = verbatim(scan.source, scan.index + 2, ")")
  if (target === undefined) return noEnd(scan, "a URL", scan.index)
  const emoji = /^tg:\/\/emoji\?id=(\d+)$/.exec(target.content)?.[1]
  const link = { type: "text_link", url: target.content }
  close(scan, emoji === undefined ? link : { type: "custom_emoji", custom_emoji_id: emoji }, open.offset)
  scan.index = target.after
  return moved
}

const marked: Rule = (scan) => {
  const [mark, type] = marks.find(([each]) => scan.source.startsWith(each, scan.index)) ?? []
  if (mark === undefined || type === undefined) return undefined
  const open = scan.stack.at(-1)
  if (open !== undefined && open.mark !== mark && scan.stack.some((each) => each.mark === mark)) {
    return noEnd(scan, `${open.type} entity`, scan.index)
  }
  scan.index += mark.length
  if (open?.mark !== mark) scan.stack.push({ mark, type, offset: scan.text.length })
  else {
    scan.stack.pop()
    close(scan, { type }, open.offset)
  }
  return moved
}

const plain: Rule = (scan, char) => {
  if (reserved.has(char)) {
    return refused(`Character '${char}' is reserved and must be escaped with the preceding '\\'`)
  }
  scan.text += char
  scan.index++
  return moved
}

const rules: ReadonlyArray<Rule> = [escaped, quoted, code, linkBegins, linkEnds, marked, plain]

const endQuote = (scan: Scan) => {
  if (scan.quote !== undefined) close(scan, { type: "blockquote" }, scan.quote)
  scan.quote = undefined
}

export const parseMarkdown = (source: string): Answer<Formatted> => {
  const scan: Scan = { source, entities: [], stack: [], index: 0, text: "", quote: undefined }
  while (scan.index < source.length) {
    const char = source[scan.index] ?? ""
    if (atLineStart(scan) && char !== ">") endQuote(scan)
    for (const rule of rules) {
      const answer = rule(scan, char)
      if (answer === undefined) continue
      if (Result.isFailure(answer)) return Result.fail(answer.failure)
      break
    }
  }
  endQuote(scan)
  const left = scan.stack.at(-1)
  if (left !== undefined) return noEnd(scan, `${left.type} entity`, source.length)
  const entities = scan.entities.sort((a, b) => a.offset - b.offset || b.length - a.length)
  return Result.succeed({ text: scan.text, entities })
}
