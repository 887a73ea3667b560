/**
 * What row-level security costs: the same queries by turns, in a tenant's transaction of the runtime role and in a
 * transaction of a superuser, whom no policy meets and who sets no tenant. Both say the tenant in the query, too.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlClient, SqlError } from "effect/sql"
import { KnowledgeBaseName, TenantId } from "../src/domain/Ids.ts"
import { KnowledgeBase } from "../src/knowledge/KnowledgeBase.ts"
import { LocalPostgres } from "../src/store/LocalPostgres.ts"
import { TenantScope } from "../src/store/TenantScope.ts"
import { draft, idOf, meta } from "../test/knowledge/Harness.ts"

export interface RlsFigures {
  readonly what: string
  /** Milliseconds, one a transaction; the rounds of both took turns. */
  readonly scoped: ReadonlyArray<number>
  readonly open: ReadonlyArray<number>
}

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const kb = KnowledgeBaseName.make("notes")
const inTheMiddle = TenantId.make("tenant-3")

/** Several tenants with as many notes each, so that a query without its tenant would meet them. */
const fill = Effect.fnUntraced(function* (size: { readonly tenants: number; readonly notes: number }) {
  const { transaction } = yield* TenantScope
  const base = yield* KnowledgeBase
  const drafts = Array.from({ length: size.notes }, (_, nth) => ({
    draft: draft(nth, `Note ${nth}`),
    meta: meta(`Note ${nth}`)
  }))
  for (let nth = 0; nth < size.tenants; nth++) {
    const tenant = TenantId.make(`tenant-${nth}`)
    yield* transaction(tenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${tenant})`)
    for (let from = 0; from < drafts.length; from += 250) {
      yield* base.writeAll({ tenant, name: kb }, drafts.slice(from, from + 250))
    }
  }
})

type Query = (sql: SqlClient.SqlClient, nth: number) => Effect.Effect<unknown, SqlError.SqlError>

const queries: Readonly<Record<string, Query>> = {
  "one note by its id": (sql, nth) =>
    sql`SELECT * FROM notes WHERE tenant_id = ${inTheMiddle} AND kb = ${kb} AND note_id = ${idOf(nth % 500)}`,
  "its latest fifty": (sql) =>
    sql`SELECT note_id, title FROM notes WHERE tenant_id = ${inTheMiddle} AND kb = ${kb}
      ORDER BY created_ms DESC, note_id DESC LIMIT 50`,
  "all of them counted": (sql) =>
    sql`SELECT count(*) FROM notes WHERE tenant_id = ${inTheMiddle} AND kb = ${kb} AND NOT removed`
}

export const rls = Effect.fn("bench.rls")(
  function* (options: { readonly tenants: number; readonly notes: number; readonly times: number }) {
    yield* fill(options)
    const { transaction } = yield* TenantScope
    const { superuser } = yield* LocalPostgres
    const open = yield* PgClient.make({ ...superuser, database: "zapiska", maxConnections: 1 })
    yield* open`SET search_path = zapiska`
    yield* open`ANALYZE notes`
    const timed = <E>(effect: Effect.Effect<unknown, E>) =>
      Effect.gen(function* () {
        const begin = yield* now
        yield* effect
        return (yield* now) - begin
      })
    return yield* Effect.forEach(Object.entries(queries), ([what, query]) =>
      Effect.gen(function* () {
        const both = (nth: number) =>
          Effect.all({
            scoped: timed(transaction(inTheMiddle, (sql) => query(sql, nth))),
            open: timed(open.withTransaction(query(open, nth)))
          })
        yield* Effect.forEach(
          Array.from({ length: 300 }, (_, nth) => nth),
          both,
          { discard: true }
        )
        const found = yield* Effect.forEach(
          Array.from({ length: options.times }, (_, nth) => nth),
          both
        )
        return {
          what,
          scoped: found.map(({ scoped }) => scoped),
          open: found.map(({ open }) => open)
        } satisfies RlsFigures
      })
    )
  },
  Effect.scoped,
  Effect.provide(Reactivity.layer)
)
