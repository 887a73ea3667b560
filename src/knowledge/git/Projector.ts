/**
 * One repository brought in step with its log and its person: revisions become commits, the person's
 * changes become revisions, then files, index and branch follow, in an order that can be cut anywhere.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Author } from "../../domain/Note.ts"
import type { FenceStale } from "../../lock/Fences.ts"
import { Lease, type LockLost } from "../../lock/Locks.ts"
import { reach } from "../../ops/Failpoint.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../RevisionLog.ts"
import { makeAdvance, type State } from "./Advance.ts"
import { type Authority, makeAuthority, unquestioned } from "./Authority.ts"
import { remove } from "./Disk.ts"
import { emptyTree, Git, GitError, type Repository } from "./Git.ts"
import { makeIndexWriter } from "./IndexWriter.ts"
import { makeMoving } from "./Moving.ts"
import type { Conflict, Imported, LeftOut } from "./PersonChanges.ts"
import { makePersonCommits } from "./PersonCommits.ts"
import { makePersonEdits } from "./PersonEdits.ts"
import { busyWith, clearLeftovers, prepare, type Refs, readRefs } from "./Place.ts"
import { makeWorkTree } from "./WorkTree.ts"

/** What a projection did and met. */
export interface Projected {
  readonly head: number
  /** Undefined while the log is empty. */
  readonly commit: string | undefined
  /** Revisions made of a person's changes. */
  readonly imported: number
  /** Files both sides changed; tell the person. */
  readonly conflicts: ReadonlyArray<Conflict>
  /** Files of a person's that stay outside the log, and why. */
  readonly leftOut: ReadonlyArray<LeftOut>
  /** Files a person is still writing; they are looked at again. */
  readonly unsettled: ReadonlyArray<string>
  /**
   * Why the working tree was left alone: the person is in the middle of something. The commits are in
   * `refs/zapiska/projected` meanwhile.
   */
  readonly waiting: string | undefined
}

export type ProjectionError = GitError | SqlError.SqlError | FenceStale | LockLost

export interface ProjectorOptions {
  readonly person: Author
  /** Milliseconds. */
  readonly settle: number
}

/** Loose objects are packed after this many revisions written a few at a time. */
const packEvery = 500
/** How often a projection starts over because a person or the log was quicker. */
const rounds = 12

const none: Imported = { revisions: [], conflicts: [], leftOut: [] }

/** The last one said about a path counts. */
const merged = <A extends { readonly path: string }>(before: ReadonlyArray<A>, now: ReadonlyArray<A>) => [
  ...new Map([...before, ...now].map((one) => [one.path, one])).values()
]

