import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestDatabase } from "../support/Postgres.ts"
import { noRedis, TestRedis } from "../support/redis.ts"
import { faults, run } from "./faults/Campaign.ts"

const world = Layer.mergeAll(TestDatabase.layer, TestRedis.layer)

describe.skipIf(noRedis !== undefined)(
  `locks under faults${noRedis === undefined ? "" : ` (skipped: ${noRedis})`}`,
  () => {
    it.live(
      "no write of a former holder is kept, whatever is killed, frozen, emptied or cut off",
      () =>
        Effect.gen(function* () {
          const found = yield* run({ faults, processes: 3, keys: 6, ttl: 900, fenced: true })
          assert.deepStrictEqual(found.problems, [])
          // A run in which hardly anything happens proves nothing; one write in five lets go.
          assert.isAbove(found.writes, 100)
          assert.isAbove(found.finished, 5)
          assert.isAbove(found.lost + found.unavailable, 0)
        }).pipe(Effect.provide(world)),
      120_000
    )
  }
)
