import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, type Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import * as RedisClient from "../../src/lock/RedisClient.ts"
import { type Ask, LimitCounters } from "../../src/telegram/LimitCounters.ts"
import { windowAt } from "../../src/telegram/LimitRules.ts"
import { noRedis, TestRedis } from "../support/redis.ts"

const overRedis = LimitCounters.layerShared.pipe(
  Layer.provide(RateLimiter.layer),
  Layer.provide(RateLimiter.layerStoreRedis({ prefix: "zapiska:limits:" })),
  Layer.provide(Layer.unwrap(Effect.map(TestRedis, ({ url }) => Layer.fresh(RedisClient.layer({ url })))))
)

const withRedis = overRedis.pipe(Layer.provideMerge(TestRedis.layer))

/** A day in the middle of which nothing special happens. */
const noon = Date.UTC(2026, 10, 22, 12, 0, 30)
const ask = (more: Partial<Ask> = {}): Ask => ({
  key: "tenant/user/7",
  window: windowAt("minute", noon),
  limit: 3,
  wanted: 1,
  ...more
})
const take = (more?: Partial<Ask>) => LimitCounters.use((counters) => counters.take(ask(more)))

const steps = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b"),
    span: fc.constantFrom("minute" as const, "day" as const),
    // Windows come back: a backlog is counted when it was sent.
    ago: fc.constantFrom(0, 0, 60_000, 86_400_000),
    wanted: fc.integer({ min: 1, max: 9 }),
    passes: fc.constantFrom(0, 0, 1_000, 20_000)
  }),
  { maxLength: 25 }
)

/** A test at noon. Set before anything sleeps: a clock that jumps by years wakes it that often. */
const atNoon = <A, E, E2, S>(
  name: string,
  layer: Layer.Layer<S, E2>,
  body: Effect.Effect<A, E, S | Scope.Scope>
) => it.effect(name, () => Effect.andThen(TestClock.setTime(noon), Effect.provide(body, layer)))

/** The same promises, whoever counts. */
const contract = <E>(layer: Layer.Layer<LimitCounters, E>) => {
  atNoon(
    "a window gives as much as its limit and no more, however it is asked and whatever time passes",
    layer,
    Effect.gen(function* () {
      const context = yield* Effect.context<LimitCounters>()
      let run = 0
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.integer({ min: 1, max: 12 }), steps, (limit, all) =>
            Effect.runPromiseWith(context)(
              Effect.gen(function* () {
                // A run has keys of its own, and begins with a minute.
                const mine = ++run
                const start = windowAt("minute", yield* Clock.currentTimeMillis).ends
                yield* TestClock.setTime(start)
                const given = new Map<string, number>()
                let now = start
                for (const { key, span, ago, wanted, passes } of all) {
                  // Not so long that the windows of the run are over.
                  if (now + passes < start + 55_000) {
                    now += passes
                    yield* TestClock.setTime(now)
                  }
                  const window = windowAt(span, now - ago)
                  const name = `${key}/${span}/${window.nth}`
                  const before = given.get(name) ?? 0
                  const granted = yield* take({ key: `${mine}/${key}`, window, limit, wanted })
                  assert.strictEqual(granted, Math.min(wanted, limit - before), name)
                  given.set(name, before + granted)
                }
              })
            )
          ),
          { numRuns: 30 }
        )
      )
    })
  )

  atNoon(
    "of many who ask at once as many get a place as there are",
    layer,
    Effect.gen(function* () {
      const granted = yield* Effect.forEach(Array.from({ length: 20 }), () => take({ limit: 7 }), {
        concurrency: "unbounded"
      })
      assert.strictEqual(
        granted.reduce((sum, one) => sum + one, 0),
        7
      )
    })
  )

  atNoon(
    "the next window begins empty",
    layer,
    Effect.gen(function* () {
      assert.strictEqual(yield* take({ wanted: 5 }), 3)
      assert.strictEqual(yield* take(), 0)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* take({ window: windowAt("minute", noon + 30_000) }), 1)
    })
  )
}

describe("counted in this process", () => contract(LimitCounters.layerMemory))

describe.skipIf(noRedis !== undefined)(
  `counted in Redis${noRedis === undefined ? "" : ` (${noRedis})`}`,
  () => {
    contract(overRedis.pipe(Layer.provide(TestRedis.layer)))

    atNoon(
      "two processes count together",
      TestRedis.layer,
      Effect.gen(function* () {
        const here = yield* Layer.build(Layer.fresh(overRedis))
        const there = yield* Layer.build(Layer.fresh(overRedis))
        assert.strictEqual(yield* Effect.provide(take({ wanted: 2 }), here), 2)
        assert.strictEqual(yield* Effect.provide(take({ wanted: 2 }), there), 1)
      })
    )

    atNoon(
      "a Redis that is gone stops nobody: up to half of the limit, until it is back",
      withRedis,
      Effect.gen(function* () {
        const redis = yield* TestRedis
        assert.strictEqual(yield* take({ limit: 10, wanted: 4 }), 4)
        yield* redis.kill
        assert.strictEqual(yield* take({ limit: 10, wanted: 9 }), 5)
        assert.strictEqual(yield* take({ limit: 10 }), 0)
        yield* redis.start
        // It is asked again when it was left alone long enough, and has forgotten everything.
        let granted = 0
        for (let nth = 0; nth < 500 && granted === 0; nth++) {
          yield* TestClock.adjust("10 seconds")
          granted = yield* take({ limit: 10 })
          yield* Effect.promise(() => new Promise((done) => setTimeout(done, 20)))
        }
        assert.strictEqual(granted, 1)
      })
    )

    atNoon(
      "a Redis that hangs is waited for a quarter of a second, once",
      withRedis,
      Effect.gen(function* () {
        const redis = yield* TestRedis
        assert.strictEqual(yield* take({ limit: 10 }), 1)
        process.kill(redis.pid(), "SIGSTOP")
        const asking = yield* Effect.forkChild(take({ limit: 10 }))
        yield* TestClock.adjust("250 millis")
        assert.strictEqual(yield* Fiber.join(asking), 1)
        assert.strictEqual(yield* take({ limit: 10, wanted: 9 }), 4)
      })
    )
  }
)
