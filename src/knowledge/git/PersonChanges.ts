/**
 * The words and rules for what a person did to the repository by hand: what both sides changed, where the
 * other version goes, and what cannot be part of the log.
 */
import { Effect } from "effect"
import type { RevisionNumber } from "../../domain/Ids.ts"
import type { FileChange } from "../../domain/Note.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../RevisionLog.ts"
import type { Repository } from "./Git.ts"
import type { TreeChange, TreeEntry } from "./Tree.ts"

/**
 * Both sides changed a file. `copy` is where the log's version of it is now, if there was one; or the
 * person's, where the log has a folder in its place.
 */
export interface Conflict {
  readonly path: string
  readonly copy: string | undefined
}

/** A file of a person's that stays as it is, outside the log. */
export interface LeftOut {
  readonly path: string
  readonly reason: string
}

export interface Imported {
  readonly revisions: ReadonlyArray<RevisionNumber>
  readonly conflicts: ReadonlyArray<Conflict>
  readonly leftOut: ReadonlyArray<LeftOut>
}

/** The knowledge base and its repository, with the log projected up to `revision`. */
export interface Ground {
  readonly key: KnowledgeBaseKey
  readonly repository: Repository
  readonly projected: string | undefined
  readonly revision: number
}

/** `notes/a.md` → `notes/a.conflict-12.md`: next to the file, sorted after it, with the same extension. */
export const conflictCopy = (path: string, revision: number): string => {
  const slash = path.lastIndexOf("/") + 1
  const dot = path.lastIndexOf(".")
  const end = dot > slash ? dot : path.length
  return `${path.slice(0, end)}.conflict-${revision}${path.slice(end)}`
}

/** The folders above a path. */
const foldersOf = (path: string): ReadonlyArray<string> => {
  const parts = path.split("/").slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"))
}

/**
 * Where a person's file goes when the log made a file of one of its folders, or a folder of its name: a
 * tree cannot hold both. The path itself when nothing is in the way.
 */
export const besides = (logged: ReadonlyArray<TreeChange>, revision: number) => {
  const files = new Set(logged.flatMap(({ after, path }) => (after === undefined ? [] : [path])))
  const folders = new Set([...files].flatMap(foldersOf))
  return (path: string): string => {
    if (folders.has(path)) return conflictCopy(path, revision)
    const file = foldersOf(path).find((folder) => files.has(folder))
    return file === undefined ? path : `${conflictCopy(file, revision)}${path.slice(file.length)}`
  }
}

export const sameEntry = (a: TreeEntry | undefined, b: TreeEntry | undefined): boolean =>
  a?.oid === b?.oid && a?.mode === b?.mode

export const byPath = (changes: ReadonlyArray<TreeChange>): ReadonlyMap<string, TreeChange> =>
  new Map(changes.filter((change) => !change.garbled).map((change) => [change.path, change]))

/** The log's content of a file both sides changed, under a name of its own. */
export const keepOurs = Effect.fnUntraced(function* (
  ground: Ground,
  path: string,
  entry: TreeEntry | undefined
) {
  const log = yield* RevisionLog
  if (entry === undefined) return undefined
  const ours = yield* log.file(ground.key, path)
  if (ours === undefined) return undefined
  return { path: conflictCopy(path, ground.revision), blob: ours.blob, mode: ours.mode } satisfies FileChange
})
