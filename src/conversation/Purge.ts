/**
 * Removes finished rows from the engine's tables: those of conversations when they are old, and all of tenants that
 * were removed; nothing else of the engine.
 */
import { Clock, Duration, Effect } from "effect"
import { Snowflake } from "effect/cluster"
import type { SqlClient } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Directory } from "../store/Directory.ts"
import { EngineSql } from "../store/EngineSql.ts"
import { Conversation } from "./Conversation.ts"

/** Telegram keeps an update for a day; a week leaves room for an operator to look. */
export const kept = Duration.days(7)

const batch = 1000

/** How many updates were removed. Their ids hold the time they were stored. */
export const purge = Effect.fn("Purge.conversations")(function* () {
  const { client: sql } = yield* EngineSql
  const now = yield* Clock.currentTimeMillis
  const before = Snowflake.make({
    timestamp: Math.max(now - Duration.toMillis(kept), Snowflake.constEpochMillis),
    machineId: 0 as never,
    sequence: 0
  })
  let removed = 0
  while (true) {
    const rows = yield* sql<{ n: bigint }>`
      WITH old AS (
        SELECT id FROM cluster_messages
        WHERE entity_type = ${Conversation.type} AND processed AND id < ${String(before)}::bigint
        LIMIT ${batch}
      ), replies AS (
        DELETE FROM cluster_replies WHERE request_id IN (SELECT id FROM old)
      ), messages AS (
        DELETE FROM cluster_messages WHERE id IN (SELECT id FROM old) RETURNING id
      )
      SELECT count(*) AS n FROM messages`
    const n = Number(rows[0]?.n ?? 0)
    removed += n
    if (n < batch) return removed
  }
})

/** Whose a row is: a conversation bears it in its name, a workflow in what it was started with. */
const tenantOf = (sql: SqlClient.SqlClient) => sql`
  CASE WHEN entity_type = ${Conversation.type} THEN split_part(entity_id, '/', 1)
    WHEN entity_type LIKE 'Workflow/%' THEN payload::jsonb ->> 'tenant' END`

/** What is left of tenants that are no longer there. What they had not handled is finished first, and goes later. */
export const purgeRemoved = Effect.fn("Purge.removed")(function* () {
  const directory = yield* Directory
  const { client: sql } = yield* EngineSql
  const all = yield* sql<{ tenant: TenantId | null }>`
    SELECT DISTINCT ${tenantOf(sql)} AS tenant FROM cluster_messages WHERE processed`
  for (const { tenant } of all) {
    if (tenant === null || (yield* directory.standing(tenant)) !== "unknown") continue
    yield* sql`
      WITH theirs AS (
        SELECT id FROM cluster_messages WHERE processed AND ${tenantOf(sql)} = ${tenant}
      ), replies AS (
        DELETE FROM cluster_replies WHERE request_id IN (SELECT id FROM theirs)
      )
      DELETE FROM cluster_messages WHERE id IN (SELECT id FROM theirs)`
  }
})
