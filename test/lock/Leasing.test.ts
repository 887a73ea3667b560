import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import { type LockStore, makeLocks } from "../../src/lock/Leasing.ts"
import { Lease, LockLost, LocksUnavailable } from "../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { leasesHeld } from "../../src/lock/metrics.ts"
import { leasePlan } from "../../src/lock/Renewal.ts"

const key = { tenant: defaultTenant, name: "thing" }
const name = "default/thing"
const ttl = 15_000
const away = new LocksUnavailable({ key: name, reason: "away" })

/** Locks whose store and fences are the real ones in memory, changed by the test. */
const world = (change: (store: LockStore) => Partial<LockStore>, stall?: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const store = yield* makeMemoryStore
    let fence = 0
    const fences = Fences.of({ next: () => Effect.as(stall ?? Effect.void, ++fence) })
    return { store, locks: yield* makeLocks({ ...store, ...change(store) }, fences) }
  })

const isLost = (exit: Exit.Exit<unknown, unknown>) =>
  assert.isTrue(
    Exit.isFailure(exit) &&
      exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof LockLost)
  )

describe("a lease", () => {
  it.effect(
    "is over for its holder two thirds of its life after the last renewal that was answered was sent",
    () =>
      Effect.gen(function* () {
        let renewals = 0
        // The first renewal belongs to acquiring; the second is answered 3 s late; then Redis is away.
        const { locks } = yield* world((store) => ({
          renew: (...args) => {
            renewals += 1
            if (renewals === 1) return store.renew(...args)
            if (renewals === 2) return Effect.delay(store.renew(...args), 3_000)
            return Effect.fail(away)
          }
        }))
        const fiber = yield* Effect.forkChild(Effect.exit(locks.withLease(key)(Effect.never)), {
          startImmediately: true
        })
        const { renewEvery, trustedFor } = leasePlan(ttl)
        yield* TestClock.adjust(renewEvery + trustedFor - 1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        isLost(yield* Fiber.join(fiber))
      })
  )

  it.effect("is not waited for when a renewal hangs", () =>
    Effect.gen(function* () {
      let renewals = 0
      const { locks } = yield* world((store) => ({
        renew: (...args) => (++renewals === 1 ? store.renew(...args) : Effect.never)
      }))
      const fiber = yield* Effect.forkChild(Effect.exit(locks.withLease(key)(Effect.never)), {
        startImmediately: true
      })
      yield* TestClock.adjust(leasePlan(ttl).trustedFor)
      isLost(yield* Fiber.join(fiber))
    })
  )

  it.effect("is renewed in its own time, however long those before it live", () =>
    Effect.gen(function* () {
      const renewed: Array<string> = []
      const { locks } = yield* world((store) => ({
        renew: (...args) => Effect.tap(store.renew(...args), () => Effect.sync(() => renewed.push(args[0])))
      }))
      const hold = (name: string, ttl: number) =>
        Effect.forkChild(locks.withLease({ tenant: defaultTenant, name }, { ttl })(Effect.never), {
          startImmediately: true
        })
      yield* hold("long", 15_000)
      const short = yield* hold("short", 3_000)
      renewed.length = 0
      yield* TestClock.adjust(leasePlan(3_000).renewEvery)
      assert.deepStrictEqual(renewed, ["default/short"])
      yield* TestClock.adjust(leasePlan(15_000).renewEvery)
      assert.isUndefined(short.pollUnsafe())
      assert.deepStrictEqual(
        renewed.filter((name) => name === "default/long"),
        ["default/long"]
      )
    })
  )

  it.live("that ended while its process was frozen makes even finished work a loss", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let frozen = 0n
      const later = { ...clock, monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + frozen }
      const stepped = Object.assign(Object.create(clock) as typeof clock, later, {
        monotonicTimeNanos: Effect.sync(() => later.monotonicTimeNanosUnsafe())
      })
      const { locks } = yield* world(() => ({}))
      const work = Effect.sync(() => {
        frozen = BigInt(leasePlan(ttl).trustedFor) * 1_000_000n
      })
      isLost(yield* Effect.exit(Effect.provideService(locks.withLease(key)(work), Clock.Clock, stepped)))
    })
  )

  it.effect("tells how long it is safe, and refuses once it is not", () =>
    Effect.gen(function* () {
      const { locks } = yield* world(() => ({}))
      yield* locks.withLease(key)(
        Effect.gen(function* () {
          const lease = yield* Lease
          assert.strictEqual(yield* lease.remaining, leasePlan(ttl).trustedFor)
          yield* lease.check
          yield* TestClock.adjust(leasePlan(ttl).renewEvery - 1)
          assert.strictEqual(
            yield* lease.remaining,
            leasePlan(ttl).trustedFor - leasePlan(ttl).renewEvery + 1
          )
        })
      )
    })
  )
})

describe("a process frozen while it acquires", () => {
  const frozenFor = (ms: number) => TestClock.adjust(ms)
  const acquired = (change: (store: LockStore) => Partial<LockStore>, stall?: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const { locks, store } = yield* world(change, stall)
      const exit = yield* Effect.exit(locks.withLease(key)(Effect.succeed("worked")))
      const free = yield* store.acquire(name, "after/1", { ttl, turn: "once" })
      return { exit, free: free._tag === "Taken" }
    })

  it.effect("between taking the lock and hearing of it gets no lease", () =>
    Effect.gen(function* () {
      const { exit, free } = yield* acquired((store) => ({
        acquire: (...args) => Effect.tap(store.acquire(...args), () => frozenFor(ttl + 1))
      }))
      isLost(exit)
      assert.isTrue(free)
    })
  )

  it.effect("between the lock and the fence gets no lease", () =>
    Effect.gen(function* () {
      const { exit, free } = yield* acquired(() => ({}), frozenFor(ttl + 1))
      isLost(exit)
      assert.isTrue(free)
    })
  )

  it.effect("between the fence and the renewal gets no lease when another took the lock meanwhile", () =>
    Effect.gen(function* () {
      const { exit } = yield* acquired((store) => ({
        renew: (...args) =>
          frozenFor(ttl + 1).pipe(
            Effect.andThen(store.acquire(name, "other/1", { ttl, turn: "once" })),
            Effect.andThen(store.renew(...args))
          )
      }))
      isLost(exit)
    })
  )

  it.effect("between the renewal and its answer gets a lease that is over", () =>
    Effect.gen(function* () {
      const { exit } = yield* acquired((store) => ({
        renew: (...args) => Effect.tap(store.renew(...args), () => frozenFor(ttl))
      }))
      isLost(exit)
    })
  )

  it.effect("gives back what it took when it is interrupted before the answer", () =>
    Effect.gen(function* () {
      const { locks, store } = yield* world((store) => ({
        acquire: (...args) => Effect.andThen(store.acquire(...args), Effect.never)
      }))
      const fiber = yield* Effect.forkChild(locks.withLease(key)(Effect.void), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* store.acquire(name, "after/1", { ttl, turn: "once" }))._tag, "Taken")
    })
  )
})

it.effect("leases held are counted, and none is left", () =>
  Effect.gen(function* () {
    const { locks } = yield* world(() => ({}))
    const before = (yield* Metric.value(leasesHeld)).value
    yield* locks.withLease(key)(
      Effect.gen(function* () {
        assert.strictEqual((yield* Metric.value(leasesHeld)).value, before + 1)
      })
    )
    assert.strictEqual((yield* Metric.value(leasesHeld)).value, before)
  })
)
