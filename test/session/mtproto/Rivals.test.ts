import { it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { noRedis, TestRedis } from "../../support/redis.ts"
import { rivals } from "./Rivals.ts"
import { beneath } from "./support.ts"

it.live.skipIf(noRedis !== undefined)(
  "of two processes one has a session, the next when that is killed or frozen, and no byte of the former follows",
  () =>
    rivals(["freeze", "kill", "freeze"], { ttl: 6_000 }).pipe(
      Effect.provide(Layer.merge(beneath, TestRedis.layer))
    ),
  600_000
)
