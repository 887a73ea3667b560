/**
 * The YAML between the first two `---` lines of a note. People edit it: it is read tolerantly, and changed
 * by replacing single values in the text, so that their keys, comments, quotes and order stay as they are.
 */
import { type Document, isMap, isScalar, isSeq, type Node, parseDocument, type YAMLSeq } from "yaml"
import { NoteId } from "../domain/Ids.ts"

/** `head + yaml + tail + body` is the text; without front matter all but `body` are empty. */
export interface Parts {
  readonly head: string
  readonly yaml: string
  readonly tail: string
  readonly body: string
}

export const split = (text: string): Parts => {
  const opening = /^\uFEFF?---[ \t]*\n/.exec(text)?.[0]
  if (opening === undefined) return { head: "", yaml: "", tail: "", body: text }
  const closing = /(?<=\n)---[ \t]*(?:\n|$)/g
  closing.lastIndex = opening.length
  const found = closing.exec(text)
  if (found === null) return { head: "", yaml: "", tail: "", body: text }
  const end = found.index + found[0].length
  return {
    head: opening,
    yaml: text.slice(opening.length, found.index),
    tail: found[0],
    body: text.slice(end)
  }
}

/** Words that some YAML reader takes for something else than text. */
const special = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/i

/** A scalar that means the same in block and flow style, and to readers of YAML 1.1 and 1.2. */
const scalar = (value: unknown): string => {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null"
  const plain = /^\p{L}(?:[\p{L}\p{N}\p{M} _/.-]*[\p{L}\p{N}\p{M}])?$/u.test(value) && !special.test(value)
  if (plain || /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return value
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
}

/**
 * YAML of plain data, one line a scalar, whatever the strings hold. By hand: it is part of every note that is
 * written, and a library that can do everything takes ten times as long.
 */
export const write = (data: Readonly<Record<string, unknown>>): string =>
  Object.entries(data)
    .map(([key, value]) => `${scalar(key)}:${nested(value, "")}\n`)
    .join("")

/** What follows a colon or a dash. */
const nested = (value: unknown, indent: string): string => {
  if (typeof value !== "object" || value === null) return ` ${scalar(value)}`
  const inner = `${indent}  `
  const lines = Array.isArray(value)
    ? value.map((item) => `\n${inner}-${nested(item, inner)}`)
    : Object.entries(value).map(([key, item]) => `\n${inner}${scalar(key)}:${nested(item, inner)}`)
  return lines.length > 0 ? lines.join("") : Array.isArray(value) ? " []" : " {}"
}

/** No front matter of ours comes near it, and parsing someone's megabytes of brackets would take seconds. */
const longest = 100_000

/** Undefined for what is not a YAML mapping. */
const parse = (yaml: string): Document | undefined => {
  if (yaml.length > longest) return undefined
  const document = parseDocument(yaml, { intAsBigInt: true, uniqueKeys: false, logLevel: "silent" })
  return document.errors.length === 0 && isMap(document.contents) ? document : undefined
}

/** What a note's front matter says of it; what it does not say, or not as we write it, is absent. */
export interface Meta {
  readonly id?: NoteId
  readonly title?: string
  readonly category?: string
  readonly tags?: ReadonlyArray<string>
}

export const read = (yaml: string): Meta => {
  const document = parse(yaml)
  if (document === undefined) return {}
  const text = (key: string): string | undefined => {
    const value = document.get(key)
    return typeof value === "string" && value.trim() !== "" ? value : undefined
  }
  const [id, title, category] = [idIn(yaml), text("title"), text("category")]
  const tags = document.get("tags")
  return {
    ...(id === undefined ? {} : { id }),
    ...(title === undefined ? {} : { title }),
    ...(category === undefined ? {} : { category }),
    ...(isSeq(tags) ? { tags: strings(tags) } : {})
  }
}

/** The id alone, found without parsing, also in the cut-off beginning of a front matter. */
export const idIn = (yaml: string): NoteId | undefined => {
  const id = /^id:[ \t]*(["']?)([0-9a-hjkmnp-tv-z]{12})\1[ \t]*(?:#.*)?$/m.exec(yaml)?.[2]
  return id === undefined ? undefined : NoteId.make(id)
}

/** Aliases and nested values count as nothing; numbers and the like as they are written. */
const strings = (seq: YAMLSeq): ReadonlyArray<string> =>
  seq.items.flatMap((item) =>
    isScalar(item) ? [typeof item.value === "string" ? item.value : (item.source ?? "")] : []
  )

/** What to change. A key that is missing, or is not what we once wrote there, stays as the person left it. */
export interface Update {
  readonly updated?: string
  readonly category?: string
  /** Added to `tags` where missing, compared without case. */
  readonly tags?: ReadonlyArray<string>
  /** Added to `source.messages` where missing. */
  readonly messages?: ReadonlyArray<number>
}

export const update = (yaml: string, change: Update): string => {
  let text = yaml
  if (change.category !== undefined) text = replaceScalar(text, "category", change.category)
  for (const tag of change.tags ?? []) text = addItem(text, ["tags"], tag)
  for (const message of change.messages ?? []) text = addItem(text, ["source", "messages"], message)
  if (change.updated !== undefined) text = replaceScalar(text, "updated", change.updated)
  return text
}

/** The change is kept only if the result reads as meant; a construct not foreseen here leaves the text alone. */
const verified = (before: string, after: string, holds: (document: Document) => boolean): string => {
  const document = parse(after)
  return document !== undefined && holds(document) ? after : before
}

const replaceScalar = (yaml: string, key: string, value: string): string => {
  const node = parse(yaml)?.get(key, true)
  if (!isScalar(node) || !node.range || node.value === value) return yaml
  const [start, end] = node.range
  const after = yaml.slice(0, start) + scalar(value) + yaml.slice(end)
  return verified(yaml, after, (document) => document.get(key) === value)
}

const addItem = (yaml: string, path: ReadonlyArray<string>, value: string | number): string => {
  const seq = parse(yaml)?.getIn(path, true)
  if (!isSeq(seq) || !seq.range) return yaml
  const wanted = String(value).toLowerCase()
  const before = strings(seq)
  if (before.some((item) => item.toLowerCase() === wanted)) return yaml
  const after = seq.flow ? addToFlow(yaml, seq, scalar(value)) : addToBlock(yaml, seq, scalar(value))
  return verified(yaml, after, (document) => {
    const now = document.getIn(path, true)
    return isSeq(now) && strings(now).length === before.length + 1 && strings(now).at(-1) === String(value)
  })
}

const addToFlow = (yaml: string, seq: YAMLSeq, item: string): string => {
  const close = seq.range![1] - 1
  const inside = yaml.slice(seq.range![0] + 1, close).trimEnd()
  const at = seq.range![0] + 1 + inside.length
  const comma = inside === "" || inside.endsWith(",") ? "" : ","
  return `${yaml.slice(0, at)}${comma}${inside === "" ? "" : " "}${item}${yaml.slice(at)}`
}

/** On a line of its own after the last item and its comment, with that item's indentation. */
const addToBlock = (yaml: string, seq: YAMLSeq, item: string): string => {
  const last = seq.items.at(-1) as Node | undefined
  if (!last?.range) return yaml
  const [start, end] = last.range
  const dash = /[ \t]*-[ \t]+$/.exec(yaml.slice(yaml.lastIndexOf("\n", start - 1) + 1, start))?.[0]
  if (dash === undefined) return yaml
  const lineEnd = yaml.indexOf("\n", Math.max(start, end - 1))
  return lineEnd === -1
    ? `${yaml}\n${dash}${item}`
    : `${yaml.slice(0, lineEnd)}\n${dash}${item}${yaml.slice(lineEnd)}`
}
