import { assert, describe, it, vi } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Metric } from "effect"
import { Fences } from "../../src/lock/Fences.ts"
import { Lease, LockHeld, LockLost, Locks, LocksUnavailable } from "../../src/lock/Locks.ts"
import * as LocksRedis from "../../src/lock/LocksRedis.ts"
import { lockClockAlarms } from "../../src/lock/metrics.ts"
import { noRedis, TestRedis } from "../support/redis.ts"
import { contract, holding, keyOf } from "./contract.ts"
import { fences } from "./fences.ts"

const locks = Layer.unwrap(Effect.map(TestRedis, ({ url }) => LocksRedis.layer({ url })))
const world = locks.pipe(Layer.provideMerge(fences), Layer.provideMerge(TestRedis.layer))
const short = { ttl: "600 millis" } as const

/** Another process, as far as Redis can tell. */
const elsewhere = <A, E>(effect: Effect.Effect<A, E, Locks>) =>
  Effect.gen(function* () {
    const { url } = yield* TestRedis
    const own = LocksRedis.layer({ url }).pipe(Layer.provide(Layer.succeed(Fences, yield* Fences)))
    return yield* Effect.provide(effect, own, { local: true })
  })

/** Holds the lock for ever; ends with how the work under it ended, and what its result was. */
const victim = Effect.fnUntraced(function* (name: string) {
  const service = yield* Locks
  const held = yield* Deferred.make<void>()
  const ended = yield* Deferred.make<"interrupted">()
  const fiber = yield* Effect.forkChild(
    Deferred.succeed(held, undefined).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(ended, "interrupted")),
      service.withLease(keyOf(name), short),
      Effect.exit
    )
  )
  yield* Deferred.await(held)
  return Effect.gen(function* () {
    const exit = yield* Fiber.join(fiber)
    assert.isTrue(Exit.isFailure(exit))
    assert.instanceOf(yield* Effect.flip(exit), LockLost)
    assert.strictEqual(yield* Deferred.await(ended), "interrupted")
  })
})

