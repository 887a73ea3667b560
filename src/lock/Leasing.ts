/**
 * How a lease is acquired, kept and lost, over any store that can compare and expire: lock, then fence committed,
 * then a renewal that succeeded, in that order. Times are monotonic and in milliseconds.
 */
import { Duration, Effect, Exit, Latch, Metric, Random, type Scope } from "effect"
import type { Fences } from "./Fences.ts"
import {
  Lease,
  type LeaseOptions,
  LockHeld,
  type LockKey,
  LockLost,
  Locks,
  type LocksUnavailable,
  lockName
} from "./Locks.ts"
import { leasesLost, leaseWait } from "./metrics.ts"
import { check, type Holding, left, lost, makeRenewal, now } from "./Renewal.ts"

/** What became of an attempt to take a lock. */
export type Attempt =
  | { readonly _tag: "Taken" }
  | { readonly _tag: "Held"; readonly owner: string; readonly expiresIn: number }

/** Where locks are kept; it answers or fails within two seconds. `token` names one holding of a lock: nothing is done to a lock that has another. */
export interface LockStore {
  /** Who holds what is taken here, for people to read; of no other process, and without `/`. */
  readonly owner: string
  /** `turn`: with `wait` a lock that is not free keeps a place in the line, which must be asked for again within 3 s. */
  readonly acquire: (
    name: string,
    token: string,
    options: { readonly ttl: number; readonly turn: "wait" | "once" }
  ) => Effect.Effect<Attempt, LocksUnavailable>
  /** `false`: it is not held under this token any more. */
  readonly renew: (name: string, token: string, ttl: number) => Effect.Effect<boolean, LocksUnavailable>
  /** Gives back the lock, or the place in the line, and wakes who is next. */
  readonly release: (name: string, token: string) => Effect.Effect<void, LocksUnavailable>
  /** From now on calls to this one to wake up are kept: what it gives ends with the next of them. */
  readonly calls: (token: string) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
}

/** How long a place in the line is kept without being asked for. */
export const placeKept = 3_000
/** A call to wake up can be lost: without one the lock is asked for this often. */
const askEvery = 1_000

const defaultTtl = Duration.seconds(15)

/** The owner a token of any process names. */
export const ownerOf = (token: string): string => token.slice(0, token.lastIndexOf("/"))

/** The calls of a process to its own waiters. */
export const makeCalls = () => {
  const waiting = new Map<string, Latch.Latch>()
  return {
    wake: (token: string): void => void waiting.get(token)?.openUnsafe(),
    of: (token: string): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            const latch = Latch.makeUnsafe(false)
            waiting.set(token, latch)
            return latch
          }),
          () => Effect.sync(() => waiting.delete(token))
        ),
        (latch) => Effect.andThen(latch.await, latch.close)
      )
  }
}

/** Without `fences` a lease has none (0): it then saves double work, and protects nothing. */
export const makeLocks = Effect.fnUntraced(function* (store: LockStore, fences?: Fences["Service"]) {
  const whileKept = yield* makeRenewal(store)
  let holdings = 0

  const held = (key: string, { owner, expiresIn }: Extract<Attempt, { _tag: "Held" }>) =>
    new LockHeld({ key, owner, expiresIn })

  const giveBack = ({ name, token }: Pick<Holding, "name" | "token">) =>
    store
      .release(name, token)
      .pipe(
        Effect.catchTag("LocksUnavailable", (error) =>
          Effect.logDebug(`A lock was not given back and runs out by itself: ${error.message}`)
        )
      )

  /** In the line, until the lock is taken. When what took it was sent. */
  const wait = Effect.fnUntraced(function* (name: string, token: string, ttl: number, until: number) {
    const called = yield* store.calls(token)
    while (true) {
      // Also the first time: it may have been free again before we could be called.
      const sent = yield* now
      const attempt = yield* store.acquire(name, token, { ttl, turn: "wait" })
      if (attempt._tag === "Taken") return sent
      const patience = until - (yield* now)
      if (patience <= 0) return yield* held(name, attempt)
      // All who wait for a lock that ran out must not ask for it in the same instant.
      const jitter = yield* Random.nextBetween(1, 20)
      const most = Math.min(attempt.expiresIn > 0 ? attempt.expiresIn + jitter : askEvery, askEvery, patience)
      yield* Effect.timeoutOption(called, most)
    }
  }, Effect.scoped)

  const acquire = Effect.fnUntraced(function* (
    { key, name, token, ttl }: Omit<Holding, "renewed">,
    patience: number
  ) {
    const begun = yield* now
    const attempt = yield* store.acquire(name, token, { ttl, turn: patience > 0 ? "wait" : "once" })
    if (attempt._tag === "Held" && patience <= 0) return yield* held(name, attempt)
    const renewed = attempt._tag === "Taken" ? begun : yield* wait(name, token, ttl, begun + patience)
    const holding: Holding = { key, name, token, ttl, renewed }
    if (fences === undefined) return { holding, fence: 0 }
    const fence = yield* fences.next(key)
    // Whatever happened while the fence was written: from here on it is known that the lock outlived it.
    const sent = yield* now
    if (left(holding, sent) <= 0) return yield* lost(holding, "acquiring it took too long")
    if (!(yield* store.renew(name, token, ttl)))
      return yield* lost(holding, "it ran out while it was being acquired")
    holding.renewed = sent
    yield* Metric.update(leaseWait, ((yield* now) - begun) / 1_000)
    return { holding, fence }
  })

  const run = <A, E, R>(
    key: LockKey,
    options: LeaseOptions & { readonly wait: number },
    effect: Effect.Effect<A, E, R>
  ) =>
    Effect.uninterruptibleMask((restore) => {
      const wanted = {
        key,
        name: lockName(key),
        token: `${store.owner}/${++holdings}`,
        ttl: Duration.toMillis(Duration.fromInputUnsafe(options.ttl ?? defaultTtl))
      }
      // An answer may be lost on its way: what was taken under this token is given back whatever is known of it.
      const acquired = Effect.onError(restore(acquire(wanted, options.wait)), () => giveBack(wanted))
      return Effect.flatMap(acquired, ({ fence, holding }) => {
        const lease = Lease.of({
          key,
          fence,
          remaining: Effect.map(now, (time) => left(holding, time)),
          check: check(holding)
        })
        return Effect.onExit(
          whileKept(holding, Effect.provideService(effect, Lease, lease), restore),
          (exit) => Effect.andThen(giveBack(holding), Exit.isFailure(exit) ? noteLoss(exit) : Effect.void)
        )
      })
    })

  return Locks.of({
    withLease: (key, options) => (effect) =>
      run(
        key,
        {
          ...options,
          wait:
            options?.wait === undefined
              ? Number.POSITIVE_INFINITY
              : Duration.toMillis(Duration.fromInputUnsafe(options.wait))
        },
        effect
      ),
    tryLease: (key, options) => (effect) => run(key, { ...options, wait: 0 }, effect)
  })
})

const noteLoss = (exit: Exit.Failure<unknown, unknown>) =>
  Effect.forEach(
    exit.cause.reasons.flatMap((reason) =>
      reason._tag === "Fail" && reason.error instanceof LockLost ? [reason.error] : []
    ),
    (error) => Effect.andThen(Metric.update(leasesLost, 1), Effect.logWarning(error.message)),
    { discard: true }
  )
