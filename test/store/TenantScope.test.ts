import { assert, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { seed } from "../support/seed.ts"
import { interleaved } from "./isolation/PoolOfOne.ts"

const other = TenantId.make("other")

/** The second tenant beside `default`. */
const twoTenants = Effect.gen(function* () {
  const { transaction } = yield* TenantScope
  yield* transaction(
    other,
    (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${other}) ON CONFLICT DO NOTHING`
  )
  return transaction
})

const note = (tenant: TenantId, unit: string) =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    transaction(
      tenant,
      (sql) =>
        sql`INSERT INTO handled_updates (tenant_id, bot_id, update_id, unit)
          SELECT ${tenant}, 1, count(*), ${unit} FROM handled_updates`
    )
  )

const units = (tenant: TenantId) =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    transaction(tenant, (sql) =>
      Effect.map(sql<{ unit: string }>`SELECT unit FROM handled_updates ORDER BY update_id`, (rows) =>
        rows.map(({ unit }) => unit)
      )
    )
  )

/** A new database for each test, so that none sees another's rows. */
const fresh = <A, E>(effect: Effect.Effect<A, E, TenantScope>, poolSize = 5) =>
  Effect.provide(effect, TestDatabase.layerWith({ poolSize }))

it.live("a tenant sees its own rows and can neither read, write nor hand over another's", () =>
  fresh(
    Effect.gen(function* () {
      const transaction = yield* twoTenants
      yield* note(defaultTenant, "mine")
      assert.deepStrictEqual(yield* units(other), [])
      const write = yield* Effect.flip(
        transaction(
          other,
          (sql) =>
            sql`INSERT INTO handled_updates (tenant_id, bot_id, update_id, unit) VALUES ('default', 1, 9, 'x')`
        )
      )
      assert.strictEqual(write.reason._tag, "AuthorizationError")
      const moved = yield* Effect.flip(
        transaction(defaultTenant, (sql) => sql`UPDATE handled_updates SET tenant_id = 'other'`)
      )
      assert.strictEqual(moved.reason._tag, "AuthorizationError")
      assert.deepStrictEqual(yield* units(defaultTenant), ["mine"])
    })
  )
)

it.live("a transaction inside one of the same tenant joins it: both or neither are kept", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      yield* transaction(defaultTenant, () =>
        Effect.andThen(note(defaultTenant, "outer"), note(defaultTenant, "inner"))
      )
      assert.deepStrictEqual(yield* units(defaultTenant), ["outer", "inner"])
      const failed = yield* Effect.flip(
        transaction(defaultTenant, () =>
          Effect.andThen(
            note(defaultTenant, "lost"),
            transaction(defaultTenant, () =>
              Effect.andThen(note(defaultTenant, "lost too"), Effect.fail("no" as const))
            )
          )
        )
      )
      assert.strictEqual(failed, "no")
      assert.deepStrictEqual(yield* units(defaultTenant), ["outer", "inner"])
    })
  )
)

it.live("joining makes no savepoint: an SQL error inside cannot be caught and forgotten", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const exit = yield* Effect.exit(
        transaction(defaultTenant, () =>
          Effect.andThen(
            note(defaultTenant, "lost"),
            Effect.ignore(transaction(defaultTenant, (sql) => sql`SELECT 1 / 0`))
          )
        )
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* units(defaultTenant), [])
    })
  )
)

it.live("a transaction of another tenant inside is a defect and nothing is kept", () =>
  fresh(
    Effect.gen(function* () {
      const transaction = yield* twoTenants
      const exit = yield* Effect.exit(
        transaction(defaultTenant, () => Effect.andThen(note(defaultTenant, "lost"), note(other, "never")))
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.deepStrictEqual([yield* units(defaultTenant), yield* units(other)], [[], []])
    })
  )
)

it.live("an interrupted transaction leaves nothing behind", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const inside = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        transaction(defaultTenant, () =>
          note(defaultTenant, "lost").pipe(
            Effect.andThen(Deferred.succeed(inside, undefined)),
            Effect.andThen(Effect.never)
          )
        )
      )
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* units(defaultTenant), [])
    }),
    1
  )
)

it.live("a fiber that outlives the transaction it was started in gets transactions of its own", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const ended = yield* Deferred.make<void>()
      const fiber = yield* transaction(defaultTenant, () =>
        Effect.forkDetach(Effect.andThen(Deferred.await(ended), note(defaultTenant, "later")))
      )
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* units(defaultTenant), ["later"])
    }),
    1
  )
)

it.live("a connection lost inside is an error to retry, not a defect", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const error = yield* Effect.flip(
        transaction(defaultTenant, (sql) =>
          Effect.andThen(sql`SELECT pg_terminate_backend(pg_backend_pid())`, note(defaultTenant, "lost"))
        )
      )
      assert.strictEqual(error._tag, "SqlError")
      assert.deepStrictEqual(yield* units(defaultTenant), [])
    }),
    1
  )
)

it.live("with one connection and interleaved tenants, errors and interrupts no setting stays behind", () =>
  Effect.gen(function* () {
    const { done, failed, interrupted } = yield* interleaved(300, seed)
    for (const count of [done, failed, interrupted]) assert.isAbove(count, 20)
  })
)

it.live("between transactions the connection has no tenant and sees no rows", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const sql = yield* transaction(defaultTenant, Effect.succeed)
      assert.deepStrictEqual(
        yield* sql`SELECT current_setting('app.tenant_id', true) AS tenant, (SELECT count(*) FROM tenants) AS seen`,
        [{ tenant: "", seen: 0n }]
      )
    }),
    1
  )
)

it.live("a transaction that waits for a lock or does nothing for seconds is ended by PostgreSQL", () =>
  fresh(
    Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const [row] = yield* transaction(
        defaultTenant,
        (sql) =>
          sql`SELECT current_setting('idle_in_transaction_session_timeout') AS idle,
            current_setting('lock_timeout') AS lock, current_setting('search_path') AS path`
      )
      assert.deepStrictEqual(row, { idle: "5s", lock: "4s", path: "zapiska" })
    })
  )
)

it.live("the directory shows the tenants and apps of all, and nothing of any other table", () =>
  fresh(
    Effect.gen(function* () {
      const transaction = yield* twoTenants
      const { directory } = yield* TenantScope
      yield* note(defaultTenant, "mine")
      yield* transaction(
        other,
        (sql) =>
          sql`INSERT INTO apps (tenant_id, app, kind, bot_id, api_key_alias) VALUES (${other}, 'a', 'bot', 7, 'a')`
      )
      const tables = yield* directory(
        (sql) => sql<{ name: string }>`
          SELECT c.relname AS name FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
          WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind = 'r'`
      )
      assert.isAbove(tables.length, 10)
      const seen = yield* Effect.forEach(tables, ({ name }) =>
        Effect.map(
          directory((sql) => sql<{ tenant_id: string }>`SELECT tenant_id FROM ${sql(name)} ORDER BY 1`),
          (rows) => [name, rows.map(({ tenant_id }) => tenant_id)] as const
        )
      )
      assert.deepStrictEqual(Object.fromEntries(seen.filter(([, rows]) => rows.length > 0)), {
        tenants: ["default", "other"],
        apps: ["other"]
      })
    })
  )
)

it.live("nothing is written in the directory, and it is in no transaction of a tenant, nor one in it", () =>
  fresh(
    Effect.gen(function* () {
      const { directory, transaction } = yield* TenantScope
      const refused = yield* Effect.flip(
        directory((sql) => sql`UPDATE tenants SET name = 'mine' WHERE tenant_id = 'default'`)
      )
      assert.include(String(refused.reason.cause), "read-only")
      for (const nested of [
        directory(() => transaction(defaultTenant, () => Effect.void)),
        transaction(defaultTenant, () => directory(() => Effect.void))
      ]) {
        const exit = yield* Effect.exit(nested)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      }
    })
  )
)

it.live(
  "after the directory the one connection is like any other: writable, and blind to other tenants",
  () =>
    fresh(
      Effect.gen(function* () {
        const transaction = yield* twoTenants
        const { directory } = yield* TenantScope
        yield* directory((sql) => sql`SELECT 1`)
        yield* Effect.exit(directory(() => Effect.fail("no")))
        yield* note(other, "written")
        const seen = yield* transaction(other, (sql) => sql`SELECT tenant_id FROM tenants`)
        assert.deepStrictEqual(seen, [{ tenant_id: "other" }])
        const sql = yield* transaction(defaultTenant, Effect.succeed)
        assert.deepStrictEqual(
          yield* sql`SELECT current_setting('app.directory', true) AS directory,
          current_setting('transaction_read_only') AS readonly, (SELECT count(*) FROM tenants) AS seen`,
          [{ directory: "", readonly: "off", seen: 0n }]
        )
      }),
      1
    )
)
