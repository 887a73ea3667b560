/** Brings the commits of a repository up to the head of the log, and remembers how far they are. */
import { Effect, type Semaphore } from "effect"
import { Blobs } from "../Blobs.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../RevisionLog.ts"
import { makeFastImport } from "./FastImport.ts"
import { Git, GitError, type Repository } from "./Git.ts"
import { followNotes, type KnownNotes } from "./IndexWriter.ts"
import type { Ground } from "./PersonChanges.ts"

/** What is remembered of a repository between projections; all of it can be read again. */
export interface State {
  readonly semaphore: Semaphore.Semaphore
  prepared: boolean
  /** The revision numbers of commits of ours. */
  readonly numbers: Map<string, number>
  sincePacked: number
  notes: KnownNotes | undefined
  /** Under which all this was found out: another may have projected here before it. */
  fence: number | undefined
}

/** Revisions written by one `git fast-import`. */
const page = 1000

export const makeAdvance = Effect.gen(function* () {
  const git = yield* Git
  const log = yield* RevisionLog
  const blobs = yield* Blobs
  const fastImport = yield* makeFastImport

  /** One commit a revision and no merges: a commit's number is how many there are up to it. */
  const numberOf = Effect.fnUntraced(function* (
    state: State,
    repository: Repository,
    commit: string | undefined
  ) {
    if (commit === undefined) return 0
    const known = state.numbers.get(commit)
    if (known !== undefined) return known
    const number = Number((yield* git.text(repository, ["rev-list", "--count", commit])).trim())
    state.numbers.set(commit, number)
    return number
  })

  /** Makes commits of the revisions that have none. Touches only our own refs. */
  const advance = Effect.fn("GitProjection.advance")(function* (
    key: KnowledgeBaseKey,
    state: State,
    repository: Repository,
    start: string | undefined
  ) {
    let projected = start
    let revision = yield* numberOf(state, repository, start)
    const head = yield* log.head(key)
    if (revision > head)
      return yield* new GitError({
        action: "projecting revisions",
        directory: repository.directory,
        detail:
          `the repository is at revision ${revision}, the log only at ${head}: it belongs to another ` +
          "database, or the database is an older copy. Move the repository away to have it made anew"
      })
    const read = (after: number) => log.read(key, after, Math.min(page, head - after))
    let revisions = revision < head ? yield* read(revision) : []
    while (revisions.length > 0) {
      // The next page is fetched while git writes this one.
      const after = revision + revisions.length
      const [commit, next] = yield* Effect.all(
        [
          fastImport.project(repository, revisions, projected, (hashes) => blobs.get(key.tenant, hashes)),
          after < head ? read(after) : Effect.succeed([])
        ],
        { concurrency: 2 }
      )
      if (state.notes !== undefined) followNotes(state.notes, revisions)
      state.sincePacked += revisions.length
      projected = commit
      revision = after
      revisions = next
      if (projected !== undefined) state.numbers.set(projected, revision)
    }
    return { key, repository, projected, revision } satisfies Ground
  })

  return { advance, numberOf }
})
