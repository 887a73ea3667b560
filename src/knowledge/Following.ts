/**
 * Keeps the repositories of tenants in step with their logs and their people: at once when a log grows, and when a
 * look at the files shows that somebody was there. Where nothing happens the looks become rare.
 */
import { Clock, Effect, Option, Queue, Random, type Scope, Semaphore, Stream } from "effect"
import { defaultKnowledgeBase, type TenantId } from "../domain/Ids.ts"
import type { Repository } from "./git/Git.ts"
import { glance, isSharp } from "./git/Glance.ts"
import type { Projected, ProjectionError } from "./git/Projector.ts"
import { type KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"

export interface FollowingOptions {
  readonly project: (key: KnowledgeBaseKey) => Effect.Effect<Projected, ProjectionError>
  readonly repository: (key: KnowledgeBaseKey) => Repository
  /** Between two looks at the files where something happened lately. Milliseconds. */
  readonly look: number
}

/** Milliseconds between two projections, however long the first took. */
const longestRest = 500
/** Where so many revisions were projected at once, more come than anybody waits for. */
const many = 8
/** Projections under way in all tenants together: each runs some gits. */
const atOnce = 8
/** A person who comes back waits for at most so many looks. */
const rarest = 15
/** Of the time a look took, so much passes until the next. */
const patience = 20
/** Milliseconds: every log is looked at, in case a signal was lost in a way nobody noticed. */
const listedEvery = 5 * 60_000

/** How long to wait for the next look, when nothing has happened for `idle` milliseconds. */
export const untilNextLook = (look: number, idle: number, took: number): number =>
  Math.max(Math.min(Math.max(look, idle / 10), look * rarest), took * patience)

/**
 * Milliseconds until the next projection, after one that took so long: a fifth of the time is not git's, and half of it
 * where much is written. One projection takes more revisions then, for hardly more.
 */
export const restAfter = (took: number, revisions: number): number =>
  revisions < many ? Math.min(took / 4, longestRest) : Math.min(took, 2 * longestRest)

/** Nothing is left to be done here until somebody does something. */
const isAtRest = ({ conflicts, imported, unsettled, waiting }: Projected) =>
  waiting === undefined && unsettled.length === 0 && imported === 0 && conflicts.length === 0

type Want = (name: KnowledgeBaseKey["name"] | "all") => Effect.Effect<unknown>

export const makeFollowing = Effect.fnUntraced(function* (options: FollowingOptions) {
  const log = yield* RevisionLog
  const places = yield* Semaphore.make(atOnce)
  const followed = new Map<TenantId, Set<Want>>()

  // Heard once for all tenants: each of a thousand would go through the revisions of the others.
  yield* Effect.forkScoped(
    Stream.runForEach(log.changes, ({ name, tenant }) =>
      Effect.forEach(followed.get(tenant) ?? [], (want) => want(name), { discard: true })
    ),
    { startImmediately: true }
  )
  yield* Effect.forkScoped(
    Stream.runForEach(log.missed, () =>
      Effect.forEach(
        [...followed.values()].flatMap((wants) => [...wants]),
        (want) => want("all"),
        {
          discard: true
        }
      )
    ),
    { startImmediately: true }
  )

  const heard = (tenant: TenantId, want: Want) =>
    Effect.acquireRelease(
      Effect.sync(() => followed.set(tenant, (followed.get(tenant) ?? new Set()).add(want))),
      () =>
        Effect.sync(() => {
          followed.get(tenant)?.delete(want)
          if (followed.get(tenant)?.size === 0) followed.delete(tenant)
        })
    )

  const glimpse = (key: KnowledgeBaseKey) => Effect.option(glance(options.repository(key)))

  /** Signals that come while a projection runs become one projection after it. */
  const follow = Effect.fn("GitProjection.follow")(function* (
    tenant: TenantId
  ): Effect.fn.Return<never, ProjectionError, Scope.Scope> {
    const due = new Set<KnowledgeBaseKey["name"]>()
    const wake = yield* Queue.sliding<void>(1)
    /** The files as they were when there was nothing left to do. */
    const rested = new Map<KnowledgeBaseKey["name"], string | undefined>([[defaultKnowledgeBase, undefined]])
    const heads = new Map<KnowledgeBaseKey["name"], number>()
    let listing = true
    let working = false
    let lately = yield* Clock.currentTimeMillis

    const want: Want = Effect.fnUntraced(function* (name) {
      if (name === "all") listing = true
      else due.add(name)
      lately = yield* Clock.currentTimeMillis
      return yield* Queue.offer(wake, undefined)
    })

    const look = Effect.gen(function* () {
      for (const [name, digest] of rested) {
        // Whoever projects looks by itself.
        if (working) return
        const seen = yield* glimpse({ tenant, name })
        if (Option.isNone(seen) || seen.value.digest !== digest) yield* want(name)
      }
    })
    const looks = Effect.gen(function* () {
      let took = 0
      while (true) {
        const idle = (yield* Clock.currentTimeMillis) - lately
        yield* Effect.sleep(untilNextLook(options.look, idle, took))
        const began = yield* Clock.currentTimeMillis
        yield* look
        took = (yield* Clock.currentTimeMillis) - began
      }
    })
    const listings = Effect.forever(
      Effect.gen(function* () {
        yield* Effect.sleep(listedEvery * (yield* Random.nextBetween(0.8, 1.2)))
        listing = true
        yield* Queue.offer(wake, undefined)
      })
    )

    /** How many revisions were new. */
    const projectOne = Effect.fnUntraced(function* (name: KnowledgeBaseKey["name"]) {
      const now = yield* Clock.currentTimeMillis
      const before = yield* glimpse({ tenant, name })
      rested.set(name, undefined)
      const projected = yield* options.project({ tenant, name })
      if (Option.isSome(before) && isSharp(before.value, now) && isAtRest(projected))
        rested.set(name, before.value.digest)
      const last = heads.get(name) ?? projected.head
      heads.set(name, projected.head)
      return projected.head - last
    })

    const work = Effect.gen(function* () {
      yield* Queue.take(wake)
      working = true
      const began = yield* Clock.currentTimeMillis
      if (listing) {
        listing = false
        for (const name of yield* log.knowledgeBases(tenant)) due.add(name)
      }
      const names = [...due]
      due.clear()
      // One that cannot be projected must not hold up the others; the task then fails and is restarted.
      const outcomes = yield* Effect.forEach(names, (name) =>
        places.withPermit(Effect.exit(projectOne(name)))
      )
      const revisions = yield* Effect.forEach(outcomes, (outcome) => outcome)
      working = false
      yield* Effect.sleep(restAfter((yield* Clock.currentTimeMillis) - began, Math.max(0, ...revisions)))
    })

    yield* heard(tenant, want)
    // The repository a person is pointed to is there before their first note.
    yield* want(defaultKnowledgeBase)
    return yield* Effect.raceAllFirst([Effect.forever(work), looks, listings])
  }, Effect.scoped)

  return { follow }
})
