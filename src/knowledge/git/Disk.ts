/**
 * Files of a working tree a person edits at the same time: looked at and replaced without following
 * symbolic links, never half-written, and only while they still are what was looked at.
 */
import { randomUUID } from "node:crypto"
import {
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import * as fs from "node:fs/promises"
import { Effect } from "effect"
import { GitError, type Repository } from "./Git.ts"
import { blobOid, type FileMode } from "./Tree.ts"

/** Larger files of a person stay uncommitted: the database holds every version of every file. */
export const largestFile = 50 * 1024 * 1024

export const smallFile = 64 * 1024

/** What identifies a state of a file; `ctime` cannot be set by programs that preserve times. */
export interface Stamp {
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

export type Observed =
  | { readonly kind: "missing" }
  /** Something else than a folder is where one of its folders would be. */
  | { readonly kind: "obstructed" }
  /** A folder, a pipe, a file above the limit. */
  | { readonly kind: "other"; readonly reason: string }
  | {
      readonly kind: "file"
      readonly mode: FileMode
      readonly bytes: Uint8Array
      readonly oid: string
      readonly stamp: Stamp
    }

export const aFolder = "it is a folder"
export const missing: Observed = { kind: "missing" }

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

/** node:fs rather than Effect's FileSystem: it has `O_NOFOLLOW`, change times and calls in one turn. */
export const disk = <A>(
  repository: Repository,
  action: string,
  body: () => Promise<A>
): Effect.Effect<A, GitError> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) =>
      new GitError({
        action,
        directory: repository.directory,
        detail: codeOf(cause) ?? "unknown reason",
        cause
      })
  })

const lstat = (path: string) => lstatSync(path, { bigint: true, throwIfNoEntry: false })

const partsAbove = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/").slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"))
}

const obstructed = (repository: Repository, path: string): boolean => {
  for (const folder of partsAbove(path)) {
    const stat = lstat(`${repository.directory}/${folder}`)
    if (stat === undefined) return false
    if (!stat.isDirectory()) return true
  }
  return false
}

const stampOf = (stat: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): Stamp => ({
  ino: stat.ino,
  size: stat.size,
  mtimeNs: stat.mtimeNs,
  ctimeNs: stat.ctimeNs
})

const sameStamp = (a: Stamp, b: Stamp): boolean =>
  a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs

const observeOnce = async (repository: Repository, path: string): Promise<Observed | "changing"> => {
  const full = `${repository.directory}/${path}`
  if (obstructed(repository, path)) return { kind: "obstructed" }
  const stat = lstat(full)
  if (stat === undefined) return missing
  const stamp = stampOf(stat)
  if (stat.isSymbolicLink()) {
    const bytes = await fs.readlink(full, { encoding: "buffer" })
    return { kind: "file", mode: "120000", bytes, oid: blobOid(bytes), stamp }
  }
  if (stat.isDirectory()) return { kind: "other", reason: aFolder }
  if (!stat.isFile()) return { kind: "other", reason: "it is neither a file nor a link" }
  if (stat.size > BigInt(largestFile)) return { kind: "other", reason: "it is larger than 50 MB" }
  const flag = constants.O_RDONLY | constants.O_NOFOLLOW
  const bytes = stat.size <= smallFile ? readFileSync(full, { flag }) : await fs.readFile(full, { flag })
  const after = lstat(full)
  if (after === undefined || !sameStamp(stamp, stampOf(after))) return "changing"
  const mode = (stat.mode & 0o100n) === 0n ? "100644" : "100755"
  return { kind: "file", mode, bytes, oid: blobOid(bytes), stamp }
}

