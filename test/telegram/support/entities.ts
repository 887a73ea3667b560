/** What Telegram asks of a text with entities, said without any of our own machinery. */
import { assert } from "@effect/vitest"
import type { FormattedText, TextEntity } from "../../../src/domain/FormattedText.ts"

const known = new Set([
  "bold",
  "italic",
  "underline",
  "strikethrough",
  "spoiler",
  "code",
  "pre",
  "text_link",
  "blockquote",
  "expandable_blockquote"
])
const isQuote = ({ type }: TextEntity) => type.endsWith("blockquote")
const isCode = ({ type }: TextEntity) => type === "code" || type === "pre"
const endOf = ({ offset, length }: TextEntity) => offset + length

const splitsPair = (text: string, at: number) =>
  /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(at - 1, at + 1))

const one = (text: string, entity: TextEntity) => {
  const shown = text.slice(entity.offset, endOf(entity))
  const said = `${entity.type} ${JSON.stringify(shown)}`
  assert.isTrue(known.has(entity.type), entity.type)
  assert.isAtLeast(entity.offset, 0)
  assert.isAbove(entity.length, 0)
  assert.isAtMost(endOf(entity), text.length, said)
  assert.isFalse(splitsPair(text, entity.offset) || splitsPair(text, endOf(entity)), said)
  assert.strictEqual(shown.trimEnd(), shown, said)
  // The first line of code keeps its indentation.
  if (entity.type === "pre" || isQuote(entity)) assert.notMatch(shown, /^[^\S\n]*\n/, said)
  else assert.strictEqual(shown.trimStart(), shown, said)
  if (entity.type === "text_link") assert.isTrue(URL.canParse(entity.url ?? ""), said)
  else assert.isUndefined(entity.url)
}

/** Fails unless every entity is one Telegram shows as it is. */
export const checkEntities = ({ text, entities }: FormattedText): void => {
  const open: Array<TextEntity> = []
  let before = 0
  for (const entity of entities) {
    one(text, entity)
    assert.isAtLeast(entity.offset, before, "in order")
    before = entity.offset
    while (open.length > 0 && endOf(open.at(-1)!) <= entity.offset) open.pop()
    for (const outer of open) {
      const pair = `${entity.type} in ${outer.type}`
      assert.isAtMost(endOf(entity), endOf(outer), pair)
      assert.isFalse(isCode(outer), pair)
      assert.isFalse(isQuote(entity), pair)
      if (isCode(entity)) assert.isTrue(isQuote(outer), pair)
      assert.notStrictEqual(entity.type, outer.type, pair)
    }
    open.push(entity)
  }
}

/** The UTF-16 units a reader sees, each with its formats and where it leads. */
export const visible = ({ text, entities }: FormattedText): ReadonlyArray<string> => {
  const formats = Array.from({ length: text.length }, (): Array<string> => [])
  for (const { type, offset, length, url = "", language = "" } of entities) {
    for (let at = offset; at < offset + length; at++) formats[at]?.push(`${type}${url}${language}`)
  }
  return formats.flatMap((here, at) => (/\S/.test(text[at]!) ? [`${text[at]} ${here.sort().join(" ")}`] : []))
}

/** The text with its entities as tags, for the eye. */
export const tagged = ({ text, entities }: FormattedText): string => {
  const tags = new Map<number, string>()
  const put = (at: number, tag: string, side: "before" | "after") => {
    const there = tags.get(at) ?? ""
    tags.set(at, side === "before" ? tag + there : there + tag)
  }
  // Ends first, the inner before the outer; then beginnings, the outer first.
  for (const entity of entities) put(endOf(entity), `</${entity.type}>`, "before")
  for (const { type, offset, url, language } of entities) {
    const more = url ?? language
    put(offset, more === undefined ? `<${type}>` : `<${type} ${more}>`, "after")
  }
  return Array.from({ length: text.length + 1 }, (_, at) => (tags.get(at) ?? "") + (text[at] ?? "")).join("")
}
