import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { accept, FenceStale } from "../../src/lock/Fences.ts"
import { Lease, LockLost } from "../../src/lock/Locks.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder } from "../../src/telegram/BotPort.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { become, bot, botId, dispatchingUnder, enqueue, entry, row } from "./support/OutboxRows.ts"

const recording = Outbox.layer.pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(TestDatabase.layer)
)
/** Until then the one before may still be the owner. */
const begun = (fence: number) =>
  TenantScope.use((scope) =>
    scope.transaction(bot.tenant, (sql) => accept(sql, bot.tenant, `outbox/${botId}`, fence))
  )
const under = (fence: number) => dispatchingUnder({ ...Lease.sole, fence })

describe("the outbox of a bot", () => {
  it.live("takes no more from a dispatcher once a newer owner has begun, and gives it nothing to send", () =>
    Effect.gen(function* () {
      const former = yield* under(4)
      yield* enqueue(entry("before"))
      yield* become({ before: "sent" })
      const newer = yield* under(5)
      yield* begun(5)
      yield* enqueue(entry("after", { chat: 2 }))
      yield* become({ after: "sent" })
      assert.instanceOf(yield* Effect.flip(Fiber.join(former)), FenceStale)
      const { calls } = yield* BotRecorder
      assert.lengthOf(
        (yield* calls).filter(({ method }) => method === "send"),
        2
      )
      const late = yield* under(4)
      assert.instanceOf(yield* Effect.flip(Fiber.join(late)), FenceStale)
      yield* enqueue(entry("still", { chat: 3 }))
      yield* become({ still: "sent" })
      yield* Fiber.interrupt(newer)
    }).pipe(Effect.provide(recording))
  )

  it.live("what was claimed is not sent when the lease is over; the next owner sends it", () =>
    Effect.gen(function* () {
      const over = new LockLost({ key: "bot", reason: "over" })
      yield* enqueue(entry("waiting"))
      const former = yield* dispatchingUnder({ ...Lease.sole, fence: 1, check: Effect.fail(over) })
      assert.instanceOf(yield* Effect.flip(Fiber.join(former)), LockLost)
      const { calls } = yield* BotRecorder
      assert.isEmpty(yield* calls)
      const newer = yield* under(2)
      yield* become({ waiting: "sent" })
      assert.strictEqual((yield* row("waiting")).attempts, 1)
      yield* Fiber.interrupt(newer)
    }).pipe(Effect.provide(recording))
  )
})
