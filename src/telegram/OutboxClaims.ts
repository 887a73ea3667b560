/**
 * Which rows of the outbox are next, and what those before them spent. The statements of the dispatcher, each
 * inside a transaction of the tenant. A lane is a (chat, thread): its rows leave strictly in order.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { ChatId } from "../domain/Ids.ts"
import { priorities } from "./OutboxInsert.ts"
import { columns, isOneOf, json, type OutboxRow, type Owner, type Raw, rowOf } from "./OutboxRows.ts"
import { limits, type Past } from "./PaceRules.ts"

export interface Wanted {
  /** Unix milliseconds. */
  readonly now: number
  /** Chats that have to wait in any case. */
  readonly blocked: ReadonlyArray<ChatId>
  readonly interactive: number
  readonly broadcast: number
}

export interface Due {
  readonly row: OutboxRow
  readonly urgency: "interactive" | "broadcast"
}

/**
 * The first row of each lane that may go, the most urgent and oldest first. Each half walks its part of one index
 * and stops when it has enough: rows that nobody can send now are not looked at. A broadcast before which a reply
 * would have to wait goes as urgently as the reply: the order of a lane holds.
 *
 * The first of a lane is asked for row by row, with its own LIMIT: as a join, a planner that does not know the table
 * yet would compare every row with every other.
 */
export const due = (sql: SqlClient.SqlClient, owner: Owner, wanted: Wanted) => {
  const ofBot = (row: Statement.Fragment) =>
    sql`${row}.tenant_id = ${owner.tenant} AND ${row}.bot_id = ${owner.botId}::bigint`
  const inLaneOf = (row: Statement.Fragment) =>
    sql`FROM outbox f WHERE ${ofBot(sql`f`)} AND f.chat_id = ${row}.chat_id AND f.thread_id = ${row}.thread_id
      AND f.state IN ('pending', 'sending')`
  const isDue = (row: Statement.Fragment) =>
    sql`(${row}.not_before IS NULL OR ${row}.not_before <= to_timestamp(${wanted.now}::float8 / 1000))`
  const isFree = (row: Statement.Fragment) =>
    sql`NOT ${row}.chat_id IN (
      SELECT jsonb_array_elements_text(${json(wanted.blocked)}::text::jsonb)::bigint)`
  const [o, r, head] = [sql`o`, sql`r`, sql`head`]
  const broadcast = sql.literal(String(priorities.broadcast))
  return Effect.map(
    sql<Raw & { readonly urgency: Due["urgency"] }>`
      (SELECT ${columns(sql)}, 'interactive' AS urgency
      FROM outbox r
      CROSS JOIN LATERAL (
        SELECT f.id, f.state, f.not_before ${inLaneOf(r)} ORDER BY f.id LIMIT 1
      ) head
      JOIN outbox o ON o.tenant_id = ${owner.tenant} AND o.id = head.id
      WHERE ${ofBot(r)} AND r.state = 'pending' AND r.priority < ${broadcast} AND ${isDue(r)} AND ${isFree(r)}
        AND r.id = (SELECT f.id ${inLaneOf(r)} AND f.priority < ${broadcast} ORDER BY f.id LIMIT 1)
        AND head.state = 'pending' AND ${isDue(head)}
      ORDER BY r.priority, r.id
      LIMIT ${wanted.interactive}::int)
      UNION ALL
      (SELECT ${columns(sql)}, 'broadcast' AS urgency
      FROM outbox o
      WHERE ${ofBot(o)} AND o.state = 'pending' AND o.priority >= ${broadcast} AND ${isDue(o)} AND ${isFree(o)}
        AND o.id = (SELECT f.id ${inLaneOf(o)} ORDER BY f.id LIMIT 1)
      ORDER BY o.priority, o.id
      LIMIT ${wanted.broadcast}::int)`,
    (rows): ReadonlyArray<Due> => {
      const first = new Map<string, Due>()
      for (const raw of rows)
        if (!first.has(raw.id)) first.set(raw.id, { row: rowOf(raw), urgency: raw.urgency })
      return [...first.values()]
    }
  )
}

