/**
 * `parse_mode`: HTML and MarkdownV2 turned into text and entities as strictly as Telegram does it. What is
 * unbalanced or unescaped is refused with the byte offset Telegram would name.
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

const reserved = new Set("_*[]()~`>#+-=|{}.!")
const markers: ReadonlyArray<readonly [string, string]> = [
  ["||", "spoiler"],
  ["__", "underline"],
  ["_", "italic"],
  ["*", "bold"],
  ["~", "strikethrough"]
]

/** From `at`, the content up to the unescaped `end`, with its escapes taken off. */
const verbatim = (
  source: string,
  at: number,
  end: string
): { content: string; after: number } | undefined => {
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

export const parseMarkdown = (source: string): Answer<Formatted> => {
  let text = ""
  const entities: Array<EntityInput> = []
  const stack: Array<Open> = []
  let quote: number | undefined
  let index = 0
  const close = (entity: Open["entity"], offset: number) => {
    if (entity !== undefined && text.length > offset) {
      entities.push({ ...entity, offset, length: text.length - offset })
    }
  }
  const lineStart = () => index === 0 || source[index - 1] === "\n"
  while (index < source.length) {
    const at = byteOffset(source, index)
    if (quote !== undefined && lineStart() && source[index] !== ">") {
      close({ type: "blockquote" }, quote)
      quote = undefined
    }
    const char = source[index] ?? ""
    if (char === "\\" && index + 1 < source.length) {
      text += source[index + 1]
      index += 2
      continue
    }
    if (char === ">" && lineStart()) {
      quote ??= text.length
      index++
      continue
    }
    if (char === "`") {
      const fence = source.startsWith("```", index) ? "```" : "`"
      const inner = verbatim(source, index + fence.length, fence)
      if (inner === undefined) {
        return cannot(`Can't find end of ${fence === "`" ? "Code" : "Pre"} entity at byte offset ${at}`)
      }
      const language = fence === "```" ? /^([^\s`]*)\n/.exec(inner.content)?.[1] : undefined
      const offset = text.length
      text += language === undefined ? inner.content : inner.content.slice(language.length + 1)
      close(fence === "`" ? { type: "code" } : { type: "pre", ...(language ? { language } : {}) }, offset)
      index = inner.after
      continue
    }
    if (char === "[" || (char === "!" && source[index + 1] === "[")) {
      stack.push({ tag: char === "[" ? "]" : "!", entity: undefined, offset: text.length })
      index += char === "[" ? 1 : 2
      continue
    }
    const inLink = stack.findLast(({ tag }) => tag === "]" || tag === "!")
    if (char === "]" && inLink !== undefined && stack.at(-1) === inLink) {
      stack.pop()
      if (source[index + 1] !== "(") {
        index++
        continue
      }
      const target = verbatim(source, index + 2, ")")
      if (target === undefined) return cannot(`Can't find end of a URL at byte offset ${at}`)
      const emoji = /^tg:\/\/emoji\?id=(\d+)$/.exec(target.content)?.[1]
      close(
        emoji === undefined
          ? { type: "text_link", url: target.content }
          : { type: "custom_emoji", custom_emoji_id: emoji },
        inLink.offset
      )
      index = target.after
      continue
    }
    const marker = markers.find(([mark]) => source.startsWith(mark, index))
    if (marker !== undefined) {
      const open = stack.at(-1)
      index += marker[0].length
      if (open?.tag === marker[0]) {
        stack.pop()
        close(open.entity, open.offset)
      } else if (stack.some(({ tag }) => tag === marker[0])) {
        return cannot(`Can't find end of ${open?.entity?.type ?? "link"} entity at byte offset ${at}`)
      } else {
        stack.push({ tag: marker[0], entity: { type: marker[1] }, offset: text.length })
      }
      continue
    }
    if (reserved.has(char)) {
      return cannot(`Character '${char}' is reserved and must be escaped with the preceding '\\'`)
    }
    text += char
    index++
  }
  if (quote !== undefined) close({ type: "blockquote" }, quote)
  const left = stack.at(-1)
  if (left !== undefined) {
    return cannot(
      `Can't find end of ${left.entity?.type ?? "link"} entity at byte offset ${byteOffset(source, source.length)}`
    )
  }
  return Result.succeed({
    text,
    entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length)
  })
}
