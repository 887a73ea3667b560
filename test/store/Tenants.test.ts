import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Queue, Stream } from "effect"
import * as fc from "fast-check"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { emptyingOrder } from "../../src/store/TenantTables.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")
const world = Tenants.layer.pipe(Layer.provideMerge(Audit.layer), Layer.provideMerge(TestDatabase.layer))

const told = (tenant: TenantId) =>
  Effect.map(
    Audit.use(({ list }) => list(tenant)),
    (rows) => rows.map(({ actor, action }) => `${actor} ${action}`).toReversed()
  )

/** As whoever has the database, past every policy. */
const administer = (statement: string) =>
  Effect.scoped(
    Effect.flatMap(TestDatabase, ({ superuser }) =>
      Effect.flatMap(PgConnection.make(superuser), (connection) => connection.queryValues(statement))
    )
  )

it.live("a tenant is added, called by its name, disabled, enabled; each change once, with who did it", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const added = yield* tenants.add({ id: "acme", name: "Acme & Co" }, "admin")
    assert.deepInclude(added, { id: acme, name: "Acme & Co" })
    assert.notProperty(added, "disabledAt")
    assert.deepStrictEqual(yield* tenants.get(acme), added)
    yield* tenants.add({ id: "other" }, "user:7")
    assert.deepStrictEqual(
      (yield* tenants.list).map(({ id, name }) => [id, name]),
      [
        ["acme", "Acme & Co"],
        ["default", "default"],
        ["other", "other"]
      ]
    )
    assert.property(yield* tenants.disable(acme, "admin"), "disabledAt")
    assert.property(yield* tenants.disable(acme, "admin"), "disabledAt")
    assert.deepStrictEqual(yield* tenants.enable(acme, "user:7"), added)
    assert.deepStrictEqual(yield* told(acme), [
      "admin tenant.added",
      "admin tenant.disabled",
      "user:7 tenant.enabled"
    ])
  }).pipe(Effect.provide(world))
)

it.live("every process is told of a change when it is made, and of none that was not", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const signals = yield* Signals
    const heard = yield* Queue.unbounded<string>()
    yield* Effect.forkScoped(
      Stream.runForEach(signals.listen("zapiska_directory"), (tenant) => Queue.offer(heard, tenant)),
      { startImmediately: true }
    )
    yield* tenants.add({ id: "acme" }, "admin")
    yield* Effect.flip(tenants.add({ id: "acme" }, "admin"))
    yield* tenants.disable(acme, "admin")
    yield* tenants.disable(acme, "admin")
    yield* tenants.remove(acme, "admin")
    yield* tenants.add({ id: "last" }, "admin")
    const words = yield* Effect.forEach([1, 2, 3, 4], () => Queue.take(heard))
    assert.deepStrictEqual(words, ["acme", "acme", "acme", "last"])
  }).pipe(Effect.provide(world))
)

it.live("what cannot be done is said with the reason, and nothing is changed", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    yield* tenants.add({ id: "acme" }, "admin")
    const before = yield* tenants.list
    for (const id of ["", "-a", "A", "a/b", "a b", "../etc", "é", "a".repeat(64)]) {
      assert.strictEqual((yield* Effect.flip(tenants.add({ id }, "admin")))._tag, "TenantInvalid", id)
    }
    assert.strictEqual((yield* Effect.flip(tenants.add({ id: "acme" }, "admin")))._tag, "TenantExists")
    assert.strictEqual((yield* Effect.flip(tenants.remove(defaultTenant, "admin")))._tag, "TenantPermanent")
    const nobody = TenantId.make("nobody")
    for (const attempt of [
      Effect.asVoid(tenants.get(nobody)),
      Effect.asVoid(tenants.disable(nobody, "admin")),
      Effect.asVoid(tenants.enable(nobody, "admin")),
      Effect.asVoid(Effect.catchTag(tenants.remove(nobody, "admin"), "TenantPermanent", Effect.die))
    ]) {
      assert.strictEqual((yield* Effect.flip(attempt))._tag, "TenantUnknown")
    }
    assert.deepStrictEqual(yield* tenants.list, before)
    assert.deepStrictEqual(yield* told(nobody), [])
  }).pipe(Effect.provide(world))
)

/** A value of each type the tables use, another for each tenant. */
const valueOf = (type: string, tenant: string, nth: number): string => {
  if (type === "text") return `'${tenant}'`
  if (/^(bigint|integer|smallint|numeric)$/.test(type)) return String(nth)
  if (/^(date|timestamp with time zone)$/.test(type)) return "now()"
  if (type === "boolean") return "true"
  if (type === "uuid") return "gen_random_uuid()"
  return type === "jsonb" || type.endsWith("[]") ? "'{}'" : "''"
}

