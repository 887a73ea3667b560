/**
 * Paths and entries of git trees as plain values: what may be projected, what git prints about a
 * difference of two trees or about the working tree.
 */
import { createHash } from "node:crypto"
import type { FileChange } from "../../domain/Note.ts"

export type FileMode = FileChange["mode"]

/** Longest name and path Linux takes, in bytes. */
const longestName = 255
const longestPath = 4000

const encoder = new TextEncoder()
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

/** The ways Windows and macOS spell `.git`: git refuses them in an index, so they never get into a tree. */
const gitLike = (name: string): boolean => {
  const plain = name
    .normalize("NFC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase()
  return /^(?:\.git|git~[0-9]+)(?:[ .]*$|[ .]*:)/.test(plain)
}

/**
 * Why a path of the log is left out of the repository, or undefined. Looser than the rule for paths we
 * choose ourselves: people name their files as they like. A function of the path alone, so that every
 * replica leaves out the same.
 */
export const unprojectable = (path: string): string | undefined => {
  if (path === "index.md") return "the projection writes index.md itself"
  if (!path.isWellFormed()) return "its name is not valid Unicode"
  if (path.includes("\0")) return "its name has a NUL"
  if (encoder.encode(path).length > longestPath) return `its path is longer than ${longestPath} bytes`
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return "its path has an empty, '.' or '..' part"
    if (part.includes("\\")) return "its name has a backslash"
    if (gitLike(part)) return "its name is reserved by git"
    if (encoder.encode(part).length > longestName) return `its name is longer than ${longestName} bytes`
  }
  return undefined
}

export const asMode = (mode: string): FileMode | undefined =>
  mode === "100644" || mode === "100755" || mode === "120000" ? mode : undefined

/** The hash git gives a file's content. */
export const blobOid = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")

export const commitOid = (bytes: Uint8Array): string =>
  createHash("sha1").update(`commit ${bytes.length}\0`).update(bytes).digest("hex")

/** One side of a difference; undefined where the file is not. Modes and hashes as git writes them. */
export interface TreeEntry {
  readonly mode: string
  readonly oid: string
}

export interface TreeChange {
  readonly path: string
  /** The name is not UTF-8: `path` is only good for telling a person about it. */
  readonly garbled: boolean
  readonly before: TreeEntry | undefined
  readonly after: TreeEntry | undefined
}

const absent = "000000"

/** Fields that end in NUL. */
const fields = (out: Uint8Array): ReadonlyArray<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  let start = 0
  for (let end = out.indexOf(0); end !== -1; end = out.indexOf(0, start)) {
    parts.push(out.subarray(start, end))
    start = end + 1
  }
  return parts
}

const pathOf = (bytes: Uint8Array): { readonly path: string; readonly garbled: boolean } => {
  const path = lenient.decode(bytes)
  return { path, garbled: path.includes("\uFFFD") && !decodes(bytes) }
}

const decodes = (bytes: Uint8Array): boolean =>
  Buffer.compare(encoder.encode(lenient.decode(bytes)), bytes) === 0

/** `git diff-tree -r -z --raw --no-renames`: `:mode mode oid oid status NUL path NUL`. */
export const parseChanges = (out: Uint8Array): ReadonlyArray<TreeChange> => {
  const parts = fields(out)
  const changes: Array<TreeChange> = []
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [beforeMode = "", afterMode = "", before = "", after = ""] = lenient
      .decode(parts[index]!)
      .slice(1)
      .split(" ")
    changes.push({
      ...pathOf(parts[index + 1]!),
      before: beforeMode === absent ? undefined : { mode: beforeMode, oid: before },
      after: afterMode === absent ? undefined : { mode: afterMode, oid: after }
    })
  }
  return changes
}

/** A path of the working tree that is not as the index has it, or that the index does not have. */
export interface WorkTreeChange {
  readonly path: string
  readonly garbled: boolean
  readonly before: TreeEntry | undefined
}

/** `git status --porcelain=v2 -z --no-renames --untracked-files=all`, the working tree's side of it. */
export const parseStatus = (out: Uint8Array): ReadonlyArray<WorkTreeChange> =>
  fields(out).flatMap((field): ReadonlyArray<WorkTreeChange> => {
    const kind = lenient.decode(field.subarray(0, 2))
    if (kind === "? ") return [{ ...pathOf(field.subarray(2)), before: undefined }]
    if (kind !== "1 ") return []
    // 1 <XY> <sub> <mode HEAD> <mode index> <mode worktree> <oid HEAD> <oid index> <path>
    let at = 0
    for (let blanks = 0; blanks < 8; blanks += 1) at = field.indexOf(0x20, at) + 1
    const words = lenient.decode(field.subarray(0, at)).split(" ")
    if (words[1]![1] === ".") return []
    return [{ ...pathOf(field.subarray(at)), before: { mode: words[4]!, oid: words[7]! } }]
  })

/** `git ls-tree -r -z --long`: `mode type oid size TAB path NUL`. */
export const parseListing = (
  out: Uint8Array
): ReadonlyArray<{
  readonly path: string
  readonly mode: string
  readonly oid: string
  readonly size: number
}> =>
  fields(out).map((field) => {
    const tab = field.indexOf(0x09)
    const [mode = "", , oid = "", size = "0"] = lenient.decode(field.subarray(0, tab)).split(/ +/)
    return { path: lenient.decode(field.subarray(tab + 1)), mode, oid, size: Number(size) || 0 }
  })

/** `git cat-file --batch`: `oid type size LF content LF` for every hash asked for. */
export const parseBatch = (out: Uint8Array): ReadonlyMap<string, Uint8Array> => {
  const contents = new Map<string, Uint8Array>()
  let at = 0
  while (at < out.length) {
    const end = out.indexOf(0x0a, at)
    const [oid = "", kind, size = "0"] = lenient.decode(out.subarray(at, end)).split(" ")
    at = end + 1
    if (kind === "missing") continue
    contents.set(oid, out.subarray(at, at + Number(size)))
    at += Number(size) + 1
  }
  return contents
}