/** What is at a path now; undefined while it is being written. */
export const observe = (
  repository: Repository,
  path: string
): Effect.Effect<Observed | undefined, GitError> =>
  disk(repository, "reading a file of the working tree", () => observeOnce(repository, path)).pipe(
    Effect.map((seen) => (seen === "changing" ? undefined : seen)),
    // Gone, or replaced by a link or folder, between two of our calls.
    Effect.catchIf(
      (error) => ["ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "EINVAL"].includes(error.detail),
      () => Effect.succeed(undefined)
    )
  )

/**
 * When the path last changed, Unix milliseconds: the file's own change time, or for a file that is gone
 * that of the nearest folder that is left.
 */
export const changedAt = (repository: Repository, path: string): Effect.Effect<number, GitError> =>
  disk(repository, "reading a file of the working tree", async () => {
    let changed = lstat(repository.directory)
    for (const one of [...partsAbove(path), path]) {
      const stat = lstat(`${repository.directory}/${one}`)
      if (stat === undefined) break
      changed = stat
      if (!stat.isDirectory()) break
    }
    return Number((changed?.ctimeNs ?? 0n) / 1_000_000n)
  })

const stillThere = (repository: Repository, path: string, expected: Observed): boolean => {
  if (obstructed(repository, path)) return false
  const stat = lstat(`${repository.directory}/${path}`)
  if (expected.kind === "missing") return stat === undefined
  return expected.kind === "file" && stat !== undefined && sameStamp(expected.stamp, stampOf(stat))
}

/** One folder at a time: `recursive` would walk through a link a person put there. */
const makeFolders = (repository: Repository, path: string): boolean =>
  partsAbove(path).every((folder) => {
    const full = `${repository.directory}/${folder}`
    const stat = lstat(full)
    if (stat === undefined) mkdirSync(full)
    return stat === undefined || stat.isDirectory()
  })

export const ownFolder = (repository: Repository): string => `${repository.gitDirectory}/zapiska`
const waitingRoom = (repository: Repository, name: string) => `${ownFolder(repository)}/tmp/${name}`

/**
 * Puts a file in place of what was observed there, in one step; false when something else is there by now.
 * `name` tells files that are being put at the same time apart.
 */
export const put = (
  repository: Repository,
  file: { readonly path: string; readonly mode: FileMode; readonly bytes: Uint8Array; readonly name: string },
  expected: Observed
): Effect.Effect<boolean, GitError> =>
  disk(repository, "writing a file of the working tree", async () => {
    const waiting = waitingRoom(repository, file.name)
    const options = { mode: file.mode === "100755" ? 0o777 : 0o666, flag: "wx" }
    if (file.mode === "120000") await fs.symlink(Buffer.from(file.bytes), waiting)
    // A note is written before a thread of the pool has even heard of it.
    else if (file.bytes.length <= smallFile) writeFileSync(waiting, file.bytes, options)
    else await fs.writeFile(waiting, file.bytes, options)
    // Look and rename in one turn: nobody of ours comes between, and a person has microseconds.
    const clear = makeFolders(repository, file.path) && stillThere(repository, file.path, expected)
    if (clear) renameSync(waiting, `${repository.directory}/${file.path}`)
    else unlinkSync(waiting)
    return clear
  })

/**
 * Puts small new files in one turn, so that thousands of them take a second or two; returns those whose
 * place is taken, or has no folder to be in.
 */
export const putNew = (
  repository: Repository,
  files: ReadonlyArray<{ readonly path: string; readonly mode: FileMode; readonly bytes: Uint8Array }>
): Effect.Effect<ReadonlyArray<string>, GitError> =>
  disk(repository, "writing files of the working tree", async () => {
    const waiting = waitingRoom(repository, "new")
    const folders = new Set<string>()
    const taken: Array<string> = []
    for (const { bytes, mode, path } of files) {
      const folder = path.slice(0, path.lastIndexOf("/") + 1)
      const clear = folders.has(folder) || makeFolders(repository, path)
      if (!clear || lstat(`${repository.directory}/${path}`) !== undefined) {
        taken.push(path)
        continue
      }
      folders.add(folder)
      writeFileSync(waiting, bytes, { mode: mode === "100755" ? 0o777 : 0o666 })
      renameSync(waiting, `${repository.directory}/${path}`)
    }
    return taken
  })

/** Removes what was observed and the folders left empty by it; false when something else is there by now. */
export const remove = (
  repository: Repository,
  path: string,
  expected: Observed
): Effect.Effect<boolean, GitError> =>
  disk(repository, "removing a file of the working tree", async () => {
    if (expected.kind === "missing") return true
    if (!stillThere(repository, path, expected)) return false
    unlinkSync(`${repository.directory}/${path}`)
    for (const folder of [...partsAbove(path)].reverse()) {
      if (readdirSync(`${repository.directory}/${folder}`).length > 0) break
      rmdirSync(`${repository.directory}/${folder}`)
    }
    return true
  })

/** What our lock begins with; a word that is never used twice follows. */
const lockSignature = "zapiska"

/** Who holds git's lock on the index: nobody, we (left by a crash), or a git of the person's. */
export type Lock = "free" | "ours" | { readonly foreignSince: number }

export const indexLock = (repository: Repository): Effect.Effect<Lock, GitError> =>
  disk(repository, "looking at index.lock", async (): Promise<Lock> => {
    const path = `${repository.gitDirectory}/index.lock`
    const stat = lstat(path)
    if (stat === undefined) return "free"
    if (stat.isFile() && readFileSync(path, "latin1").startsWith(lockSignature)) return "ours"
    return { foreignSince: Number(stat.mtimeNs / 1_000_000n) }
  })

/**
 * Takes git's own lock on the index, so that a git of the person's waits while files are replaced; the word in
 * it, or undefined when it is held. Linked into place with its content, so that a crash never leaves one that does not say
 * whose it is.
 */
export const takeIndexLock = (repository: Repository): Effect.Effect<string | undefined, GitError> =>
  disk(repository, "taking index.lock", async () => {
    const waiting = waitingRoom(repository, "signature")
    const word = `${lockSignature} ${randomUUID()}\n`
    // Anew: what is linked already keeps its word.
    await fs.rm(waiting, { force: true })
    await fs.writeFile(waiting, word)
    await fs.link(waiting, `${repository.gitDirectory}/index.lock`)
    return word
  }).pipe(
    Effect.catchIf(
      (error) => error.detail === "EEXIST",
      () => Effect.succeed(undefined)
    )
  )

/** Gives back the lock with this word in it; another's stays, as when ours was broken while we were frozen. */
export const releaseIndexLock = (repository: Repository, word: string): Effect.Effect<void, GitError> =>
  disk(repository, "releasing index.lock", async () => {
    const path = `${repository.gitDirectory}/index.lock`
    if (lstat(path)?.isFile() && readFileSync(path, "latin1") === word) unlinkSync(path)
  })

/** Removes one of ours that a crash left. */
export const breakIndexLock = (repository: Repository): Effect.Effect<void, GitError> =>
  disk(repository, "breaking index.lock", () =>
    fs.rm(`${repository.gitDirectory}/index.lock`, { force: true })
  )
