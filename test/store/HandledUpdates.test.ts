import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { BotId, defaultTenant, UpdateId } from "../../src/domain/Ids.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const key = { tenant: defaultTenant, botId: BotId.make(7) }
const updates = [1, 2, 3].map((id) => UpdateId.make(id))
const layer = HandledUpdates.layer.pipe(Layer.provideMerge(TestDatabase.layer))

describe("HandledUpdates", () => {
  it.live("effects of updates are durable once; a repetition keeps nothing and says which were done", () =>
    Effect.gen(function* () {
      const handled = yield* HandledUpdates
      let runs = 0
      const effects = () => Effect.sync(() => runs++)
      yield* handled.once(key, updates.slice(0, 2), "unit", effects)
      const again = yield* Effect.flip(handled.once(key, updates, "unit", effects))
      assert.strictEqual(again._tag, "AlreadyHandled")
      if (again._tag === "AlreadyHandled") assert.deepStrictEqual(again.updates, updates.slice(0, 2))
      assert.strictEqual(runs, 1)
      assert.deepStrictEqual([...(yield* handled.among(key, updates))], updates.slice(0, 2))
    }).pipe(Effect.provide(layer))
  )

  it.live("effects that fail leave their updates unhandled", () =>
    Effect.gen(function* () {
      const handled = yield* HandledUpdates
      const failed = yield* Effect.exit(handled.once(key, updates, "unit", () => Effect.fail("no")))
      assert.isTrue(Exit.isFailure(failed))
      assert.strictEqual((yield* handled.among(key, updates)).size, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("forgets what was handled long ago, and only that", () =>
    Effect.gen(function* () {
      const handled = yield* HandledUpdates
      const scope = yield* TenantScope
      yield* handled.once(key, updates, "unit", () => Effect.void)
      yield* scope.transaction(
        defaultTenant,
        (sql) => sql`UPDATE handled_updates SET handled_at = now() - interval '31 days' WHERE update_id = 1`
      )
      yield* handled.forget(defaultTenant, "30 days")
      assert.deepStrictEqual([...(yield* handled.among(key, updates))], updates.slice(1))
    }).pipe(Effect.provide(layer))
  )
})
