import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { TestDatabase } from "../support/Postgres.ts"
import { TestRedis } from "../support/redis.ts"
import { type Fault, faults, type Plan, run } from "./faults/Campaign.ts"

const world = Layer.mergeAll(TestDatabase.layer, TestRedis.layer)
const ttl = 900
/** Longer than the place of a dead process in a line is kept, as the real one is. */
const long = 3_300

const campaign = (all: ReadonlyArray<Fault>, more: Partial<Plan> = {}) =>
  run({ faults: all, processes: 3, keys: 8, ttl, fenced: true, ...more }).pipe(
    Effect.tap((found) => Console.log(JSON.stringify(found))),
    Effect.tap(({ problems }) => Effect.sync(() => assert.deepStrictEqual(problems, []))),
    Effect.provide(world)
  )
const times = (count: number, ...some: ReadonlyArray<Fault>) =>
  Array.from({ length: count }, () => some).flat()

it.live(
  "fifty of each fault: no write of a former holder is kept",
  () =>
    Effect.gen(function* () {
      const found = yield* campaign(times(50, ...faults))
      assert.isAbove(found.finished, 1_000)
      assert.isAbove(found.lost, 20)
    }),
  3_600_000
)

it.live(
  "two hundred holders are killed: what each had is another's within a TTL and a second",
  () =>
    Effect.gen(function* () {
      const { takenOver } = yield* campaign(times(200, "kill"), {
        ttl: long,
        pause: long + 1_000,
        ends: 0.02
      })
      assert.isAbove(takenOver.count, 200)
      assert.isAtMost(takenOver.most, long + 1_000)
    }),
  3_600_000
)

it.live(
  "Redis dies fifty times: every holder is interrupted before another may have its lock",
  () =>
    Effect.gen(function* () {
      const { interrupted } = yield* campaign(times(50, "redis killed"), { ends: 0.02 })
      assert.isAbove(interrupted.count, 50)
      assert.isAtMost(interrupted.most, ttl)
    }),
  3_600_000
)
