/**
 * The step in which a repository shows what was projected: files, index and branch move on together, under git's own
 * lock on the index, in an order that can be cut anywhere.
 */
import { Effect } from "effect"
import { reach } from "../../ops/Failpoint.ts"
import type { Authority } from "./Authority.ts"
import { releaseIndexLock, takeIndexLock } from "./Disk.ts"
import { Git, linesOf, type Repository } from "./Git.ts"
import { busyWith, checkedOutRef, importedRef, mainRef, type Refs } from "./Place.ts"
import type { CheckoutOptions, WorkTree } from "./WorkTree.ts"

/** From where the repository is to where it is to be. */
export interface Step extends Pick<CheckoutOptions, "changes" | "known" | "leave" | "restore"> {
  readonly refs: Refs
  /** What the working tree and the index are relative to. */
  readonly baseline: string | undefined
  readonly authority: Authority
}

/** What git calls a ref that is not there. */
const none = "0".repeat(40)

export const makeMoving = Effect.fnUntraced(function* (workTree: WorkTree) {
  const git = yield* Git

  /** Replaces files, then the index, then the branch, under git's own lock on the index. */
  const moveTo = Effect.fn("GitProjection.moveTo")(function* (
    repository: Repository,
    target: string,
    step: Step
  ) {
    const { check, publish } = step.authority
    yield* check
    const lock = yield* takeIndexLock(repository)
    if (lock === undefined) return "again"
    return yield* Effect.gen(function* () {
      // A person may have begun something since we looked.
      if ((yield* Effect.provideService(busyWith(repository), Git, git)) !== undefined) return "again"
      const [refused] = yield* Effect.all(
        [
          workTree.checkout(repository, {
            changes: step.changes,
            leave: step.leave,
            restore: step.restore,
            known: step.known,
            check
          }),
          workTree.prepareIndex(repository, step.baseline, target, step.changes)
        ],
        { concurrency: 2 }
      )
      if (refused.length > 0) return "refused"
      yield* check
      yield* workTree.installIndex(repository, target)
      const { checkedOut = none, imported, main = none } = step.refs
      const update = [
        `update ${mainRef} ${target} ${main}`,
        `update ${checkedOutRef} ${target} ${checkedOut}`,
        ...(imported === undefined ? [] : [`delete ${importedRef} ${imported}`])
      ]
      const moved = yield* publish(
        Effect.andThen(
          reach("accepted"),
          git.run(repository, ["update-ref", "--stdin"], { input: linesOf(update) })
        )
      )
      // A commit of the person's, or another projector, came first.
      return moved.code === 0 ? "moved" : "again"
    }).pipe(Effect.ensuring(Effect.orDie(releaseIndexLock(repository, lock))))
  })

  return { moveTo }
})
