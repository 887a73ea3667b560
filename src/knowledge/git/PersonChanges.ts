/**
 * What a person did to the repository by hand, as revisions: their commits first, then what they have not
 * committed. Decides what is theirs, what both sides changed, and what cannot be part of the log.
 */
import { createHash } from "node:crypto"
import { Clock, Effect } from "effect"
import type { SqlError } from "effect/sql"
import { BlobHash, type RevisionNumber } from "../../domain/Ids.ts"
import type { Author, FileChange, Revision } from "../../domain/Note.ts"
import { Blobs } from "../Blobs.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../RevisionLog.ts"
import { readCommit } from "./Commit.ts"
import { aFolder, changedAt, largestFile, missing, type Observed, observe } from "./Disk.ts"
import { emptyTree, Git, GitError, type Repository } from "./Git.ts"
import { asMode, type TreeChange, type TreeEntry, unprojectable, type WorkTreeChange } from "./Tree.ts"
import type { WorkTree } from "./WorkTree.ts"

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

const sha256 = (bytes: Uint8Array): BlobHash =>
  BlobHash.make(createHash("sha256").update(bytes).digest("hex"))

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
const besides = (logged: ReadonlyArray<TreeChange>, revision: number) => {
  const files = new Set(logged.flatMap(({ after, path }) => (after === undefined ? [] : [path])))
  const folders = new Set([...files].flatMap(foldersOf))
  return (path: string): string => {
    if (folders.has(path)) return conflictCopy(path, revision)
    const file = foldersOf(path).find((folder) => files.has(folder))
    return file === undefined ? path : `${conflictCopy(file, revision)}${path.slice(file.length)}`
  }
}

const sameEntry = (a: TreeEntry | undefined, b: TreeEntry | undefined): boolean =>
  a?.oid === b?.oid && a?.mode === b?.mode

const byPath = (changes: ReadonlyArray<TreeChange>): ReadonlyMap<string, TreeChange> =>
  new Map(changes.filter((change) => !change.garbled).map((change) => [change.path, change]))

/** Why an entry of a person's tree cannot be part of the log, or undefined. */
const entryProblem = (change: TreeChange, size: number): string | undefined => {
  if (change.garbled) return "its name is not valid Unicode"
  const problem = unprojectable(change.path)
  if (problem !== undefined) return problem
  if (change.after === undefined) return undefined
  if (asMode(change.after.mode) === undefined) return "it is a repository of its own (a submodule)"
  return size > largestFile ? "it is larger than 50 MB" : undefined
}

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