describe.skipIf(noRedis !== undefined)(
  `locks in Redis${noRedis === undefined ? "" : ` (skipped: ${noRedis})`}`,
  () => {
    contract(Layer.provide(locks.pipe(Layer.provide(fences)), TestRedis.layer))

    const promise = <A, E>(name: string, effect: Effect.Effect<A, E, Locks | Fences | TestRedis>) =>
      it.live(name, () => Effect.provide(effect, world))

    promise(
      "a forgotten lock is lost to its holder, and the next fence is higher",
      Effect.gen(function* () {
        const redis = yield* TestRedis
        const before = yield* Effect.flatMap(Locks, (service) =>
          service.withLease(keyOf("flushed"))(Effect.map(Lease, ({ fence }) => fence))
        )
        const lost = yield* victim("flushed")
        yield* redis.command("FLUSHALL")
        yield* lost
        const after = yield* holding(keyOf("flushed"))
        assert.isAbove(after.fence, before + 1)
        yield* after.letGo
      })
    )

    promise(
      "whoever asks a Redis that says nothing knows within two seconds that there is none",
      Effect.gen(function* () {
        const { pid } = yield* TestRedis
        const service = yield* Locks
        yield* service.withLease(keyOf("before"))(Effect.void)
        process.kill(pid(), "SIGSTOP")
        // Of timers only: what the machine takes for the rest is no matter of the promise.
        vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
        const asked = yield* Effect.forkChild(Effect.flip(service.withLease(keyOf("any"))(Effect.void)), {
          startImmediately: true
        })
        for (let passed = 0; passed < 2_000; passed += 100)
          yield* Effect.promise(async () => {
            await new Promise((resolve) => setImmediate(resolve))
            await vi.advanceTimersByTimeAsync(100)
          })
        vi.useRealTimers()
        process.kill(pid(), "SIGCONT")
        yield* Effect.yieldNow
        const exit = asked.pollUnsafe()
        assert(exit !== undefined, "it still waits")
        assert.instanceOf(yield* exit, LocksUnavailable)
      }).pipe(Effect.ensuring(Effect.sync(() => vi.useRealTimers())))
    )

    promise(
      "when Redis dies the holder stops, whoever asks learns of it, and an empty Redis goes on",
      Effect.gen(function* () {
        const redis = yield* TestRedis
        const service = yield* Locks
        const lost = yield* victim("killed")
        yield* redis.kill
        const asked = yield* Effect.flip(service.withLease(keyOf("any"))(Effect.void))
        assert.instanceOf(asked, LocksUnavailable)
        yield* lost
        yield* redis.start
        let served: string | undefined
        while (served === undefined) {
          served = yield* service
            .withLease(keyOf("killed"))(Effect.succeed("served"))
            .pipe(Effect.catchTag("LocksUnavailable", () => Effect.as(Effect.sleep("20 millis"), undefined)))
        }
        assert.strictEqual(served, "served")
      })
    )

    promise(
      "a late release leaves the successor's lock alone",
      Effect.gen(function* () {
        const redis = yield* TestRedis
        const store = yield* LocksRedis.makeRedisStore({ url: redis.url })
        const late = yield* LocksRedis.makeRedisStore({ url: redis.url })
        yield* Effect.forEach(
          Array.from({ length: 500 }, (_, nth) => `late ${nth}`),
          Effect.fnUntraced(function* (name) {
            const [first, next] = [`${late.owner}/${name}`, `${store.owner}/${name}`]
            yield* late.acquire(name, first, { ttl: 20, turn: "once" })
            yield* Effect.sleep("40 millis")
            const taken = yield* store.acquire(name, next, { ttl: 30_000, turn: "once" })
            assert.strictEqual(taken._tag, "Taken")
            yield* late.release(name, first)
            assert.isFalse(yield* late.renew(name, first, 30_000))
            assert.isTrue(yield* store.renew(name, next, 30_000))
          }),
          { concurrency: 50, discard: true }
        )
      }).pipe(Effect.scoped)
    )

    promise(
      "processes wait in one line",
      Effect.gen(function* () {
        const key = keyOf("line")
        const first = yield* holding(key)
        const served: Array<string> = []
        const here = yield* Locks
        const redis = yield* TestRedis
        const line = redis.command("ZCARD", "zapiska:{default/line}:line")
        /** Ends when it stands in the line. */
        const wait = Effect.fnUntraced(function* (name: string, service: Locks["Service"]) {
          const before = Number(yield* line)
          const fiber = yield* Effect.forkChild(
            service.withLease(key)(Effect.sync(() => served.push(name))),
            { startImmediately: true }
          )
          yield* Effect.repeat(line, { until: (length) => Number(length) > before })
          return fiber
        })
        yield* elsewhere(
          Effect.gen(function* () {
            const there = yield* Locks
            const refused = yield* Effect.flip(there.tryLease(key)(Effect.void))
            assert.instanceOf(refused, LockHeld)
            const waiters = [
              yield* wait("there", there),
              yield* wait("here", here),
              yield* wait("there again", there)
            ]
            yield* first.letGo
            yield* Effect.forEach(waiters, Fiber.join)
          })
        )
        assert.deepStrictEqual(served, ["there", "here", "there again"])
      })
    )

    promise(
      "a lock that would outlive every lease is reported: the clock of Redis was set back",
      Effect.gen(function* () {
        const redis = yield* TestRedis
        const service = yield* Locks
        const alarms = Effect.map(Metric.value(lockClockAlarms), ({ count }) => Number(count))
        const before = yield* alarms
        const first = yield* holding(keyOf("stepped"))
        yield* Effect.flip(service.tryLease(keyOf("stepped"))(Effect.void))
        assert.strictEqual(yield* alarms, before)
        yield* redis.command("PEXPIRE", "zapiska:{default/stepped}:lock", "3600000")
        assert.instanceOf(yield* Effect.flip(service.tryLease(keyOf("stepped"))(Effect.void)), LockHeld)
        assert.strictEqual(yield* alarms, before + 1)
        yield* redis.command("PERSIST", "zapiska:{default/stepped}:lock")
        yield* Effect.flip(service.tryLease(keyOf("stepped"))(Effect.void))
        assert.strictEqual(yield* alarms, before + 2)
        yield* first.letGo
      })
    )

    promise(
      "a place in the line of a process that died holds up nobody for long",
      Effect.gen(function* () {
        const redis = yield* TestRedis
        const service = yield* Locks
        const first = yield* holding(keyOf("ghost"))
        const ghost = yield* LocksRedis.makeRedisStore({ url: redis.url })
        yield* ghost.acquire("default/ghost", `${ghost.owner}/1`, { ttl: 1_000, turn: "wait" })
        yield* first.letGo
        assert.strictEqual(yield* service.withLease(keyOf("ghost"))(Effect.succeed("served")), "served")
      }).pipe(Effect.scoped)
    )
  }
)