export const makeProjector = Effect.fnUntraced(function* (options: ProjectorOptions) {
  const git = yield* Git
  const log = yield* RevisionLog
  const authorityOf = yield* makeAuthority
  const { advance, numberOf } = yield* makeAdvance
  const workTree = yield* makeWorkTree
  const { moveTo } = yield* makeMoving(workTree)
  const personCommits = yield* makePersonCommits(workTree)
  const personEdits = yield* makePersonEdits
  const indexWriter = yield* makeIndexWriter(workTree)
  const withGit = <A, E>(effect: Effect.Effect<A, E, Git>) => Effect.provideService(effect, Git, git)

  /** Whose commit the branch is at: one of ours, or with which one of ours the person's has in common. */
  const whereIsMain = Effect.fnUntraced(function* (
    repository: Repository,
    refs: Refs,
    projected: string | undefined
  ) {
    const { main, checkedOut } = refs
    if (main === undefined || main === projected || main === checkedOut)
      return { foreign: undefined, base: undefined }
    if (projected === undefined) return { foreign: main, base: undefined }
    if (yield* personCommits.isAncestor(repository, main, projected))
      return { foreign: undefined, base: undefined }
    return { foreign: main, base: yield* personCommits.mergeBase(repository, projected, main) }
  })

  /** One try. "again": the log or the repository changed under it; "later": files are being written. */
  const round = Effect.fnUntraced(function* (
    key: KnowledgeBaseKey,
    state: State,
    repository: Repository,
    authority: Authority
  ) {
    const refs = yield* withGit(readRefs(repository))
    const waiting = yield* withGit(busyWith(repository))
    // Mostly the branch is where we left it, and what the person edited is looked for meanwhile.
    const inStep = waiting === undefined && refs.main === refs.checkedOut
    const [ground, early] = yield* Effect.all(
      [
        advance(key, state, repository, refs.projected),
        inStep ? workTree.scan(repository, refs.checkedOut) : Effect.succeed(undefined)
      ],
      { concurrency: 2 }
    )
    const { projected, revision } = ground
    const result = (next: "done" | "again" | "later", found: Imported, more?: Partial<Projected>) => ({
      next,
      projected: {
        head: revision,
        commit: projected,
        imported: found.revisions.length,
        conflicts: found.conflicts,
        leftOut: found.leftOut,
        unsettled: [],
        waiting: undefined,
        ...more
      } satisfies Projected
    })
    if (waiting !== undefined) {
      yield* withGit(clearLeftovers(repository))
      return result("done", none, { waiting })
    }
    const { base, foreign } = yield* whereIsMain(repository, refs, projected)
    const commits =
      foreign === undefined
        ? none
        : yield* personCommits.import(ground, {
            tip: foreign,
            base,
            refs,
            imported: refs.imported === foreign
          })
    if (commits.revisions.length > 0) return result("again", commits)
    const baseline = foreign ?? refs.checkedOut
    const since = yield* numberOf(state, repository, foreign === undefined ? refs.checkedOut : base)
    const changes = yield* workTree.difference(repository, baseline ?? emptyTree, projected ?? emptyTree)
    const edits = yield* personEdits.import(ground, {
      changes: early ?? (yield* workTree.scan(repository, baseline)),
      logged: changes,
      since,
      author: author(repository),
      settle: options.settle
    })
    const found = {
      revisions: edits.revisions,
      conflicts: [...commits.conflicts, ...edits.conflicts],
      leftOut: [...commits.leftOut, ...edits.leftOut]
    }
    const unsettled = { unsettled: [...edits.unsettled] }
    for (const [path, seen] of edits.moved) yield* remove(repository, path, seen)
    if (edits.revisions.length > 0) return result("again", found, unsettled)
    if (projected !== undefined && (projected !== refs.main || projected !== refs.checkedOut)) {
      yield* reach("imported")
      const moved = yield* moveTo(repository, projected, {
        refs,
        baseline,
        changes,
        leave: new Set(found.leftOut.map((one) => one.path)),
        restore: edits.restore,
        known: personEdits.known(ground, since),
        authority
      })
      if (moved !== "moved") return result(moved === "refused" ? "later" : "again", found, unsettled)
      yield* reach("checked out")
    }
    yield* writeIndex(key, state, repository)
    return result("done", found, unsettled)
  })

  const writeIndex = Effect.fnUntraced(function* (
    key: KnowledgeBaseKey,
    state: State,
    repository: Repository
  ) {
    const known = state.notes ?? (yield* indexWriter.load(key))
    state.notes = known
    yield* indexWriter.write(key, repository, known)
  })

  /** The repository's own `user.name` and `user.email`; a machine-wide one belongs to whoever runs us. */
  const author = Effect.fnUntraced(function* (repository: Repository) {
    const out = yield* git.run(repository, [
      "config",
      "--local",
      "--null",
      "--get-regexp",
      "^user\\.(name|email)$"
    ])
    const values = new Map(
      new TextDecoder()
        .decode(out.out)
        .split("\0")
        .map((entry) => entry.split("\n") as [string, string | undefined])
    )
    return {
      name: values.get("user.name") ?? options.person.name,
      email: values.get("user.email") ?? options.person.email
    }
  })

  const pack = Effect.fnUntraced(function* (state: State, repository: Repository) {
    if (state.sincePacked < packEvery) return
    state.sincePacked = 0
    const packed = yield* git.run(repository, ["gc", "--auto", "--quiet", "--no-prune"])
    if (packed.code !== 0) yield* Effect.logWarning("git gc failed; it is tried again later", packed.err)
  })

  /** Must not run twice at a time for one repository. */
  const project = Effect.fn("GitProjection.project")(
    function* (
      key: KnowledgeBaseKey,
      state: State,
      repository: Repository
    ): Effect.fn.Return<Projected, ProjectionError, Lease> {
      const authority = yield* authorityOf(key)
      const { fence } = yield* Lease
      if (state.fence !== fence) {
        // From here on nobody before us publishes, or is about to.
        yield* authority.publish(Effect.void)
        Object.assign(state, { fence, prepared: false, notes: undefined })
      }
      if (!state.prepared) yield* withGit(prepare(repository))
      state.prepared = true
      let last: Projected | undefined
      for (let count = 0; count < rounds; count += 1) {
        const { next, projected } = yield* round(key, state, repository, authority).pipe(
          Effect.catchTag("HeadMoved", () => Effect.succeed({ next: "again" as const, projected: undefined }))
        )
        if (projected !== undefined)
          last = {
            ...projected,
            imported: projected.imported + (last?.imported ?? 0),
            conflicts: merged(last?.conflicts ?? [], projected.conflicts),
            leftOut: merged(last?.leftOut ?? [], projected.leftOut)
          }
        if (next === "done" && last !== undefined) {
          yield* pack(state, repository)
          return last
        }
        if (next === "later" || count > 3) yield* Effect.sleep(Math.max(20, options.settle / 4))
      }
      // What was in the way all the time may have been left by one of ours that ended since: it is looked for again.
      state.prepared = false
      const head = yield* log.head(key)
      const nothing = { head, commit: undefined, imported: 0, conflicts: [], leftOut: [], unsettled: [] }
      return { ...(last ?? nothing), waiting: "files are being changed" }
    },
    (effect, _key, state) =>
      Effect.onError(effect, () =>
        // What is remembered may be ahead of, or behind, what was done.
        Effect.sync(() => {
          state.prepared = false
          state.notes = undefined
          state.numbers.clear()
        })
      )
  )

  /** The whole log into a folder of its own, without looking for a person's changes there. */
  const rebuild = Effect.fn("GitProjection.rebuild")(function* (
    key: KnowledgeBaseKey,
    state: State,
    repository: Repository
  ) {
    yield* withGit(prepare(repository))
    const refs = yield* withGit(readRefs(repository))
    const ground = yield* advance(key, state, repository, refs.projected)
    if (ground.projected === undefined) return { head: 0, commit: undefined }
    const changes = yield* workTree.difference(repository, refs.checkedOut ?? emptyTree, ground.projected)
    const step = {
      refs,
      baseline: refs.checkedOut,
      changes,
      leave: new Set<string>(),
      restore: new Set<string>(),
      known: () => Effect.succeed(false),
      authority: unquestioned
    }
    const moved = yield* moveTo(repository, ground.projected, step)
    if (moved !== "moved")
      return yield* new GitError({
        action: "rebuilding a knowledge base",
        directory: repository.directory,
        detail: "the folder is in use, or holds files of something else; give an empty one"
      })
    yield* writeIndex(key, state, repository)
    return { head: ground.revision, commit: ground.projected }
  })

  return { project, rebuild }
})