export const makePersonChanges = Effect.fnUntraced(function* (workTree: WorkTree) {
  const git = yield* Git
  const log = yield* RevisionLog
  const blobs = yield* Blobs

  const append = Effect.fnUntraced(function* (
    ground: Ground,
    expected: number,
    revision: Omit<Revision, "number" | "kind">
  ) {
    return yield* log.appendAt(ground.key, expected, { kind: "person", ...revision })
  })

  const isAncestor = (repository: Repository, ancestor: string, of: string) =>
    Effect.map(
      git.run(repository, ["merge-base", "--is-ancestor", ancestor, of]),
      (result) => result.code === 0
    )

  const mergeBase = (repository: Repository, a: string, b: string) =>
    Effect.map(git.run(repository, ["merge-base", a, b]), (result) =>
      result.code === 0 ? new TextDecoder().decode(result.out).trim().split("\n")[0] : undefined
    )

  /** The commits from `base` to `tip`, oldest first, if each has exactly the one before it as its parent. */
  const linear = Effect.fnUntraced(function* (repository: Repository, base: string | undefined, tip: string) {
    const out = yield* git.text(repository, [
      "rev-list",
      "--reverse",
      "--topo-order",
      "--parents",
      ...(base === undefined ? [] : [`^${base}`]),
      tip
    ])
    const commits: Array<string> = []
    let last = base
    for (const line of out.trimEnd().split("\n")) {
      const [commit = "", ...parents] = line.split(" ")
      if (parents.join() !== (last ?? "")) return undefined
      commits.push(commit)
      last = commit
    }
    return commits
  })

  const withSizes = Effect.fnUntraced(function* (repository: Repository, changes: ReadonlyArray<TreeChange>) {
    const oids = changes.flatMap(({ after }) =>
      after !== undefined && asMode(after.mode) ? [after.oid] : []
    )
    const size = yield* workTree.sizes(repository, oids)
    const problems = changes.flatMap((change): ReadonlyArray<LeftOut> => {
      const reason = entryProblem(change, size.get(change.after?.oid ?? "") ?? 0)
      return reason === undefined ? [] : [{ path: change.path, reason }]
    })
    const left = new Set(problems.map((one) => one.path))
    return { problems, usable: changes.filter((change) => !left.has(change.path)) }
  })

  const unreadable = (ground: Ground, path: string) =>
    new GitError({
      action: "importing a commit",
      directory: ground.repository.directory,
      detail: `the content of "${path}" is missing from the repository; git fsck tells more`
    })

  /** Stores what the entries hold and says so as changes of files. */
  const store = Effect.fnUntraced(function* (ground: Ground, changes: ReadonlyArray<TreeChange>) {
    const files: Array<FileChange> = []
    for (const { path, before, after } of changes)
      if (after === undefined) files.push({ path, blob: null, mode: asMode(before?.mode ?? "") ?? "100644" })
    const present = changes.filter((change) => change.after !== undefined)
    for (const group of yield* workTree.grouped(ground.repository, present)) {
      const found = yield* workTree.contents(ground.repository, [
        ...new Set(group.map(({ after }) => after!.oid))
      ])
      for (const { path, after } of group) {
        const bytes = found.get(after!.oid)
        // A repository that misses an object cannot be read, and fsck says so too.
        if (bytes === undefined) return yield* unreadable(ground, path)
        files.push({
          path,
          blob: yield* blobs.put(ground.key.tenant, bytes),
          mode: asMode(after!.mode) ?? "100644"
        })
      }
    }
    return files
  })

  const rawCommit = (repository: Repository, commit: string) =>
    git.bytes(repository, ["cat-file", "commit", commit])

  /** Commits right on top of ours, kept byte for byte. Undefined when one of them cannot be. */
  const importLinear = Effect.fnUntraced(function* (ground: Ground, commits: ReadonlyArray<string>) {
    const plan: Array<{ readonly commit: string; readonly changes: ReadonlyArray<TreeChange> }> = []
    let parent = ground.projected ?? emptyTree
    for (const commit of commits) {
      const changes = yield* workTree.difference(ground.repository, parent, commit)
      if ((yield* withSizes(ground.repository, changes)).problems.length > 0) return undefined
      plan.push({ commit, changes })
      parent = commit
    }
    const revisions: Array<RevisionNumber> = []
    for (const { commit, changes } of plan) {
      const raw = yield* rawCommit(ground.repository, commit)
      const { author, date, message } = readCommit(raw)
      const files = yield* store(ground, changes)
      revisions.push(
        yield* append(ground, ground.revision + revisions.length, {
          author,
          date,
          message,
          files,
          rawCommit: raw
        })
      )
    }
    return { revisions, conflicts: [], leftOut: [] } satisfies Imported
  })

  /**
   * Merges, rewritten history, commits made while the log moved on: the commits are kept under
   * `refs/imported/`, and what the person changed since the fork, and since what we last gave them, becomes
   * one revision on top.
   */
  const importTip = Effect.fnUntraced(function* (
    ground: Ground,
    tip: string,
    base: string | undefined,
    checkedOut: string | undefined
  ) {
    const { repository } = ground
    yield* git.text(repository, ["update-ref", `refs/imported/${tip}`, tip])
    const theirs = yield* workTree.difference(repository, base ?? emptyTree, tip)
    const given = byPath(yield* workTree.difference(repository, checkedOut ?? emptyTree, tip))
    const logged = yield* workTree.difference(
      repository,
      checkedOut ?? emptyTree,
      ground.projected ?? emptyTree
    )
    const ours = byPath(logged)
    const placeOf = besides(logged, ground.revision)
    const changed = theirs.filter((change) => change.garbled || given.has(change.path))
    const { problems, usable } = yield* withSizes(repository, changed)
    const wanted: Array<TreeChange> = []
    const conflicts: Array<Conflict> = []
    const copies: Array<FileChange> = []
    for (const change of usable) {
      const our = ours.get(change.path)
      if (our !== undefined && sameEntry(our.after, change.after)) continue
      const both = our !== undefined && !sameEntry(our.after, change.before)
      if (both) {
        const kept = yield* keepOurs(ground, change.path, our.after)
        conflicts.push({ path: change.path, copy: kept?.path })
        if (kept !== undefined && change.after !== undefined) copies.push(kept)
        // A deletion gives way to a change: the file is there, and the person is told.
        if (change.after === undefined) continue
      }
      const place = change.after === undefined ? change.path : placeOf(change.path)
      if (place !== change.path) {
        if (sameEntry(ours.get(place)?.after, change.after)) continue
        conflicts.push({ path: change.path, copy: place })
      }
      wanted.push({ ...change, path: place })
    }
    if (wanted.length === 0) return { revisions: [], conflicts, leftOut: problems } satisfies Imported
    const { author, date, message } = readCommit(yield* rawCommit(repository, tip))
    const files = [...(yield* store(ground, wanted)), ...copies]
    const text = `${message}\n\nImported from commit ${tip}`.trim()
    const number = yield* append(ground, ground.revision, { author, date, message: text, files })
    return { revisions: [number], conflicts, leftOut: problems } satisfies Imported
  })

  /** The log's content of a file both sides changed, under a name of its own. */
  const keepOurs = Effect.fnUntraced(function* (ground: Ground, path: string, entry: TreeEntry | undefined) {
    if (entry === undefined) return undefined
    const ours = yield* log.file(ground.key, path)
    if (ours === undefined) return undefined
    return {
      path: conflictCopy(path, ground.revision),
      blob: ours.blob,
      mode: ours.mode
    } satisfies FileChange
  })

  /** The person's commits on their branch, which is not one of ours. */
  const importCommits = Effect.fn("PersonChanges.importCommits")(function* (
    ground: Ground,
    tip: string,
    base: string | undefined,
    checkedOut: string | undefined
  ) {
    const commits = base === ground.projected ? yield* linear(ground.repository, base, tip) : undefined
    const kept = commits === undefined ? undefined : yield* importLinear(ground, commits)
    return kept ?? (yield* importTip(ground, tip, base, checkedOut))
  })

  /**
   * Whether the log ever held this content at this path after revision `since`. After thousands of
   * revisions at once, or a checkout that was cut short, much of the working tree is such content.
   */
  const known =
    (ground: Ground, since: number) =>
    (path: string, seen: Observed): Effect.Effect<boolean, SqlError.SqlError> => {
      if (since >= ground.revision || (seen.kind !== "missing" && seen.kind !== "file"))
        return Effect.succeed(false)
      const content = seen.kind === "file" ? sha256(seen.bytes) : null
      return Effect.map(log.versions(ground.key, path, since), (versions) => versions.includes(content))
    }

  /** What differs in the working tree and is not committed: one revision for all of it. */
  const importEdits = Effect.fn("PersonChanges.importEdits")(function* (
    ground: Ground,
    options: EditsOptions
  ) {
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
        const kept = yield* keepOurs(ground, path, our.after)
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
            yield* append(ground, ground.revision, {
              author: yield* options.author,
              date: now,
              message: editMessage(edited),
              files: [...edited, ...copies]
            })
          ]
    return { revisions, conflicts, leftOut, unsettled, restore, moved } satisfies Edits
  })

  return { isAncestor, mergeBase, importCommits, importEdits, known }
})
