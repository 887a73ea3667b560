/**
 * A note as a Markdown file: how a draft is written down, and how messages are put into a file that a
 * person may have changed since.
 */
import type { NoteDraft, NoteMember } from "../domain/Note.ts"
import * as FrontMatter from "./FrontMatter.ts"
import { isoTime, slugOf } from "./NotePath.ts"

/**
 * Text that PostgreSQL and every editor can hold: no NUL (CommonMark's replacement for it instead), no half
 * of a surrogate pair, `\n` between lines.
 */
export const cleanText = (text: string): string =>
  text.replaceAll("\0", "\uFFFD").toWellFormed().replace(/\r\n?/g, "\n")

/** One line without control and direction-changing characters, at most `limit` characters. */
const cleanLine = (text: string, limit: number): string =>
  [
    ...cleanText(text)
      .replace(/[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, "")
      .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
      .trim()
  ]
    .slice(0, limit)
    .join("")
    .trim()

const cleanTitle = (title: string): string => cleanLine(title, 200) || "Untitled"

const cleanBlock = (block: string): string =>
  cleanText(block)
    .replace(/^(?:[ \t]*\n)+/, "")
    .trimEnd()

const cleanJson = (value: unknown): unknown => {
  if (typeof value === "string") return cleanText(value)
  if (Array.isArray(value)) return value.map(cleanJson)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleanJson(item)]))
}

