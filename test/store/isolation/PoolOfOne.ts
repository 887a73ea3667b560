/** Many tenants that take the one connection there is by turns, and end in every way there is. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Random } from "effect"
import { TenantId } from "../../../src/domain/Ids.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { TestDatabase } from "../../support/Postgres.ts"

const ends = ["commit", "fail", "sql", "interrupt", "interrupted", "connection lost"] as const
type End = (typeof ends)[number]

const pick = <A>(some: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, some.length - 1), (nth) => some[nth]!)

/** Sees itself alone, whatever whoever had the connection before did with it. */
const checkout = Effect.fnUntraced(function* (tenant: TenantId, end: End) {
  const { transaction } = yield* TenantScope
  const inside = transaction(tenant, (sql) =>
    Effect.gen(function* () {
      const [row] = yield* sql<{ tenant: string }>`SELECT current_setting('app.tenant_id') AS tenant`
      const seen = yield* sql<{ tenant_id: string }>`SELECT tenant_id FROM tenants`
      assert.deepStrictEqual([row?.tenant, seen], [tenant, [{ tenant_id: tenant }]])
      if (end === "fail") return yield* Effect.fail("expected" as const)
      if (end === "sql") return yield* sql`SELECT 1 / 0`
      if (end === "interrupt") return yield* Effect.interrupt
      if (end === "connection lost") return yield* sql`SELECT pg_terminate_backend(pg_backend_pid())`
    })
  )
  if (end !== "interrupted") return yield* Effect.exit(inside)
  // From outside, wherever it is by then: in the line, at `BEGIN`, inside, at `COMMIT`.
  const fiber = yield* Effect.forkChild(inside)
  yield* Effect.sleep(yield* Random.nextBetween(0, 6))
  yield* Fiber.interrupt(fiber)
  return yield* Fiber.await(fiber)
})

/** How many of them ended in each way. */
export const interleaved = (checkouts: number, seed: number) =>
  Effect.gen(function* () {
    const { transaction } = yield* TenantScope
    const tenants = ["default", "other", "third"].map((name) => TenantId.make(name))
    yield* Effect.forEach(tenants, (tenant) =>
      transaction(
        tenant,
        (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${tenant}) ON CONFLICT DO NOTHING`
      )
    )
    const counts = { done: 0, failed: 0, interrupted: 0 }
    yield* Effect.forEach(
      Array.from({ length: checkouts }),
      () =>
        Effect.gen(function* () {
          // A lost connection takes its time to be had again: one in a hundred will do.
          const lost = (yield* Random.next) < 0.01
          const exit = yield* checkout(
            yield* pick(tenants),
            lost ? "connection lost" : yield* pick(ends.slice(0, -1))
          )
          // An assertion that failed inside is a defect.
          assert.isFalse(Exit.isFailure(exit) && Cause.hasDies(exit.cause), String(exit))
          counts[
            Exit.isSuccess(exit) ? "done" : Cause.hasInterrupts(exit.cause) ? "interrupted" : "failed"
          ] += 1
        }),
      { concurrency: 8, discard: true }
    )
    // A reader of everything, after all of them.
    const sql = yield* transaction(tenants[0]!, Effect.succeed)
    assert.deepStrictEqual(
      yield* sql`SELECT current_setting('app.tenant_id', true) AS tenant, (SELECT count(*) FROM tenants) AS seen`,
      [{ tenant: "", seen: 0n }]
    )
    return counts
  }).pipe(Random.withSeed(seed), Effect.provide(TestDatabase.layerWith({ poolSize: 1 })))
