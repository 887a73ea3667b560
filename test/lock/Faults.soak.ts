import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { TestDatabase } from "../support/Postgres.ts"
import { TestRedis } from "../support/redis.ts"
import { faults, run } from "./faults/Campaign.ts"

const world = Layer.mergeAll(TestDatabase.layer, TestRedis.layer)

it.live(
  "fifty of each fault: no write of a former holder is kept",
  () =>
    Effect.gen(function* () {
      const all = Array.from({ length: 50 }, () => faults).flat()
      const found = yield* run({ faults: all, processes: 3, keys: 8, ttl: 900, fenced: true })
      yield* Console.log(JSON.stringify(found))
      assert.deepStrictEqual(found.problems, [])
      assert.isAbove(found.finished, 1_000)
      assert.isAbove(found.lost, 20)
    }).pipe(Effect.provide(world)),
  3_600_000
)