/** Tags as Obsidian takes them: no `#`, no blanks, each once whatever its case. */
export const cleanTags = (tags: ReadonlyArray<string>): ReadonlyArray<string> => {
  const byKey = new Map<string, string>()
  for (const tag of tags) {
    const clean = cleanLine(tag.replace(/^#+/, ""), 100).replace(/[\s,[\]{}"'#]+/g, "-")
    if (clean !== "" && !byKey.has(clean.toLowerCase())) byKey.set(clean.toLowerCase(), clean)
  }
  return [...byKey.values()]
}

export const cleanMember = (member: NoteMember): NoteMember => ({
  ...member,
  ...(member.albumId === undefined ? {} : { albumId: cleanText(member.albumId) }),
  block: cleanBlock(member.block)
})

/** The draft as it can be written: harmless title, category and tags; texts without NUL. */
export const cleanDraft = (draft: NoteDraft): NoteDraft => ({
  ...draft,
  title: cleanTitle(draft.title),
  category: slugOf(draft.category),
  tags: cleanTags(draft.tags),
  source: cleanJson(draft.source) as NoteDraft["source"],
  members: draft.members.map(cleanMember)
})

const encoder = new TextEncoder()

/** The file of a clean draft. Its first heading is the title, which Obsidian shows, unless a block brings it. */
export const render = (draft: NoteDraft): Uint8Array => {
  const blocks = draft.members.map((member) => member.block).filter((block) => block !== "")
  const heading = startsWithTitle(blocks[0] ?? "", draft.title) ? [] : [`# ${escapeHeading(draft.title)}`]
  const yaml = FrontMatter.write({
    id: draft.id,
    title: draft.title,
    created: isoTime(draft.created),
    updated: isoTime(draft.updated),
    category: draft.category,
    tags: draft.tags,
    source: draft.source
  })
  return encoder.encode(`---\n${yaml}---\n\n${[...heading, ...blocks].join("\n\n")}\n`)
}

/** Only what would be markup at its place, so that `snake_case`, `C#` and `fish & chips` read as typed. */
const escapeHeading = (title: string): string =>
  title.replace(/[\\`*[\]<>|~$]|(?<!\S)#|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|==|%%|&(?=#?\w+;)/gu, "\\$&")

const startsWithTitle = (block: string, title: string): boolean => {
  const heading = /^#{1,6}[ \t]+(.*)/.exec(block)?.[1]
  const bare = (text: string) => text.replace(/[\\`*_#\s]/g, "")
  return heading !== undefined && bare(heading) === bare(title)
}

/** The text of a file without its front matter; undecodable bytes as replacement characters. */
export const bodyText = (bytes: Uint8Array): string =>
  FrontMatter.split(cleanText(new TextDecoder().decode(bytes))).body

/** What the front matter of a file says of its note, as clean as what we write ourselves. */
const readMeta = (bytes: Uint8Array): FrontMatter.Meta => {
  const { id, title, category, tags } = FrontMatter.read(
    FrontMatter.split(cleanText(new TextDecoder().decode(bytes))).yaml
  )
  return {
    ...(id === undefined ? {} : { id }),
    ...(title === undefined ? {} : { title: cleanTitle(title) }),
    ...(category === undefined ? {} : { category: slugOf(category) }),
    ...(tags === undefined ? {} : { tags: cleanTags(tags) })
  }
}

/** What a note is called once its file is `bytes`: as the front matter says, if it is this note's. */
export const nameAfter = <A extends Required<Pick<FrontMatter.Meta, "id" | "title" | "category" | "tags">>>(
  note: A,
  bytes: Uint8Array
): A => {
  const meta = readMeta(bytes)
  return meta.id === note.id ? { ...note, ...meta } : note
}

export const sameMessage = (a: NoteMember, b: NoteMember): boolean =>
  a.botId === b.botId && a.chat === b.chat && a.messageId === b.messageId

/** Telegram's order of the texts of one message; the updates tell those of one second apart. */
const byEdit = (a: NoteMember, b: NoteMember): number =>
  (a.edited ?? a.date) - (b.edited ?? b.date) || a.updateId - b.updateId

/** Without the members the note holds with a newer text: edits may come in any order, and late files too. */
export const withoutOutdated = (
  known: ReadonlyArray<NoteMember>,
  members: ReadonlyArray<NoteMember>
): ReadonlyArray<NoteMember> =>
  members.filter((member) => !known.some((one) => sameMessage(one, member) && byEdit(member, one) < 0))

/** The order of messages in a note. */
export const byTime = (a: NoteMember, b: NoteMember): number => a.date - b.date || a.messageId - b.messageId

interface Range {
  readonly start: number
  readonly end: number
}

/**
 * Where each member's block stands in the text, undefined where a person changed it. Blocks are looked for
 * in order, each after the one before, so that equal blocks are told apart; then, for those a person moved,
 * anywhere that is not another's.
 */
export const locate = (
  body: string,
  members: ReadonlyArray<NoteMember>
): ReadonlyArray<Range | undefined> => {
  const found: Array<Range | undefined> = []
  let from = 0
  for (const member of members) {
    const range = findBlock(body, member.block, from, [])
    found.push(range)
    if (range !== undefined) from = range.end
  }
  const taken = found.filter((range) => range !== undefined)
  return members.map((member, index) => {
    const range = found[index] ?? findBlock(body, member.block, 0, taken)
    if (range !== undefined && found[index] === undefined) taken.push(range)
    return range
  })
}

/** Whole lines only: `ok` is not found inside `book`. */
const findBlock = (
  body: string,
  block: string,
  from: number,
  taken: ReadonlyArray<Range>
): Range | undefined => {
  if (block === "") return undefined
  for (let start = body.indexOf(block, from); start !== -1; start = body.indexOf(block, start + 1)) {
    const end = start + block.length
    const whole = (start === 0 || body[start - 1] === "\n") && (end === body.length || body[end] === "\n")
    if (whole && !taken.some((range) => start < range.end && range.start < end)) return { start, end }
  }
  return undefined
}

export interface Amendment {
  /** Clean members: new ones, and edited ones with their new block. */
  readonly members: ReadonlyArray<NoteMember>
  /** Clean tags to add. */
  readonly tags: ReadonlyArray<string>
  /** Unix milliseconds */
  readonly updated: number
}

export interface Amended {
  readonly file: Uint8Array
  /** The members that are new or have a new block. */
  readonly members: ReadonlyArray<NoteMember>
}

/**
 * Puts the amendment into the file as it is now; undefined when it holds everything already. `known` are the
 * note's members with the blocks last written for them.
 */
export const amend = (
  file: Uint8Array,
  known: ReadonlyArray<NoteMember>,
  amendment: Amendment
): Amended | undefined => {
  const members = amendment.members.filter((member) =>
    known.every((one) => !sameMessage(one, member) || one.block !== member.block)
  )
  const text = decode(file)
  if (text === undefined) {
    // Not UTF-8, so not ours to take apart: the person's bytes stay, ours follow.
    if (members.length === 0) return undefined
    const blocks = members.map((member) => member.block).join("\n\n")
    return { file: Buffer.concat([file, encoder.encode(`\n\n${blocks}\n`)]), members }
  }
  const windows = text.includes("\r\n") && !/(?<!\r)\n/.test(text)
  const before = windows ? text.replaceAll("\r\n", "\n") : text
  const after = amendText(before, known, { ...amendment, members })
  if (after === before && members.length === 0) return undefined
  return { file: encoder.encode(windows ? after.replaceAll("\n", "\r\n") : after), members }
}

const decode = (bytes: Uint8Array): string | undefined => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  // A replacement character may be real text; only a round trip tells.
  return text.includes("\uFFFD") && Buffer.compare(encoder.encode(text), bytes) !== 0 ? undefined : text
}

const amendText = (text: string, known: ReadonlyArray<NoteMember>, amendment: Amendment): string => {
  const { head, yaml, tail, body } = FrontMatter.split(text)
  const isNew = (member: NoteMember) => !known.some((one) => sameMessage(one, member))
  const changed = putBlocks(
    body,
    [...known].sort(byTime),
    [...amendment.members].sort(byTime),
    amendment.updated
  )
  const added = FrontMatter.update(yaml, {
    tags: amendment.tags,
    messages: amendment.members.filter(isNew).map((member) => member.messageId)
  })
  if (changed === body && added === yaml) return text
  return head + FrontMatter.update(added, { updated: isoTime(amendment.updated) }) + tail + changed
}

interface Splice extends Range {
  readonly text: string
}

const putBlocks = (
  body: string,
  known: ReadonlyArray<NoteMember>,
  members: ReadonlyArray<NoteMember>,
  updated: number
): string => {
  const ranges = locate(body, known)
  const end = body.trimEnd().length
  const splices: Array<Splice> = []
  const atEnd: Array<string> = []
  for (const member of members) {
    const index = known.findIndex((one) => sameMessage(one, member))
    const range = ranges[index]
    if (range !== undefined) {
      splices.push({ ...range, text: member.block })
      continue
    }
    if (member.block === "") continue
    const rewritten = index !== -1 && known[index]?.block !== ""
    if (rewritten) {
      atEnd.push(`*✎ ${isoTime(updated).slice(0, 16).replace("T", " ")} UTC*`, member.block)
      continue
    }
    const after = ranges.findLast((one, place) => one && byTime(known[place]!, member) < 0)
    const before = ranges.find((one, place) => one && byTime(known[place]!, member) > 0)
    if (after) splices.push({ start: after.end, end: after.end, text: `\n\n${member.block}` })
    else if (before) splices.push({ start: before.start, end: before.start, text: `${member.block}\n\n` })
    else atEnd.push(member.block)
  }
  if (splices.length === 0 && atEnd.length === 0) return body
  for (const block of atEnd) splices.push({ start: end, end, text: end === 0 ? block : `\n\n${block}` })
  const whole = splice(body, splices)
  return atEnd.length === 0 || whole.endsWith("\n") ? whole : `${whole}\n`
}

/** Splices of one place keep their order; a replacement comes before what is added behind it. */
const splice = (text: string, splices: ReadonlyArray<Splice>): string => {
  let result = ""
  let from = 0
  for (const one of splices.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    result += text.slice(from, one.start) + one.text
    from = one.end
  }
  return result + text.slice(from)
}