/** Marks them as being sent; returns those that really were pending and nobody else's. */
export const claim = (sql: SqlClient.SqlClient, owner: Owner, ids: ReadonlyArray<number>) =>
  Effect.map(
    sql<{ readonly id: string }>`
      UPDATE outbox SET state = 'sending'
      WHERE tenant_id = ${owner.tenant} AND id IN (
        SELECT id FROM outbox
        WHERE tenant_id = ${owner.tenant} AND state = 'pending'
          AND ${isOneOf(sql, sql`id`, ids)}
        FOR UPDATE SKIP LOCKED)
      RETURNING id::text AS id`,
    (rows) => new Set(rows.map(({ id }) => Number(id)))
  )

/** A chat Telegram wants to be left alone, until when in Unix milliseconds. */
export interface ParkedChat {
  readonly chat: ChatId
  readonly until: number
}

/**
 * Writes the parks to everything that waits for these chats, in all their topics. The latest deadline holds, and
 * the park that set it keeps its time.
 */
export const park = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  owner: Owner,
  parked: ReadonlyArray<ParkedChat>,
  now: number
) {
  if (parked.length === 0) return
  const latest = [...Map.groupBy(parked, ({ chat }) => chat)].map(([chat, all]) => ({
    chat,
    until: Math.max(...all.map(({ until }) => until))
  }))
  yield* sql`
    UPDATE outbox o SET not_before = to_timestamp(p.until / 1000),
      parked_at = to_timestamp(${now}::float8 / 1000)
    FROM jsonb_to_recordset(${json(latest)}::text::jsonb) AS p(chat bigint, until float8)
    WHERE o.tenant_id = ${owner.tenant} AND o.bot_id = ${owner.botId}::bigint AND o.chat_id = p.chat
      AND o.state = 'pending' AND (o.not_before IS NULL OR o.not_before < to_timestamp(p.until / 1000))`
})

/** Rows that wait are due so many milliseconds earlier. */
export const setBack = (sql: SqlClient.SqlClient, owner: Owner, by: number) => sql`
  UPDATE outbox SET not_before = not_before - ${by}::float8 * interval '1 millisecond',
    parked_at = parked_at - ${by}::float8 * interval '1 millisecond'
  WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint AND state = 'pending'
    AND not_before IS NOT NULL`

/** The times at which rows that wait are due again. */
export const deadlines = (sql: SqlClient.SqlClient, owner: Owner) =>
  Effect.map(
    sql<{ readonly at: number }>`
      SELECT DISTINCT (extract(epoch FROM not_before) * 1000)::float8 AS at FROM outbox
      WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
        AND state = 'pending' AND not_before IS NOT NULL`,
    (rows) => rows.map(({ at }) => Math.ceil(at))
  )

/** Milliseconds. A park may be known from a row alone that a result has taken the place of meanwhile. */
const longestPark = 3_600_000

/**
 * What the dispatcher before this one did, as the rows show it: what was sent within the longest window of the
 * pace, what may have left the moment it ended (`sending`), and the parks.
 */
export const past = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  owner: Owner,
  now: number
): Effect.fn.Return<Past, SqlError.SqlError> {
  const sent = yield* sql<{ readonly chat: string; readonly at: number | null; readonly cost: number }>`
    SELECT chat_id::text AS chat, cost::int AS cost, (extract(epoch FROM settled_at) * 1000)::float8 AS at
    FROM outbox
    WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint AND state = 'sent'
      AND settled_at > to_timestamp(${now - limits.group.window}::float8 / 1000)
    UNION ALL
    SELECT chat_id::text, cost::int, NULL FROM outbox
    WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint AND state = 'sending'
    ORDER BY at NULLS LAST`
  const parks = yield* sql<{ readonly chat: string; readonly at: number; readonly until: number }>`
    SELECT chat_id::text AS chat, (extract(epoch FROM max(parked_at)) * 1000)::float8 AS at,
      (extract(epoch FROM max(not_before)) * 1000)::float8 AS until
    FROM outbox
    WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
      AND (state = 'pending'
        OR state = 'dead' AND error = 'superseded'
          AND settled_at > to_timestamp(${now - longestPark}::float8 / 1000))
      AND parked_at IS NOT NULL AND not_before > to_timestamp(${now}::float8 / 1000)
    GROUP BY chat_id
    ORDER BY at`
  const chatOf = (chat: string) => ChatId.make(Number(chat))
  return {
    sent: sent.map(({ chat, at, cost }) => ({ chat: chatOf(chat), at: Math.min(at ?? now, now), cost })),
    parks: parks.map(({ chat, at, until }) => ({ chat: chatOf(chat), at, until: Math.ceil(until) }))
  }
})
