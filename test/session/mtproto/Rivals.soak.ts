import { it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
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
      yield* rivals(blows, { ttl: 3_000 })
    }).pipe(Effect.provide(Layer.merge(beneath, TestRedis.layer)))
)
