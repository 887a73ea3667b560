/** HTML inside Markdown: what a tag means for the text around it, and blocks of HTML as their text. Pure. */
import { decodeNamedCharacterReference } from "decode-named-character-reference"
import { linkFormat, pictured } from "./Links.ts"
import { also, bare, type Format, type Run, type Runs, textOf } from "./Runs.ts"

export interface Tag {
  readonly name: string
  readonly closes: boolean
  readonly attribute: (name: string) => string | undefined
}

const numeric = (reference: string): string => {
  const code = /^#x/i.test(reference) ? Number.parseInt(reference.slice(2), 16) : Number(reference.slice(1))
  const bad = !(code > 0 && code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)
  return bad ? "\uFFFD" : String.fromCodePoint(code)
}

const decoded = (text: string): string =>
  text.replace(/&(#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,30});/gi, (all, reference: string) =>
    reference.startsWith("#") ? numeric(reference) : decodeNamedCharacterReference(reference) || all
  )

/** Undefined for a comment, a declaration and the like. */
export const readTag = (html: string): Tag | undefined => {
  const match = /^<(\/?)([a-z][a-z\d-]*)([\s\S]*)>$/i.exec(html)
  if (match === null) return undefined
  const attributes = match[3] ?? ""
  return {
    name: match[2]!.toLowerCase(),
    closes: match[1] === "/",
    attribute: (name) => {
      const value = new RegExp(`(?:^|\\s)${name}\\s*=\\s*("[^"]*"|'[^']*'|[^\\s"'>]+)`, "i").exec(attributes)
      return value === null ? undefined : decoded(value[1]!.replace(/^(["'])(.*)\1$/s, "$2"))
    }
  }
}

const simple: { readonly [name: string]: Format["type"] } = {
  b: "bold",
  strong: "bold",
  h1: "bold",
  h2: "bold",
  h3: "bold",
  h4: "bold",
  h5: "bold",
  h6: "bold",
  th: "bold",
  summary: "bold",
  i: "italic",
  em: "italic",
  cite: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  code: "code",
  kbd: "code",
  samp: "code",
  tt: "code",
  pre: "pre",
  "tg-spoiler": "spoiler"
}

export const tagFormat = (tag: Tag): Format | undefined => {
  if (tag.name === "a") return linkFormat(tag.attribute("href") ?? "")
  const classes = tag.attribute("class")?.split(/\s+/) ?? []
  if (classes.includes("spoiler") || classes.includes("tg-spoiler")) return { type: "spoiler" }
  return Object.hasOwn(simple, tag.name) ? { type: simple[tag.name]! } : undefined
}

/** Tags without an end. */
const single = new Set(["br", "hr", "img", "input", "wbr", "meta", "link", "source", "area", "base", "col"])

/** No text has more; somebody's endless unclosed tags should cost nothing. */
const mostOpen = 64

/** The tags open at a place, from the outermost. An end without a beginning is passed over. */
export const openTags = () => {
  const open: Array<{ readonly name: string; readonly format: Format | undefined }> = []
  const begin = (name: string, format: Format | undefined) => {
    if (open.length < mostOpen) open.push({ name, format })
  }
  const end = (name: string) => {
    const at = open.findLastIndex((one) => one.name === name)
    if (at >= 0) open.splice(at, 1)
  }
  return {
    begin,
    end,
    see: (tag: Tag) => {
      if (tag.closes) end(tag.name)
      else if (!single.has(tag.name)) begin(tag.name, tagFormat(tag))
    },
    /** With those around. */
    formats: (around: ReadonlyArray<Format>): ReadonlyArray<Format> =>
      open.reduce((formats, { format }) => (format === undefined ? formats : also(formats, format)), around),
    isIn: (...names: ReadonlyArray<string>) => open.some(({ name }) => names.includes(name))
  }
}

/** What a tag says by itself: a picture its name; a power is no more digits of the number. */
export const saidBy = (tag: Tag): string => {
  if (tag.closes) return ""
  if (tag.name === "img") return pictured(tag.attribute("alt"), tag.attribute("src"))
  return tag.name === "sup" ? "^" : ""
}

/** Tags that begin a line of their own. */
const ownLine =
  /^(?:address|article|aside|blockquote|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|summary|table|tr|ul)$/

/** What a browser shows nothing of. */
const hidden = ["script", "style", "title", "template"]

const token = /<!--|<[!?][^>]*>?|<\/?[a-z][^<>]*>|[^<]+|</gi

/** Tags, and the text between them; comments are left out. */
const tokensOf = function* (html: string): Generator<string> {
  token.lastIndex = 0
  const scanner = new RegExp(token)
  for (let found = scanner.exec(html); found !== null; found = scanner.exec(html)) {
    if (found[0] !== "<!--") {
      yield found[0]
      continue
    }
    const end = html.indexOf("-->", scanner.lastIndex)
    if (end < 0) return
    scanner.lastIndex = end + 3
  }
}

/** The text of a block of HTML as a browser lays it out, roughly: its lines, its formats, its pictures' names. */
export const htmlBlock = (html: string): Runs => {
  const runs: Array<Run> = []
  const tags = openTags()
  const endsWith = (pattern: RegExp) => pattern.test(runs.at(-1)?.text ?? "\n")
  const say = (text: string) => {
    if (text !== "") runs.push({ text, formats: tags.formats([]) })
  }
  const newLine = () => {
    const last = runs.pop()
    if (last === undefined) return
    const text = last.text.replace(/ $/, "")
    runs.push({ ...last, text })
    if (!text.endsWith("\n")) runs.push(bare("\n"))
  }
  for (const piece of tokensOf(html)) {
    const tag = piece.startsWith("<") ? readTag(piece) : undefined
    if (tag === undefined) {
      if (/^<[!?]/.test(piece) || tags.isIn(...hidden)) continue
      const text = decoded(piece)
      if (tags.isIn("pre")) say(text)
      else say(text.replace(/[ \t\r\n\f]+/g, " ").replace(/^ /, endsWith(/\s$/) ? "" : " "))
      continue
    }
    tags.see(tag)
    if (tag.name === "br") say("\n")
    else if (ownLine.test(tag.name)) newLine()
    else if (/^t[dh]$/.test(tag.name)) say(endsWith(/\s$/) ? "" : " ")
    if (tag.name === "li" && !tag.closes) say("• ")
    say(saidBy(tag))
  }
  return trimRuns(runs)
}

const trimRuns = (runs: ReadonlyArray<Run>): Runs => {
  const whole = textOf(runs)
  const start = whole.length - whole.trimStart().length
  const end = whole.trimEnd().length
  let at = 0
  return runs.flatMap(({ text, formats }) => {
    const from = Math.max(start - at, 0)
    const to = Math.min(end - at, text.length)
    at += text.length
    return to > from ? [{ text: text.slice(from, to), formats }] : []
  })
}
