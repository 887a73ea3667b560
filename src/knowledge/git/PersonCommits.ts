/**
 * A person's commits as revisions: byte for byte where they are right on top of ours, and otherwise kept
 * aside, with what they changed as one revision.
 */
import { Effect } from "effect"
import type { RevisionNumber } from "../../domain/Ids.ts"
import type { FileChange } from "../../domain/Note.ts"
import { Blobs } from "../Blobs.ts"
import { RevisionLog } from "../RevisionLog.ts"
import { readCommit } from "./Commit.ts"
import { largestFile } from "./Disk.ts"
import { emptyTree, Git, GitError, type Repository } from "./Git.ts"
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
import { importedRef, type Refs } from "./Place.ts"
import { asMode, type TreeChange, unprojectable } from "./Tree.ts"
import type { WorkTree } from "./WorkTree.ts"

/** Why an entry of a person's tree cannot be part of the log, or undefined. */
const entryProblem = (change: TreeChange, size: number): string | undefined => {
  if (change.garbled) return "its name is not valid Unicode"
  const problem = unprojectable(change.path)
  if (problem !== undefined) return problem
  if (change.after === undefined) return undefined
  if (asMode(change.after.mode) === undefined) return "it is a repository of its own (a submodule)"
  return size > largestFile ? "it is larger than 50 MB" : undefined
}

/** The branch is at a commit that is none of ours. */
export interface Foreign {
  readonly tip: string
  /** The last commit of ours it has among its ancestors. */
  readonly base: string | undefined
  readonly refs: Refs
  /** A projection that was not finished has taken it into the log. */
  readonly imported: boolean
}

export const makePersonCommits = Effect.fnUntraced(function* (workTree: WorkTree) {
  const git = yield* Git
  const log = yield* RevisionLog
  const blobs = yield* Blobs

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
        yield* log.appendAt(ground.key, ground.revision + revisions.length, {
          kind: "person",
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
  const importTip = Effect.fnUntraced(function* (ground: Ground, { base, imported, refs, tip }: Foreign) {
    const { repository } = ground
    const { checkedOut } = refs
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
    if (imported) return { revisions: [], conflicts: [], leftOut: problems } satisfies Imported
    const wanted: Array<TreeChange> = []
    const conflicts: Array<Conflict> = []
    const copies: Array<FileChange> = []
    for (const change of usable) {
      const our = ours.get(change.path)
      if (our !== undefined && sameEntry(our.after, change.after)) continue
      const both = our !== undefined && !sameEntry(our.after, change.before)
      if (both) {
        const kept = yield* keepOurs(ground, change.path, our.after).pipe(
          Effect.provideService(RevisionLog, log)
        )
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
    const revisions: Array<RevisionNumber> = []
    if (wanted.length > 0) {
      const { author, date, message } = readCommit(yield* rawCommit(repository, tip))
      const files = [...(yield* store(ground, wanted)), ...copies]
      const text = `${message}\n\nImported from commit ${tip}`.trim()
      const revision = { kind: "person" as const, author, date, message: text, files }
      revisions.push(yield* log.appendAt(ground.key, ground.revision, revision))
    }
    // What the person does to these files from now on is another change, not a conflict with this one.
    yield* git.text(repository, ["update-ref", importedRef, tip])
    return { revisions, conflicts, leftOut: problems } satisfies Imported
  })

  /** The person's commits on their branch, which is not one of ours. */
  const importAll = Effect.fn("PersonCommits.import")(function* (ground: Ground, foreign: Foreign) {
    const onTop = foreign.base === ground.projected && !foreign.imported
    const commits = onTop ? yield* linear(ground.repository, foreign.base, foreign.tip) : undefined
    const kept = commits === undefined ? undefined : yield* importLinear(ground, commits)
    return kept ?? (yield* importTip(ground, foreign))
  })

  return { isAncestor, mergeBase, import: importAll }
})
