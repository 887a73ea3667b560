/** What a person changed in the working tree and has not committed, as one revision. */
import { Clock, Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Author, FileChange } from "../../domain/Note.ts"
import { Blobs, hashOf } from "../Blobs.ts"
import { RevisionLog } from "../RevisionLog.ts"
import { aFolder, changedAt, missing, type Observed, observe } from "./Disk.ts"
import type { GitError } from "./Git.ts"
import {
  besides,
  byPath,
  type Conflict,
  type Ground,
  type Imported,
  keepOurs,
  type LeftOut,
  sameEntry
} from "./PersonChanges.ts"
import { asMode, type TreeChange, unprojectable, type WorkTreeChange } from "./Tree.ts"

/** Why what is in the working tree cannot be part of the log, or undefined. */
const editProblem = (change: WorkTreeChange, seen: Observed | undefined): string | undefined => {
  if (change.garbled) return "its name is not valid Unicode"
  // Git names an untracked folder, instead of its files, only where another repository lies in it.
  if (change.path.endsWith("/")) return "it is a repository of its own"
  const folder = seen?.kind === "other" && seen.reason === aFolder
  if (seen?.kind === "other" && !(folder && change.before !== undefined)) return seen.reason
  return unprojectable(change.path)
}

const editMessage = (files: ReadonlyArray<FileChange>): string => {
  const [first] = files
  if (files.length > 1 || first === undefined) return `${files.length} files changed by hand`
  return `${first.path} ${first.blob === null ? "deleted" : "changed"} by hand`
}

export interface EditsOptions {
  readonly changes: ReadonlyArray<WorkTreeChange>
  /** What the log did between the commit `changes` are relative to and its head. */
  readonly logged: ReadonlyArray<TreeChange>
  /** The revision of that commit. */
  readonly since: number
  /** Whose name the revision bears. */
  readonly author: Effect.Effect<Author, GitError>
  /** How long a file must have been left alone, milliseconds. */
  readonly settle: number
}

export interface Edits extends Imported {
  /** Changed a moment ago, perhaps still being written. */
  readonly unsettled: ReadonlySet<string>
  /** Deleted by hand although the log changed them: they come back. */
  readonly restore: ReadonlySet<string>
  /** In the way of the log, and kept under another name: removed where they are, if still the same. */
  readonly moved: ReadonlyMap<string, Observed>
}

export const makePersonEdits = Effect.gen(function* () {
  const log = yield* RevisionLog
  const blobs = yield* Blobs

  /**
   * Whether the log ever held this content at this path after revision `since`. After thousands of
   * revisions at once, or a checkout that was cut short, much of the working tree is such content.
   */
  const known =
    (ground: Ground, since: number) =>
    (path: string, seen: Observed): Effect.Effect<boolean, SqlError.SqlError> => {
      if (since >= ground.revision || (seen.kind !== "missing" && seen.kind !== "file"))
        return Effect.succeed(false)
      const content = seen.kind === "file" ? hashOf(seen.bytes) : null
      return Effect.map(log.versions(ground.key, path, since), (versions) => versions.includes(content))
    }

  /** What differs in the working tree and is not committed: one revision for all of it. */
  const importAll = Effect.fn("PersonEdits.import")(function* (ground: Ground, options: EditsOptions) {
    const logged = byPath(options.logged)
    const isKnown = known(ground, options.since)
    const now = yield* Clock.currentTimeMillis
    const edited: Array<FileChange> = []
    const copies: Array<FileChange> = []
    const conflicts: Array<Conflict> = []
    const leftOut: Array<LeftOut> = []
    const unsettled = new Set<string>()
    const restore = new Set<string>()
    const moved = new Map<string, Observed>()
    const placeOf = besides(options.logged, ground.revision)
    for (const change of options.changes) {
      const { path, before } = change
      if (path === "index.md") continue
      const looked = yield* observe(ground.repository, path)
      const problem = editProblem(change, looked)
      if (problem !== undefined) {
        leftOut.push({ path, reason: problem })
        continue
      }
      // Where one of its folders, or a folder of its name, is in its place, the file itself is gone.
      const seen = looked === undefined || looked.kind === "file" ? looked : missing
      const our = logged.get(path)
      if (seen !== undefined) {
        const entry = seen.kind === "file" ? { oid: seen.oid, mode: seen.mode } : undefined
        if (sameEntry(entry, before) || (our !== undefined && sameEntry(entry, our.after))) continue
        if (yield* isKnown(path, seen)) continue
      }
      const changed = yield* changedAt(ground.repository, path)
      // A time in the future says nothing, and would be waited for.
      if (seen === undefined || (changed <= now && now - changed < options.settle)) {
        unsettled.add(path)
        continue
      }
      if (our !== undefined) {
        if (seen.kind === "missing") {
          // A deletion gives way to a change: the file comes back, and the person is told.
          restore.add(path)
          conflicts.push({ path, copy: undefined })
          continue
        }
        const kept = yield* keepOurs(ground, path, our.after).pipe(Effect.provideService(RevisionLog, log))
        if (kept !== undefined) copies.push(kept)
        conflicts.push({ path, copy: kept?.path })
      }
      const place = seen.kind === "file" ? placeOf(path) : path
      if (seen.kind === "file" && place !== path) {
        moved.set(path, seen)
        conflicts.push({ path, copy: place })
        // Kept there by a projection that did not come to move it.
        if (sameEntry({ oid: seen.oid, mode: seen.mode }, logged.get(place)?.after)) continue
      }
      edited.push(
        seen.kind === "file"
          ? { path: place, blob: yield* blobs.put(ground.key.tenant, seen.bytes), mode: seen.mode }
          : { path, blob: null, mode: asMode(before?.mode ?? "") ?? "100644" }
      )
    }
    const revisions =
      edited.length === 0
        ? []
        : [
            yield* log.appendAt(ground.key, ground.revision, {
              kind: "person",
              author: yield* options.author,
              date: now,
              message: editMessage(edited),
              files: [...edited, ...copies]
            })
          ]
    return { revisions, conflicts, leftOut, unsettled, restore, moved } satisfies Edits
  })

  return { import: importAll, known }
})
