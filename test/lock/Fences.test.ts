import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { accept, FenceStale, Fences } from "../../src/lock/Fences.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { otherTenant } from "./contract.ts"
import { database } from "./fences.ts"

const world = Fences.layer.pipe(Layer.provideMerge(database))
const key = { tenant: defaultTenant, name: "thing" }

it.live("fences only grow, for each lock and tenant by itself, also when asked for at the same time", () =>
  Effect.gen(function* () {
    const { next } = yield* Fences
    const drawn = yield* Effect.forEach(Array.from({ length: 50 }), () => next(key), { concurrency: 10 })
    assert.deepStrictEqual(
      [...drawn].sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, nth) => nth + 1)
    )
    assert.strictEqual(yield* next({ ...key, name: "another" }), 1)
    assert.strictEqual(yield* next({ ...key, tenant: otherTenant }), 1)
  }).pipe(Effect.provide(world))
)

it.live("a fence is not drawn inside a transaction, with which it would be taken back", () =>
  Effect.gen(function* () {
    const { next } = yield* Fences
    const scope = yield* TenantScope
    const exit = yield* Effect.exit(scope.transaction(defaultTenant, () => next(key)))
    assert.isTrue(Exit.isFailure(exit))
  }).pipe(Effect.provide(world))
)

it.live(
  "a resource takes the same and higher fences and keeps nothing of a transaction with a lower one",
  () =>
    Effect.gen(function* () {
      const scope = yield* TenantScope
      const write = (fence: number, name: string) =>
        scope.transaction(defaultTenant, (sql) =>
          Effect.andThen(
            sql`INSERT INTO lock_fences (tenant_id, name, fence) VALUES (${defaultTenant}, ${name}, 0)`,
            accept(sql, defaultTenant, "outbox/1", fence)
          )
        )
      yield* write(3, "a")
      yield* write(3, "b")
      yield* write(5, "c")
      assert.instanceOf(yield* Effect.flip(write(4, "d")), FenceStale)
      const rows = yield* scope.transaction(
        defaultTenant,
        (sql) => sql<{ readonly name: string }>`SELECT name FROM lock_fences ORDER BY name`
      )
      assert.deepStrictEqual(
        rows.map(({ name }) => name),
        ["a", "b", "c"]
      )
    }).pipe(Effect.provide(world))
)

it.live("of two owners writing at once the one with the lower fence ends up refused", () =>
  Effect.gen(function* () {
    const scope = yield* TenantScope
    const write = (fence: number, after: Effect.Effect<unknown>) =>
      Effect.exit(
        scope.transaction(defaultTenant, (sql) =>
          Effect.andThen(accept(sql, defaultTenant, "ref/1", fence), after)
        )
      )
    const accepted = yield* Deferred.make<void>()
    const newer = yield* Effect.forkChild(
      write(8, Effect.andThen(Deferred.succeed(accepted, undefined), Effect.sleep("200 millis")))
    )
    yield* Deferred.await(accepted)
    const older = yield* write(7, Effect.void)
    assert.isTrue(Exit.isSuccess(yield* Fiber.join(newer)))
    assert.isTrue(Exit.isFailure(older))
  }).pipe(Effect.provide(world))
)

it.live(
  "an owner that is known writes nothing to say so, and a newer one waits for what it has under way",
  () =>
    Effect.gen(function* () {
      const scope = yield* TenantScope
      const order: Array<string> = []
      const write = (name: string, fence: number, after: Effect.Effect<unknown> = Effect.void) =>
        scope.transaction(defaultTenant, (sql) =>
          Effect.gen(function* () {
            yield* accept(sql, defaultTenant, "ref/2", fence)
            order.push(`${name} goes on`)
            yield* after
            order.push(`${name} ends`)
            const [row] = yield* sql<{ readonly wrote: boolean }>`
            SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS wrote`
            return row!.wrote
          })
        )
      assert.isTrue(yield* write("first", 1))
      order.length = 0
      const accepted = yield* Deferred.make<void>()
      const letGo = yield* Deferred.make<void>()
      const slow = yield* Effect.forkChild(
        write("slow", 1, Effect.andThen(Deferred.succeed(accepted, undefined), Deferred.await(letGo)))
      )
      yield* Deferred.await(accepted)
      assert.isFalse(yield* write("beside", 1))
      const newer = yield* Effect.forkChild(write("newer", 2))
      const waits = scope.transaction(
        defaultTenant,
        (sql) => sql`SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`
      )
      yield* Effect.repeat(waits, { until: ({ length }) => length > 0 || newer.pollUnsafe() !== undefined })
      yield* Deferred.succeed(letGo, undefined)
      yield* Fiber.join(slow)
      yield* Fiber.join(newer)
      assert.deepStrictEqual(order, [
        "slow goes on",
        "beside goes on",
        "beside ends",
        "slow ends",
        "newer goes on",
        "newer ends"
      ])
    }).pipe(Effect.provide(world))
)
