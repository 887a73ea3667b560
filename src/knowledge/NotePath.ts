/**
 * Names of files in a knowledge base: harmless on every system a person may check it out on, whatever a
 * title, a hashtag or a file name holds.
 */
import type { BlobHash, NoteId } from "../domain/Ids.ts"

const encoder = new TextEncoder()
const bytes = (text: string) => encoder.encode(text).length

const latest = Date.UTC(9999, 11, 31)

/** ISO 8601 in UTC; a time outside the years 1970 to 9999 becomes the nearest of them. */
export const isoTime = (ms: number): string => new Date(Math.min(Math.max(ms, 0), latest)).toISOString()

/** Device names of Windows, with or without an extension. */
const reserved = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\..*)?$/i

/** The first characters that fit into `characters` and `size` bytes of UTF-8, whole code points only. */
const cut = (text: string, characters: number, size: number): string => {
  let used = 0
  let kept = ""
  for (const character of [...text].slice(0, characters)) {
    used += bytes(character)
    if (used > size) break
    kept += character
  }
  return kept
}

/**
 * Letters, digits and their marks, lower case, in NFC, with single dashes for everything else; at most 60
 * characters and 120 bytes. Never empty, hidden, or a device name.
 */
export const slugOf = (text: string): string => {
  const words = text
    .toWellFormed()
    .normalize("NFC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase()
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, "-")
    .replace(/(^|-)\p{M}+/gu, "$1")
    .replace(/-{2,}/g, "-")
    .replace(/^-/, "")
  const slug = cut(words, 60, 120).replace(/-$/, "")
  if (slug === "") return "note"
  return reserved.test(slug) ? cut(`note-${slug}`, 60, 120) : slug
}

/** How many numbered names are tried before the note's id makes a name its own. */
const numbered = 20

/**
 * Where a note may go, best first: `topics/<category>/YYYY-MM/<DD>-<slug>.md`, then the same with `-2` to
 * `-20`, then with the note's id, which nothing else has. `folder` 2, 3, … gives the category a number,
 * for when a person keeps a file where the folder would be.
 */
export const notePaths = (
  note: { readonly id: NoteId; readonly title: string; readonly category: string; readonly created: number },
  folder = 1
): ReadonlyArray<string> => {
  const day = isoTime(note.created).slice(0, 10)
  const category = slugOf(note.category)
  const topics = folder === 1 ? `topics/${category}` : `topics-${folder}/${category}`
  return numberedPaths(`${topics}/${day.slice(0, 7)}/${day.slice(8)}-${slugOf(note.title)}.md`, note.id)
}

/** `path`, then its numbered variants, then the one with the note's id. */
export const numberedPaths = (path: string, id: NoteId): ReadonlyArray<string> => {
  const [extension = ""] = /\.[^./]*$/.exec(path) ?? []
  const stem = path.slice(0, path.length - extension.length)
  const suffixes = ["", ...Array.from({ length: numbered - 1 }, (_, index) => `-${index + 2}`), `-${id}`]
  return suffixes.map((suffix) => stem + suffix + extension)
}

/** The folders above a path: `a/b/c` has `a` and `a/b`. */
export const foldersOf = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/").slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"))
}

/** `media/<first two digits>/<hash>.<ext>`; the extension of the original name when it is a plain one. */
export const mediaPath = (blob: BlobHash, name: string): string => {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? "bin"
  return `media/${blob.slice(0, 2)}/${blob}.${extension}`
}

/**
 * Why a path may not be written by us, or undefined. Stricter than git, for it must also be safe for
 * checkouts on Windows and macOS (`.git` spelled with ignorable characters, short names, streams).
 */
export const pathProblem = (path: string): string | undefined => {
  if (path === "") return "it is empty"
  if (!path.isWellFormed()) return "it is not valid Unicode"
  if (path !== path.normalize("NFC")) return "it is not in Unicode NFC"
  if (bytes(path) > 1000) return "it is longer than 1,000 bytes"
  if (/[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u.test(path)) return "it has invisible characters"
  if (/[\\:*?"<>|]/.test(path)) return "it has a character that not every system allows in a name"
  for (const part of path.split("/")) {
    if (part === "") return "it has an empty part (a leading, trailing or double slash)"
    if (part === "." || part === "..") return "it has a '.' or '..' part"
    if (/^\.git/i.test(part) || /~[0-9]/.test(part))
      return "it has a part that git or Windows treats specially"
    if (/[. ]$/.test(part) || reserved.test(part)) return "it has a part that Windows treats specially"
    if (bytes(part) > 255) return "it has a part longer than 255 bytes"
  }
  return undefined
}
