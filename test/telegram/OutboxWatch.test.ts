import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Queue } from "effect"
import { Address } from "../../src/domain/Address.ts"
import { AppId, BotId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { outboxRows } from "../../src/telegram/metrics.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { insert } from "../../src/telegram/OutboxInsert.ts"
import { makeWatch } from "../../src/telegram/OutboxWatch.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { become, bot, botId, dispatching, enqueue, entry, set } from "./support/OutboxRows.ts"

const recording = Outbox.layer.pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Pacer.layer),
  Layer.provideMerge(TestDatabase.layer)
)

const mine = { tenant: bot.tenant, app: bot.app, botId }
const other = { tenant: bot.tenant, app: AppId.make("other"), botId: BotId.make(7_000_002) }
const foreign = { tenant: bot.tenant, app: AppId.make("elsewhere"), botId: BotId.make(7_000_003) }

const rowOf = (owner: typeof mine, key: string) => {
  const own = entry(key)
  return { ...own, botId: owner.botId, address: new Address({ ...own.address, app: owner.app }) }
}
const added = (owner: typeof mine, key: string) =>
  TenantScope.use((scope) =>
    scope.transaction(owner.tenant, (sql) => insert(sql, owner.tenant, [rowOf(owner, key)]))
  )
const pending = Effect.map(
  Metric.value(Metric.withAttributes(outboxRows, { state: "pending" })),
  ({ value }) => value
)

describe("dispatchers of one process", () => {
  it.live("find rows nobody told them of", () =>
    Effect.gen(function* () {
      yield* dispatching
      yield* enqueue(entry("one"))
      yield* become({ one: "sent" })
      // What it was told of is done.
      yield* Effect.sleep("1 second")
      yield* set("one", "pending")
      yield* become({ one: "sent" })
    }).pipe(Effect.provide(recording))
  )

  it.live("are woken for rows of their own bot, and all their rows are counted together", () =>
    Effect.gen(function* () {
      const { watch } = yield* makeWatch
      const [wake, otherWake] = [yield* Queue.sliding<void>(1), yield* Queue.sliding<void>(1)]
      yield* watch({ owner: mine, wake })
      yield* watch({ owner: other, wake: otherWake })
      yield* added(other, "first")
      yield* Queue.take(otherWake)
      yield* added(foreign, "of nobody here")
      // By now the rows were looked at, too.
      yield* Queue.take(otherWake)
      assert.strictEqual(yield* Queue.size(wake), 0)
      yield* added(mine, "second")
      yield* Queue.take(wake)
      yield* Queue.take(wake)
      yield* Effect.repeat(Effect.delay(pending, "50 millis"), { until: (value) => value === 2, times: 200 })
      assert.strictEqual(yield* pending, 2)
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
  )

  it.live("are not woken any more once they have ended", () =>
    Effect.gen(function* () {
      const { watch } = yield* makeWatch
      const [former, wake] = [yield* Queue.sliding<void>(1), yield* Queue.sliding<void>(1)]
      yield* watch({ owner: mine, wake })
      yield* Effect.scoped(watch({ owner: mine, wake: former }))
      yield* added(mine, "one")
      yield* Queue.take(wake)
      assert.strictEqual(yield* Queue.size(former), 0)
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
  )
})
