/**
 * How a lease is kept: renewed after a third of its life, over for its holder after two. One fiber sees to all
 * leases of a process; only those that live long enough to be renewed get one of their own. Monotonic milliseconds.
 */
import { Clock, Effect, Exit, Fiber, Latch } from "effect"
import type { LockStore } from "./Leasing.ts"
import { type LockKey, LockLost } from "./Locks.ts"
import { leasesHeld } from "./metrics.ts"

export const leasePlan = (ttl: number) => ({
  renewEvery: ttl / 3,
  trustedFor: (ttl * 2) / 3,
  again: ttl / 30
})

export const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** One holding of a lock. */
export interface Holding {
  readonly key: LockKey
  readonly name: string
  readonly token: string
  readonly ttl: number
  /** When the last renewal that was acknowledged was sent. */
  renewed: number
}

export const left = ({ renewed, ttl }: Holding, time: number) => renewed + leasePlan(ttl).trustedFor - time

export const lost = ({ name }: Holding, reason: string) => new LockLost({ key: name, reason })

/** In whole milliseconds: after a part of one that no clock tells from none it would be as early as before. */
const until = (then: number, time: number) => Math.max(Math.ceil(then - time), 0)

const late = "no renewal was acknowledged in time"

export const check = (holding: Holding) =>
  Effect.flatMap(now, (time) => (left(holding, time) > 0 ? Effect.void : Effect.fail(lost(holding, late))))

/** What is done under a lease, and why it had to end if it had to. */
interface Kept {
  readonly holding: Holding
  readonly worker: Fiber.Fiber<unknown, unknown>
  readonly due: number
  keeper: Fiber.Fiber<void> | undefined
  loss: LockLost | undefined
}

/** Renews for as long as it is held; fails when it is lost. */
const keep = Effect.fnUntraced(function* (store: LockStore, holding: Holding) {
  const { name, token, ttl } = holding
  const plan = leasePlan(ttl)
  let failing = false
  while (true) {
    const sent = yield* now
    if (left(holding, sent) <= 0) return yield* lost(holding, late)
    const renewed = yield* store.renew(name, token, ttl).pipe(
      Effect.timeout(left(holding, sent)),
      Effect.catchTag(["LocksUnavailable", "TimeoutError"], (error) =>
        Effect.as(
          failing ? Effect.void : Effect.logWarning(`The lease on ${name} is not renewed: ${error.message}`),
          undefined
        )
      )
    )
    if (renewed === false) return yield* lost(holding, "another holds it, or the lock store forgot it")
    failing = renewed === undefined
    if (renewed) holding.renewed = sent
    const next = renewed
      ? sent + plan.renewEvery
      : Math.min((yield* now) + plan.again, holding.renewed + plan.trustedFor)
    yield* Effect.sleep(until(next, yield* now))
  }
})

/** Runs effects while their leases are held, for as long as the scope lasts. */
export const makeRenewal = Effect.fnUntraced(function* (store: LockStore) {
  /** Those too young to be renewed. */
  const young = new Set<Kept>()
  const earlier = Latch.makeUnsafe(false)
  let awake = Number.POSITIVE_INFINITY

  const start = Effect.fnUntraced(function* (kept: Kept) {
    young.delete(kept)
    kept.keeper = yield* keep(store, kept.holding).pipe(
      Effect.catchDefect((defect) => Effect.fail(lost(kept.holding, `renewing it broke: ${defect}`))),
      Effect.catchTag("LockLost", (loss) =>
        Effect.sync(() => {
          kept.loss = loss
          kept.worker.interruptUnsafe()
        })
      ),
      Effect.forkChild({ startImmediately: true })
    )
  })

  const rounds = Effect.gen(function* () {
    while (true) {
      const time = yield* now
      yield* Effect.forEach(
        [...young].filter(({ due }) => due <= time),
        start,
        { discard: true }
      )
      awake = Math.min(Number.POSITIVE_INFINITY, ...[...young].map(({ due }) => due))
      yield* awake === Number.POSITIVE_INFINITY
        ? earlier.await
        : Effect.timeoutOption(earlier.await, until(awake, time))
      earlier.closeUnsafe()
    }
  })
  yield* Effect.forkScoped(rounds, { startImmediately: true })

  const context = yield* Effect.context<never>()
  const end = (kept: Kept) => {
    young.delete(kept)
    leasesHeld.modifyUnsafe(-1, context)
    return kept.keeper === undefined ? Effect.void : Fiber.interrupt(kept.keeper)
  }

  /** When the lease is lost the effect is interrupted, and `LockLost` is the result. Not to be interrupted but by `restore`. */
  return <A, E, R>(
    holding: Holding,
    effect: Effect.Effect<A, E, R>,
    restore: <B, E2, R2>(effect: Effect.Effect<B, E2, R2>) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<A, E | LockLost, R> =>
    Effect.suspend(() => {
      leasesHeld.modifyUnsafe(1, context)
      return Effect.flatMap(Effect.forkChild(effect, { startImmediately: true }), (worker) => {
        const due = holding.renewed + leasePlan(holding.ttl).renewEvery
        const kept: Kept = { holding, worker, due, keeper: undefined, loss: undefined }
        young.add(kept)
        if (due < awake) earlier.openUnsafe()
        return Effect.flatMap(
          Effect.onInterrupt(restore(Fiber.await(worker)), () =>
            Effect.andThen(
              Fiber.interrupt(worker),
              Effect.suspend(() => end(kept))
            )
          ),
          (exit) => Effect.andThen(end(kept), verdict(kept, exit))
        )
      })
    })
})

/** It may have ended between the lease and the moment we could see that. */
const verdict = <A, E>({ holding, loss }: Kept, exit: Exit.Exit<A, E>): Effect.Effect<A, E | LockLost> => {
  if (loss !== undefined) return Effect.fail(loss)
  return Exit.isSuccess(exit) ? Effect.andThen(check(holding), exit) : exit
}
