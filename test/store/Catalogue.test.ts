import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestDatabase } from "../support/Postgres.ts"

/** One column of all rows the owner sees. */
const column = (statement: string) =>
  Effect.gen(function* () {
    const { owner } = yield* TestDatabase
    const connection = yield* PgConnection.make(owner)
    return (yield* connection.queryValues(statement)).map(([value]) => value)
  })

const tenantTables = `
  SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, a.attnum, c.relowner
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
  WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind IN ('r', 'p')`

/** Which tenants and apps there are is read by those who serve all of them. */
const directory = ["apps", "tenants"]

it.live("the list of tenants and that of apps have one more policy, which lets read and nothing else", () =>
  Effect.gen(function* () {
    const more = yield* column(
      `SELECT t.relname || ' ' || p.polname || ' ' || p.polcmd::text || ' ' || pg_get_expr(p.polqual, p.polrelid)
       FROM (${tenantTables}) t JOIN pg_policy p ON p.polrelid = t.oid
       WHERE p.polname <> 'tenant_isolation'`
    )
    const reads = "directory r (current_setting('app.directory'::text, true) = 'on'::text)"
    assert.deepStrictEqual(
      more.toSorted(),
      directory.map((table) => `${table} ${reads}`)
    )
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("every table belongs to a tenant, except the list of migrations", () =>
  Effect.gen(function* () {
    const others = yield* column(
      `SELECT relname FROM pg_class WHERE relnamespace = 'zapiska'::regnamespace AND relkind IN ('r', 'p')
       EXCEPT SELECT relname FROM (${tenantTables}) t`
    )
    assert.deepStrictEqual(others, ["schema_migrations"])
    assert.isAbove((yield* column(`SELECT relname FROM (${tenantTables}) t`)).length, 10)
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live(
  "every tenant's table has row-level security enabled and forced, with a policy for reading and writing",
  () =>
    Effect.gen(function* () {
      const open = yield* column(
        `SELECT relname FROM (${tenantTables}) t
       WHERE NOT relrowsecurity OR NOT relforcerowsecurity
         OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polcmd = '*'
           AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL)
         OR (SELECT count(*) FROM pg_policy p WHERE p.polrelid = t.oid) <> 1`
      )
      assert.deepStrictEqual(open.toSorted(), directory)
    }).pipe(Effect.provide(TestDatabase.layer))
)

it.live(
  "the policy of every tenant's table compares the tenant of the row with that of the transaction",
  () =>
    Effect.gen(function* () {
      const expressions = yield* column(
        `SELECT DISTINCT expression FROM (${tenantTables}) t JOIN pg_policy p ON p.polrelid = t.oid,
         unnest(ARRAY[pg_get_expr(p.polqual, t.oid), pg_get_expr(p.polwithcheck, t.oid)]) AS expression
       WHERE p.polname = 'tenant_isolation' AND p.polpermissive AND p.polroles = '{0}'`
      )
      assert.deepStrictEqual(expressions, [
        "(tenant_id = NULLIF(current_setting('app.tenant_id'::text, true), ''::text))"
      ])
      const others = yield* column(
        `SELECT t.relname FROM (${tenantTables}) t WHERE NOT EXISTS (
         SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = 'tenant_isolation')`
      )
      assert.deepStrictEqual(others, [])
    }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("the tenant leads every key and index of a tenant's table", () =>
  Effect.gen(function* () {
    const wrong = yield* column(
      `SELECT i.indexrelid::regclass::text FROM (${tenantTables}) t JOIN pg_index i ON i.indrelid = t.oid
       WHERE i.indkey[0] <> t.attnum`
    )
    // A bot is served once in the installation, whoever's it is.
    assert.deepStrictEqual(wrong, ["zapiska.apps_bot"])
    const keyless = yield* column(
      `SELECT relname FROM (${tenantTables}) t
       WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)`
    )
    assert.deepStrictEqual(keyless, [])
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("a foreign key between tenants' tables compares the tenant, too", () =>
  Effect.gen(function* () {
    const wrong = yield* column(
      `SELECT con.conname FROM pg_constraint con
       JOIN (${tenantTables}) t ON t.oid = con.conrelid
       JOIN (${tenantTables}) f ON f.oid = con.confrelid
       WHERE con.contype = 'f' AND NOT EXISTS (
         SELECT FROM unnest(con.conkey, con.confkey) AS pair (child, parent)
         WHERE pair.child = t.attnum AND pair.parent = f.attnum)`
    )
    assert.deepStrictEqual(wrong, [])
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("what was done is read and added to, and changed by nobody", () =>
  Effect.gen(function* () {
    const allowed = yield* column(
      `SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
       WHERE has_table_privilege('zapiska_runtime', 'zapiska.audit', privilege)`
    )
    assert.deepStrictEqual(allowed, ["SELECT", "INSERT"])
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("the runtime role may read and change rows, and nothing more", () =>
  Effect.gen(function* () {
    const excessive = yield* column(
      `SELECT relname || ' ' || privilege FROM (${tenantTables}) t,
         unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
       WHERE has_table_privilege('zapiska_runtime', t.oid, privilege)
       UNION ALL SELECT relname || ' is its own' FROM (${tenantTables}) t
       WHERE pg_get_userbyid(t.relowner) = 'zapiska_runtime'`
    )
    assert.deepStrictEqual(excessive, [])
  }).pipe(Effect.provide(TestDatabase.layer))
)
