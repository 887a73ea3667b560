/**
 * The log of a knowledge base as a plain git repository with a working tree: one commit a revision, the
 * same hashes wherever it is made. What a person changes there comes back as revisions first.
 */
import { mkdir } from "node:fs/promises"
import { Context, Effect, Layer, PubSub, Semaphore, Stream } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import type { Author } from "../domain/Note.ts"
import { Lease } from "../lock/Locks.ts"
import { makeFollowing } from "./Following.ts"
import type { State } from "./git/Advance.ts"
import { disk } from "./git/Disk.ts"
import { Git, type GitError, repositoryAt } from "./git/Git.ts"
import { type Commit, makeHistory } from "./git/History.ts"
import { makeProjector, type Projected, type ProjectionError } from "./git/Projector.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"

export { GitError } from "./git/Git.ts"
export type { Commit } from "./git/History.ts"
export type { Conflict, LeftOut } from "./git/PersonChanges.ts"
export type { Projected, ProjectionError } from "./git/Projector.ts"

export interface ProjectionEvent extends Projected {
  readonly key: KnowledgeBaseKey
}

export interface GitProjectionOptions {
  /** The folder of all knowledge bases: `<DATA_DIR>/kb`, absolute. */
  readonly directory: string
  /** Whose name uncommitted changes bear where the repository's `user.name` says nothing. */
  readonly person?: Author
  /** How long a file must have been left alone before it is taken as written. Milliseconds, 1,000. */
  readonly settle?: number
  /** How often `follow` looks at a working tree in which something happened lately. Milliseconds, 2,000. */
  readonly look?: number
}

export class GitProjection extends Context.Service<
  GitProjection,
  {
    /**
     * Imports what a person changed, then brings the repository up to the head of the log. Under the lease of who
     * follows the tenant here; where nobody does, it gives way to everybody who ever did.
     */
    readonly project: (key: KnowledgeBaseKey) => Effect.Effect<Projected, ProjectionError>
    /**
     * Projects a tenant's knowledge bases as their logs grow and as people edit: in one process of the world, that
     * which holds the lease. Ends only by failing.
     */
    readonly follow: (tenant: TenantId) => Effect.Effect<never, ProjectionError, Lease>
    /** Projections that imported or conflicted, or that wait or leave files out for a new reason. Hot. */
    readonly events: Stream.Stream<ProjectionEvent>
    readonly directory: (key: KnowledgeBaseKey) => string
    /** A fresh projection of the whole log into an empty directory. */
    readonly rebuild: (
      key: KnowledgeBaseKey,
      directory: string
    ) => Effect.Effect<{ readonly head: number; readonly commit: string | undefined }, ProjectionError>
    /** Newest first; with `path`, the commits that touched it. */
    readonly log: (
      key: KnowledgeBaseKey,
      options: { readonly path?: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Commit>, GitError>
    /** Paths of all files at the head. */
    readonly tree: (key: KnowledgeBaseKey) => Effect.Effect<ReadonlyArray<string>, GitError>
    /** Undefined when the head has no such file. */
    readonly file: (key: KnowledgeBaseKey, path: string) => Effect.Effect<Uint8Array | undefined, GitError>
    /** The unified diff of one commit, of one file when given. */
    readonly diff: (key: KnowledgeBaseKey, commit: string, path?: string) => Effect.Effect<string, GitError>
  }
>()("zapiska/knowledge/GitProjection") {
  /** With the system's git. Needs the process spawner of the platform. */
  static readonly layer = (options: GitProjectionOptions) =>
    Layer.effect(GitProjection, make(options)).pipe(Layer.provide(Git.layer))
}

const make = Effect.fnUntraced(function* (options: GitProjectionOptions) {
  // Git makes what it makes readable for everybody; whoever wants to share the notes may open the door again.
  yield* disk(repositoryAt(options.directory), "making the folder of the repositories", () =>
    mkdir(options.directory, { recursive: true, mode: 0o700 })
  )
  const projector = yield* makeProjector({
    person: options.person ?? { name: "Owner", email: "owner@localhost" },
    settle: options.settle ?? 1000
  })
  const history = yield* makeHistory
  const events = yield* PubSub.sliding<ProjectionEvent>(1024)
  const states = new Map<string, State>()
  const leases = new Map<TenantId, Lease["Service"]>()
  const reported = new Map<string, string>()

  const nameOf = (key: KnowledgeBaseKey) => `${key.tenant}/${key.name}`
  const directory = (key: KnowledgeBaseKey) => `${options.directory}/${nameOf(key)}`
  const repository = (key: KnowledgeBaseKey) => repositoryAt(directory(key))

  const newState = (): State => ({
    semaphore: Semaphore.makeUnsafe(1),
    prepared: false,
    numbers: new Map(),
    sincePacked: 0,
    notes: undefined,
    fence: undefined
  })
  const stateOf = (key: KnowledgeBaseKey): State => {
    const state = states.get(nameOf(key)) ?? newState()
    states.set(nameOf(key), state)
    return state
  }

  /** Tells what is new: the same reason to wait is told once. */
  const report = Effect.fnUntraced(function* (key: KnowledgeBaseKey, projected: Projected) {
    const lasting = JSON.stringify([projected.waiting, projected.leftOut])
    const unchanged = (reported.get(nameOf(key)) ?? "[null,[]]") === lasting
    reported.set(nameOf(key), lasting)
    if (unchanged && projected.imported === 0 && projected.conflicts.length === 0) return
    yield* PubSub.publish(events, { ...projected, key })
    yield* Effect.logInfo("knowledge base projected").pipe(
      Effect.annotateLogs({
        tenant: key.tenant,
        knowledgeBase: key.name,
        head: projected.head,
        imported: projected.imported,
        conflicts: projected.conflicts.length,
        leftOut: projected.leftOut.length,
        ...(projected.waiting === undefined ? {} : { waiting: projected.waiting })
      })
    )
  })

  const project = (key: KnowledgeBaseKey) =>
    Effect.suspend(() => {
      const state = stateOf(key)
      return projector.project(key, state, repository(key)).pipe(
        Effect.tap((projected) => report(key, projected)),
        state.semaphore.withPermit,
        Effect.provideService(Lease, leases.get(key.tenant) ?? Lease.sole)
      )
    })

  const following = yield* makeFollowing({ project, repository, look: options.look ?? 2000 })

  const follow = Effect.fnUntraced(function* (tenant: TenantId) {
    const lease = yield* Lease
    return yield* Effect.acquireUseRelease(
      Effect.sync(() => leases.set(tenant, lease)),
      () => following.follow(tenant),
      () => Effect.sync(() => leases.get(tenant) === lease && leases.delete(tenant))
    )
  })

  return GitProjection.of({
    project,
    follow,
    events: Stream.fromPubSub(events),
    directory,
    rebuild: (key, into) => projector.rebuild(key, newState(), repositoryAt(into)),
    log: (key, choice) => history.log(repository(key), choice),
    tree: (key) => history.tree(repository(key)),
    file: (key, path) => history.file(repository(key), path),
    diff: (key, commit, path) => history.diff(repository(key), commit, path)
  })
})
