/**
 * Revisions as commits, byte for byte the same everywhere: the people, the dates, the message, and a
 * person's own commits, which are reproduced as they were.
 */
import type { Author, Revision } from "../../domain/Note.ts"

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
const encoder = new TextEncoder()

/** Latest second git's own checks take without a doubt: the end of the year 2099 of its date code. */
const latest = 4_102_444_799

const controls = /\p{Cc}/gu

/** Names and e-mails may not hold `<`, `>`, a line break or a NUL; git's fsck insists on it. */
const person = (author: Author): string => {
  const clean = (text: string) => text.toWellFormed().replace(controls, " ").replace(/[<>]/g, "").trim()
  const name = clean(author.name).slice(0, 200).trim().toWellFormed()
  const email = clean(author.email).replace(/\s+/g, "").slice(0, 200).toWellFormed()
  return `${name === "" ? "Unknown" : name} <${email}>`
}

/** `name <email> seconds +0000` */
export const signature = (revision: Pick<Revision, "author" | "date">): string =>
  `${person(revision.author)} ${Math.min(Math.max(Math.floor(revision.date / 1000), 0), latest)} +0000`

/** The message as it is committed, with the trailer that names the revision. */
export const commitMessage = (revision: Pick<Revision, "message" | "number">): string => {
  const text = revision.message
    .toWellFormed()
    .replace(/\r\n?/g, "\n")
    .replace(/[^\P{Cc}\n\t]/gu, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim()
  return `${text === "" ? `Revision ${revision.number}` : text}\n\nZapiska-Revision: ${revision.number}\n`
}

export interface RawCommit {
  readonly tree: string
  readonly parents: ReadonlyArray<string>
  readonly author: Author
  /** Unix milliseconds of the author's date. */
  readonly date: number
  readonly message: string
}

/** Header lines and message of a commit object; headers go on in lines that start with a blank. */
const partsOf = (raw: Uint8Array) => {
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
  const end = text.indexOf("\n\n")
  const head = end === -1 ? text : text.subarray(0, end)
  return {
    lines: decoder.decode(head).trimEnd().split("\n"),
    head,
    message: end === -1 ? new Uint8Array() : text.subarray(end + 2)
  }
}

/** What we take from a person's commit. Never fails: what is missing reads as empty. */
export const readCommit = (raw: Uint8Array): RawCommit => {
  const { lines, message } = partsOf(raw)
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1))
  const [, name = "", email = "", seconds = "0"] =
    /^(.*?) ?<([^>]*)> (-?\d+)/.exec(values("author")[0] ?? "") ?? []
  return {
    tree: values("tree")[0] ?? "",
    parents: values("parent"),
    // The database stores no NUL; git writes none, but a commit can be made without git.
    author: { name: name.replaceAll("\0", ""), email: email.replaceAll("\0", "") },
    date: Math.min(Math.max(Number(seconds) || 0, 0), latest) * 1000,
    message: decoder.decode(message).replaceAll("\0", "").trim()
  }
}

/** A commit `git fast-import` writes with the same bytes: no signature, no headers of other tools. */
export interface PlainCommit {
  readonly author: string
  readonly committer: string
  readonly message: Uint8Array
}

const plainSignature = /^[^<>\n\0 ][^<>\n\0]* <[^<>\n\0]*> (?:0|[1-9]\d{0,9}) [+-](?:0\d|1[0-3])[0-5]\d$/

export const plainCommit = (raw: Uint8Array): PlainCommit | undefined => {
  const { lines, head, message } = partsOf(raw)
  const keys = lines.map((line) => line.split(" ", 1)[0])
  if (!/^tree(?: parent)? author committer$/.test(keys.join(" "))) return undefined
  const [author = "", committer = ""] = lines.slice(-2).map((line) => line.slice(line.indexOf(" ") + 1))
  if (!plainSignature.test(author) || !plainSignature.test(committer)) return undefined
  // Bytes that are not UTF-8 did not survive decoding.
  if (Buffer.compare(encoder.encode(lines.join("\n")), head) !== 0) return undefined
  return { author, committer, message }
}