/** One row for each tenant in every table there is: what has no default, and keys that refer to each other alike. */
const fill = Effect.fnUntraced(function* (tenants: ReadonlyArray<string>) {
  // What may stand in a column, and in which order rows come, is none of this test's business.
  const checks = yield* administer(`
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'zapiska'::regnamespace`)
  const columns = yield* administer(`
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind = 'r'
      AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
      AND c.relname NOT IN ('tenants', 'audit', 'schema_migrations')`)
  const tables = Map.groupBy(columns, ([table]) => String(table))
  const rows = tenants.flatMap((tenant, nth) =>
    [...tables].map(([table, own]) => {
      const values = own.map(([, , type]) => valueOf(String(type), tenant, nth + 1))
      return `INSERT INTO zapiska.${table} (${own.map(([, column]) => column)}) VALUES (${values})`
    })
  )
  yield* administer(
    `DO $$ BEGIN SET LOCAL session_replication_role = 'replica'; ${[...checks.flat(), ...rows].join("; ")}; END $$`
  )
  return [...tables.keys()]
})

it.live("removing a tenant takes every row it has in any table, and no row of another", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    yield* tenants.add({ id: "acme" }, "admin")
    yield* tenants.add({ id: "other" }, "admin")
    const tables = yield* fill(["acme", "other"])
    assert.isAbove(tables.length, 15)
    const rowsOf = (tenant: string) =>
      Effect.map(
        Effect.forEach(["tenants", ...tables], (table) =>
          Effect.map(
            administer(`SELECT count(*)::int FROM zapiska.${table} WHERE tenant_id = '${tenant}'`),
            ([row]) => [table, Number(row?.[0])] as const
          )
        ),
        Object.fromEntries
      )
    const others = yield* rowsOf("other")
    assert.deepStrictEqual(yield* rowsOf("acme"), others)
    assert.isTrue(
      Object.values(others).every((count) => count === 1),
      JSON.stringify(others)
    )

    const removed = yield* tenants.remove(acme, "admin")
    assert.deepStrictEqual(removed, { id: acme, rows: others })
    assert.isTrue(Object.values(yield* rowsOf("acme")).every((count) => count === 0))
    assert.deepStrictEqual(yield* rowsOf("other"), others)
    assert.deepStrictEqual(yield* told(acme), ["admin tenant.added", "admin tenant.removed"])
  }).pipe(Effect.provide(world))
)

it.live("the name of a removed tenant is known as such, and is not given to another", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    yield* tenants.add({ id: "acme" }, "admin")
    assert.isFalse(yield* tenants.wasRemoved(acme))
    yield* tenants.remove(acme, "admin")
    assert.isTrue(yield* tenants.wasRemoved(acme))
    assert.isFalse(yield* tenants.wasRemoved(TenantId.make("never")))
    assert.strictEqual((yield* Effect.flip(tenants.add({ id: "acme" }, "admin")))._tag, "TenantRemoved")
    assert.strictEqual((yield* Effect.flip(tenants.get(acme)))._tag, "TenantUnknown")
  }).pipe(Effect.provide(world))
)

it.live("a tenant is removed also while its rows are being written", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const { transaction } = yield* TenantScope
    yield* tenants.add({ id: "acme" }, "admin")
    const write = (nth: number) =>
      transaction(acme, (sql) =>
        Effect.andThen(
          sql`INSERT INTO knowledge_bases (tenant_id, name) VALUES (${acme}, ${`kb-${nth}`})`,
          sql`INSERT INTO revisions (tenant_id, kb, number, kind, author_name, author_email, date_ms, message)
            VALUES (${acme}, ${`kb-${nth}`}, 1, 'note', 'a', 'b', 1, 'c')`
        )
      )
    yield* Effect.all(
      [
        Effect.forEach(
          Array.from({ length: 60 }, (_, nth) => nth),
          (nth) => Effect.exit(write(nth)),
          {
            concurrency: 3,
            discard: true
          }
        ),
        tenants.remove(acme, "admin")
      ],
      { concurrency: "unbounded" }
    )
    const left = yield* administer(`SELECT tenant_id FROM zapiska.revisions UNION ALL
      SELECT tenant_id FROM zapiska.knowledge_bases UNION ALL SELECT tenant_id FROM zapiska.tenants`)
    assert.deepStrictEqual(left, [["default"]])
  }).pipe(Effect.provide(world))
)

it("tables are emptied before those they refer to, whatever refers to what", () => {
  const tables = ["a", "b", "c", "d", "e", "f"]
  // From a later letter to an earlier one: no circles but those of a table with itself.
  const references = fc.array(
    fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 })).map(([one, other]) => ({
      child: tables[Math.max(one, other)]!,
      parent: tables[Math.min(one, other)]!
    }))
  )
  fc.assert(
    fc.property(fc.shuffledSubarray(tables, { minLength: 1 }), references, (given, refer) => {
      const order = emptyingOrder(given, refer)
      assert.sameMembers([...order], given)
      for (const { child, parent } of refer) {
        if (child === parent || !given.includes(child) || !given.includes(parent)) continue
        assert.isBelow(order.indexOf(child), order.indexOf(parent))
      }
    })
  )
})
