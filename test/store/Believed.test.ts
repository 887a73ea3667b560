/** What is believed without looking is never older than the last change that was heard of. */
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule } from "effect"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import * as Believed from "../../src/store/Believed.ts"
import { TestDatabase } from "../support/Postgres.ts"

const other = TenantId.make("other")

/** How often each tenant was looked at. */
const counting = Effect.gen(function* () {
  const looks = new Map<TenantId, number>()
  return yield* Believed.make("zapiska_people", (tenant) =>
    Effect.sync(() => {
      looks.set(tenant, (looks.get(tenant) ?? 0) + 1)
      return looks.get(tenant)!
    })
  )
})

it.live("of the tenant that changed, and of no other, it is looked at again", () =>
  Effect.gen(function* () {
    const { forget, get } = yield* counting
    assert.deepStrictEqual([yield* get(defaultTenant), yield* get(other)], [1, 1])
    yield* forget(other)
    assert.deepStrictEqual([yield* get(defaultTenant), yield* get(other)], [1, 2])
  }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
)

it.live("what was being read when a change was heard of is not believed", () =>
  Effect.gen(function* () {
    const old = yield* Deferred.make<string>()
    let looks = 0
    const { forget, get } = yield* Believed.make("zapiska_people", () =>
      Effect.suspend(() => (++looks === 1 ? Deferred.await(old) : Effect.succeed("new")))
    )
    const first = yield* Effect.forkChild(get(other), { startImmediately: true })
    yield* forget(other)
    yield* Deferred.succeed(old, "old")
    assert.strictEqual(yield* Fiber.join(first), "old")
    assert.strictEqual(yield* get(other), "new")
  }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
)

it.live("nothing is believed that was read before a lost connection came back", () =>
  Effect.gen(function* () {
    const { get } = yield* counting
    assert.deepStrictEqual([yield* get(defaultTenant), yield* get(other)], [1, 1])
    const connection = yield* PgConnection.make((yield* TestDatabase).superuser)
    yield* connection.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'zapiska-signals' AND datname = current_database()`
    )
    // Well before it would lapse by itself.
    for (const tenant of [defaultTenant, other])
      yield* get(tenant).pipe(
        Effect.repeat({ until: (looks) => looks > 1, schedule: Schedule.spaced("20 millis") }),
        Effect.timeout("15 seconds")
      )
  }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
)
