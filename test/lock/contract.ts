/** What every Layer of `Locks` promises. */
import { assert, it } from "@effect/vitest"
import { Deferred, type Duration, Effect, Exit, Fiber, type Layer } from "effect"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Lease, LockHeld, type LockKey, Locks } from "../../src/lock/Locks.ts"

const other = TenantId.make("other")
export const keyOf = (name: string): LockKey => ({ tenant: defaultTenant, name })

/** Holds the lock until it is told to let go; ends when it holds. */
export const holding = Effect.fnUntraced(function* (
  key: LockKey,
  options: { readonly ttl?: Duration.Input } = {}
) {
  const locks = yield* Locks
  const held = yield* Deferred.make<number>()
  const done = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkChild(
    Effect.flatMap(Lease, ({ fence }) => Deferred.succeed(held, fence)).pipe(
      Effect.andThen(Deferred.await(done)),
      locks.withLease(key, options)
    )
  )
  const fence = yield* Deferred.await(held)
  return { fence, fiber, letGo: Effect.andThen(Deferred.succeed(done, undefined), Fiber.await(fiber)) }
})

export const contract = <E>(layer: Layer.Layer<Locks, E>) => {
  const promise = <A, F>(name: string, effect: Effect.Effect<A, F, Locks>) =>
    it.live(name, () => Effect.provide(effect, layer))

  promise(
    "one holder at a time, whose fence is higher than all before",
    Effect.gen(function* () {
      const locks = yield* Locks
      const fences: Array<number> = []
      let inside = 0
      let counter = 0
      yield* Effect.forEach(
        Array.from({ length: 30 }),
        () =>
          Effect.gen(function* () {
            inside += 1
            assert.strictEqual(inside, 1)
            const before = counter
            yield* Effect.sleep("2 millis")
            counter = before + 1
            fences.push((yield* Lease).fence)
            inside -= 1
          }).pipe(locks.withLease(keyOf("counter"))),
        { concurrency: "unbounded", discard: true }
      )
      assert.strictEqual(counter, 30)
      assert.deepStrictEqual(
        fences,
        [...new Set(fences)].sort((a, b) => a - b)
      )
    })
  )

  promise(
    "who waits is served in turn",
    Effect.gen(function* () {
      const locks = yield* Locks
      const key = keyOf("turns")
      const first = yield* holding(key)
      const served: Array<number> = []
      const waiters = yield* Effect.forEach([1, 2, 3, 4, 5], (nth) =>
        Effect.forkChild(locks.withLease(key)(Effect.sync(() => served.push(nth))), {
          startImmediately: true
        }).pipe(Effect.tap(() => Effect.sleep("30 millis")))
      )
      yield* first.letGo
      yield* Effect.forEach(waiters, Fiber.join)
      assert.deepStrictEqual(served, [1, 2, 3, 4, 5])
    })
  )

  promise(
    "what is held is refused at once, saying by whom and for how long",
    Effect.gen(function* () {
      const locks = yield* Locks
      const key = keyOf("refused")
      const first = yield* holding(key)
      const error = yield* Effect.flip(locks.tryLease(key)(Effect.void))
      assert.instanceOf(error, LockHeld)
      assert.isAbove((error as LockHeld).owner.length, 0)
      assert.isAbove((error as LockHeld).expiresIn, 0)
      assert.isAtMost((error as LockHeld).expiresIn, 15_000)
      yield* first.letGo
      yield* locks.tryLease(key)(Effect.void)
    })
  )

  promise(
    "who waits too long leaves the line, and the next one is served",
    Effect.gen(function* () {
      const locks = yield* Locks
      const key = keyOf("patience")
      const first = yield* holding(key)
      const impatient = yield* Effect.forkChild(
        Effect.flip(locks.withLease(key, { wait: "50 millis" })(Effect.void)),
        { startImmediately: true }
      )
      const interrupted = yield* Effect.forkChild(locks.withLease(key)(Effect.void), {
        startImmediately: true
      })
      yield* Effect.sleep("20 millis")
      const last = yield* Effect.forkChild(locks.withLease(key)(Effect.succeed("served")), {
        startImmediately: true
      })
      assert.instanceOf(yield* Fiber.join(impatient), LockHeld)
      yield* Fiber.interrupt(interrupted)
      yield* first.letGo
      assert.strictEqual(yield* Fiber.join(last), "served")
    })
  )

  promise(
    "it is given back however the work ends",
    Effect.gen(function* () {
      const locks = yield* Locks
      const key = keyOf("endings")
      assert.strictEqual(yield* Effect.flip(locks.tryLease(key)(Effect.fail("failed"))), "failed")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(locks.tryLease(key)(Effect.die("died")))))
      const first = yield* holding(key)
      yield* Fiber.interrupt(first.fiber)
      assert.strictEqual(yield* locks.tryLease(key)(Effect.succeed("free")), "free")
    })
  )

  promise(
    "a name is another lock for another tenant",
    Effect.gen(function* () {
      const locks = yield* Locks
      const mine = yield* holding(keyOf("shared"))
      const theirs = yield* holding({ tenant: other, name: "shared" })
      assert.instanceOf(yield* Effect.flip(locks.tryLease(keyOf("shared"))(Effect.void)), LockHeld)
      yield* mine.letGo
      yield* theirs.letGo
    })
  )

  promise(
    "a lease is renewed for as long as its holder works",
    Effect.gen(function* () {
      const locks = yield* Locks
      const key = keyOf("renewed")
      // On a busy machine a renewal may come a second late.
      const first = yield* holding(key, { ttl: "3 seconds" })
      for (let nth = 0; nth < 5; nth++) {
        yield* Effect.sleep("1500 millis")
        assert.instanceOf(yield* Effect.flip(locks.tryLease(key)(Effect.void)), LockHeld)
      }
      assert.isTrue(Exit.isSuccess(yield* first.letGo))
    })
  )
}

/** The second tenant of the contract. */
export { other as otherTenant }
