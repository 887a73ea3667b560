/** Everything the tables hold of a tenant, found in the catalogue: a table that is new is not forgotten. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"

/** A row of `child` refers to one of `parent`. */
export interface Reference {
  readonly child: string
  readonly parent: string
}

/** Tables in the order they can be emptied in: none while another refers to it. */
export const emptyingOrder = (
  tables: ReadonlyArray<string>,
  references: ReadonlyArray<Reference>
): ReadonlyArray<string> => {
  const order: Array<string> = []
  const left = new Set(tables)
  while (left.size > 0) {
    const free = [...left].filter(
      (table) =>
        !references.some(({ child, parent }) => parent === table && child !== table && left.has(child))
    )
    // A circle: no order is right, and the database will say so.
    const next = free.length > 0 ? free : [...left]
    for (const table of next) left.delete(table)
    order.push(...next)
  }
  return order
}

/** What was done to a tenant outlives it. */
const kept = "audit"

/** In a transaction of the tenant: deletes all it has, itself included. How many rows of which table there were. */
export const empty = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, tenant: TenantId) {
  const tables = yield* sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind = 'r' AND c.relname <> ${kept}
    ORDER BY c.relname`
  const references = yield* sql<Reference>`
    SELECT child.relname AS child, parent.relname AS parent FROM pg_constraint con
    JOIN pg_class child ON child.oid = con.conrelid
    JOIN pg_class parent ON parent.oid = con.confrelid
    WHERE con.contype = 'f' AND child.relnamespace = 'zapiska'::regnamespace`
  const order = emptyingOrder(
    tables.map(({ name }) => name),
    references
  )
  const removed: Record<string, number> = {}
  for (const table of order) {
    const [counted] = yield* sql<{ rows: number }>`
      WITH gone AS (DELETE FROM ${sql(table)} WHERE tenant_id = ${tenant} RETURNING 1)
      SELECT count(*)::float8 AS rows FROM gone`
    if (counted !== undefined && counted.rows > 0) removed[table] = counted.rows
  }
  return removed
})
