import { it } from "@effect/vitest"
import { Console, Effect, Layer, Random } from "effect"
import { noRedis, TestRedis } from "../../support/redis.ts"
import { rivals } from "./Rivals.ts"
import { beneath } from "./support.ts"

it.live.skipIf(noRedis !== undefined)(
  "fifty turns of two processes that are killed and frozen follow each other without a byte between",
  () =>
    Effect.gen(function* () {
      const blows = yield* Effect.replicateEffect(
        Effect.map(Random.nextBoolean, (kill) => (kill ? ("kill" as const) : ("freeze" as const))),
        50
      )
      const survived = yield* rivals(blows, { ttl: 3_000 })
      for (const kind of ["kill", "freeze"] as const) {
        const took = survived.filter(({ blow }) => blow === kind).map(({ milliseconds }) => milliseconds)
        took.sort((a, b) => a - b)
        yield* Console.log(
          `${kind}: ${took.length} times; without an owner for ${took.at(took.length >> 1)} ms (median), ${took.at(-1)} ms (most)`
        )
      }
    }).pipe(Effect.provide(Layer.merge(beneath, TestRedis.layer)))
)
