/**
 * `parse_mode: HTML` turned into text and entities as strictly as Telegram does it: what is unbalanced or unknown
 * is refused with the byte offset Telegram would name.
 */
import { Result } from "effect"
import type { EntityInput, Formatted } from "./Entities.ts"
import { type Answer, badRequest } from "./Refusal.ts"

interface Open {
  readonly tag: string
  readonly entity: Omit<EntityInput, "offset" | "length"> | undefined
  readonly offset: number
}

const cannot = (why: string) => badRequest(`can't parse entities: ${why}`)
const byteOffset = (source: string, at: number) => Buffer.byteLength(source.slice(0, at))

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"' }

const unescapeHtml = (source: string): string =>
  source.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return named[String(name).toLowerCase()] ?? all
    const code = Number.parseInt(hex ?? decimal, hex === undefined ? 10 : 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all
  })

const simpleTags: Readonly<Record<string, string>> = {
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  "tg-spoiler": "spoiler",
  code: "code",
  pre: "pre"
}

const attribute = (attributes: string, name: string): string | undefined => {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, "i").exec(
    attributes
  )
  const value = match?.[1] ?? match?.[2] ?? match?.[3]
  return value === undefined ? undefined : unescapeHtml(value)
}

/** The entity a start tag opens; `undefined` for a tag Telegram does not know. */
const opened = (tag: string, attributes: string): Open["entity"] | "none" | undefined => {
  const type = simpleTags[tag]
  if (type !== undefined) return { type }
  if (tag === "a") {
    const url = attribute(attributes, "href")
    return url === undefined || url === "" ? "none" : { type: "text_link", url }
  }
  if (tag === "span") return attribute(attributes, "class") === "tg-spoiler" ? { type: "spoiler" } : undefined
  if (tag === "tg-emoji") {
    return { type: "custom_emoji", custom_emoji_id: attribute(attributes, "emoji-id") ?? "" }
  }
  if (tag === "blockquote") {
    return { type: /(?:^|\s)expandable\b/i.test(attributes) ? "expandable_blockquote" : "blockquote" }
  }
  return undefined
}

export const parseHtml = (source: string): Answer<Formatted> => {
  let text = ""
  const entities: Array<EntityInput> = []
  const stack: Array<Open> = []
  const tags = /<(\/?)([a-z-]*)((?:"[^"]*"|'[^']*'|[^<>"'])*)>|</gi
  let from = 0
  for (const match of source.matchAll(tags)) {
    text += unescapeHtml(source.slice(from, match.index))
    from = match.index + match[0].length
    const at = byteOffset(source, match.index)
    const tag = match[2]?.toLowerCase()
    if (tag === undefined || tag === "") return cannot(`Unexpected end tag at byte offset ${at}`)
    if (match[1] === "/") {
      const open = stack.pop()
      if (open === undefined) return cannot(`Unexpected end tag at byte offset ${at}`)
      if (open.tag !== tag) {
        return cannot(`Unmatched end tag at byte offset ${at}, expected "</${open.tag}>", found "</${tag}>"`)
      }
      const length = text.length - open.offset
      if (open.entity !== undefined && length > 0) {
        entities.push({ ...open.entity, offset: open.offset, length })
      }
      continue
    }
    const outer = stack.at(-1)
    const language = /^language-(.+)$/.exec(attribute(match[3] ?? "", "class") ?? "")?.[1]
    if (tag === "code" && outer?.tag === "pre" && outer.offset === text.length && language !== undefined) {
      stack.splice(-1, 1, { ...outer, entity: { type: "pre", language } })
      stack.push({ tag, entity: undefined, offset: text.length })
      continue
    }
    const entity = opened(tag, match[3] ?? "")
    if (entity === undefined) return cannot(`Unsupported start tag "${tag}" at byte offset ${at}`)
    stack.push({ tag, entity: entity === "none" ? undefined : entity, offset: text.length })
  }
  text += unescapeHtml(source.slice(from))
  const left = stack.at(-1)
  if (left !== undefined) return cannot(`Can't find end tag corresponding to start tag "${left.tag}"`)
  return Result.succeed({
    text,
    entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length)
  })
}
