/** The statements of the outbox. Each runs inside a transaction of the tenant. */
import { Effect, Option, Schema, Tracer } from "effect"
import type { SqlClient } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { type AppId, type BotId, ChatId, MessageId, ThreadId } from "../domain/Ids.ts"
import { notifying } from "../store/Signals.ts"
import { OutboxAction, type TracedEntry } from "./OutboxEntry.ts"
import type { Settlement, StatusRow } from "./Settlement.ts"

/** The outbox of one bot. */
export interface Owner {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: BotId
}

export interface OutboxRow {
  readonly id: number
  readonly app: AppId
  readonly chat: ChatId
  readonly thread?: ThreadId
  readonly delivery: "result" | "chatter"
  readonly attempts: number
  readonly doubted: boolean
  /** Unix milliseconds. */
  readonly created: number
  /** The span that decided to say it. */
  readonly trace?: Tracer.ExternalSpan
  /** Absent when this version cannot read it. */
  readonly action?: OutboxAction
}

const ActionText = Schema.fromJsonString(OutboxAction)
const decodeAction = Schema.decodeUnknownOption(ActionText)
const encodeAction = Schema.encodeSync(ActionText)

interface Raw {
  readonly id: string
  readonly app: AppId
  readonly chat: string
  readonly thread: string
  readonly delivery: "result" | "chatter"
  readonly attempts: number
  readonly doubted: boolean
  readonly created: number
  readonly trace: string | null
  readonly action: string
}

/** `<trace id>-<span id>-<1 when sampled>` */
const traceOf = ({ traceId, spanId, sampled }: Tracer.AnySpan): string =>
  `${traceId}-${spanId}-${sampled ? 1 : 0}`

const spanOf = (trace: string): Tracer.ExternalSpan => {
  const [traceId = "", spanId = "", sampled] = trace.split("-")
  return Tracer.externalSpan({ traceId, spanId, sampled: sampled === "1" })
}

const rowOf = (raw: Raw): OutboxRow => {
  const action = decodeAction(raw.action)
  const thread = Number(raw.thread)
  return {
    id: Number(raw.id),
    app: raw.app,
    chat: ChatId.make(Number(raw.chat)),
    ...(thread === 0 ? {} : { thread: ThreadId.make(thread) }),
    delivery: raw.delivery,
    attempts: raw.attempts,
    doubted: raw.doubted,
    created: raw.created,
    ...(raw.trace === null ? {} : { trace: spanOf(raw.trace) }),
    ...(action._tag === "Some" ? { action: action.value } : {})
  }
}

/** PostgreSQL keeps no NUL in text. In an action there is none: it is JSON, where NUL is escaped. */
const json = (value: unknown) =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replaceAll("\0", "") : part
  )

const columns = (sql: SqlClient.SqlClient) =>
  sql.literal(`
  o.id::text AS id, o.app, o.chat_id::text AS chat, o.thread_id::text AS thread, o.delivery, o.attempts,
  o.settled_at IS NOT NULL AS doubted, (extract(epoch FROM o.created_at) * 1000)::float8 AS created, o.trace,
  o.action`)

/**
 * Adds the entries and tells the dispatchers. Status messages that were not sent yet and need not be any more
 * go. One statement, for the caller may hold the lock of a knowledge base.
 */
export const insert = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  entries: ReadonlyArray<TracedEntry>
) {
  const current = yield* Effect.option(Effect.currentParentSpan)
  const rows = entries.map(({ address, botId, key, delivery, action, span = current }) => ({
    app: address.app,
    bot_id: botId,
    chat_id: address.chat,
    thread_id: address.thread ?? 0,
    key,
    delivery,
    action: encodeAction(action),
    trace: Option.getOrNull(Option.map(span, traceOf))
  }))
  const resolved = entries.flatMap(({ botId, action }) =>
    action._tag === "Resolve" ? [{ bot_id: botId, key: action.status }] : []
  )
  const superseding =
    resolved.length === 0
      ? sql``
      : sql`
    WITH superseded AS (
      UPDATE outbox o SET state = 'dead', error = 'superseded', settled_at = now()
      FROM jsonb_to_recordset(${json(resolved)}::text::jsonb) AS r(bot_id bigint, key text)
      WHERE o.tenant_id = ${tenant} AND o.bot_id = r.bot_id AND o.key = r.key AND o.state = 'pending'
    )`
  yield* sql`
    ${superseding}
    INSERT INTO outbox (tenant_id, app, bot_id, chat_id, thread_id, key, delivery, action, trace)
    SELECT ${tenant}, e.app, e.bot_id, e.chat_id, e.thread_id, e.key, e.delivery, e.action, e.trace
    FROM ROWS FROM (jsonb_to_recordset(${json(rows)}::text::jsonb) AS (
      app text, bot_id bigint, chat_id bigint, thread_id bigint, key text, delivery text, action text, trace text
    )) WITH ORDINALITY AS e (app, bot_id, chat_id, thread_id, key, delivery, action, trace, place)
    ORDER BY e.place
    ON CONFLICT (tenant_id, bot_id, key) DO NOTHING
    RETURNING ${notifying(sql, "zapiska_outbox", sql`tenant_id || '/' || app`)}`
})

/** Status messages that were not sent yet and need not be any more. */
export const supersede = (
  sql: SqlClient.SqlClient,
  owner: Pick<Owner, "tenant" | "botId">,
  keys: ReadonlyArray<string>
) => sql`
  UPDATE outbox SET state = 'dead', error = 'superseded', settled_at = now()
  WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint AND state = 'pending'
    AND key IN (SELECT jsonb_array_elements_text(${json(keys)}::text::jsonb))`

/** The first row of each lane, if it is due and its chat not among `blocked`, the oldest first. */
export const due = (
  sql: SqlClient.SqlClient,
  owner: Owner,
  options: { readonly now: number; readonly blocked: ReadonlyArray<ChatId>; readonly limit: number }
) =>
  Effect.map(
    sql<Raw>`
      SELECT ${columns(sql)}
      FROM (
        SELECT DISTINCT ON (chat_id, thread_id) id, chat_id, state, not_before
        FROM outbox
        WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
          AND state IN ('pending', 'sending')
        ORDER BY chat_id, thread_id, id
      ) head
      JOIN outbox o ON o.tenant_id = ${owner.tenant} AND o.id = head.id
      WHERE head.state = 'pending'
        AND (head.not_before IS NULL OR head.not_before <= to_timestamp(${options.now}::float8 / 1000))
        AND NOT head.chat_id IN (
          SELECT jsonb_array_elements_text(${json(options.blocked)}::text::jsonb)::bigint)
      ORDER BY head.id
      LIMIT ${options.limit}::int`,
    (rows) => rows.map(rowOf)
  )

/** Marks them as being sent; returns those that really were pending and nobody else's. */
export const claim = (sql: SqlClient.SqlClient, owner: Owner, ids: ReadonlyArray<number>) =>
  Effect.map(
    sql<{ readonly id: string }>`
      UPDATE outbox SET state = 'sending'
      WHERE tenant_id = ${owner.tenant} AND id IN (
        SELECT id FROM outbox
        WHERE tenant_id = ${owner.tenant} AND state = 'pending'
          AND id IN (SELECT jsonb_array_elements_text(${json(ids)}::text::jsonb)::bigint)
        FOR UPDATE SKIP LOCKED)
      RETURNING id::text AS id`,
    (rows) => new Set(rows.map(({ id }) => Number(id)))
  )

export const statuses = (sql: SqlClient.SqlClient, owner: Owner, keys: ReadonlyArray<string>) =>
  Effect.map(
    sql<{ readonly key: string; readonly state: string; readonly message: string | null }>`
      SELECT key, state, message_id::text AS message FROM outbox
      WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
        AND key IN (SELECT jsonb_array_elements_text(${json(keys)}::text::jsonb))`,
    (rows) =>
      new Map<string, StatusRow>(
        rows.map(({ key, state, message }) => [
          key,
          { state, ...(message === null ? {} : { messageId: MessageId.make(Number(message)) }) }
        ])
      )
  )

/** Rows left in `sending`, the ones in `except` excluded. */
export const sending = (sql: SqlClient.SqlClient, owner: Owner, except: ReadonlyArray<number>) =>
  Effect.map(
    sql<Raw>`
      SELECT ${columns(sql)} FROM outbox o
      WHERE o.tenant_id = ${owner.tenant} AND o.bot_id = ${owner.botId}::bigint AND o.state = 'sending'
        AND NOT o.id IN (SELECT jsonb_array_elements_text(${json(except)}::text::jsonb)::bigint)
      ORDER BY o.id`,
    (rows) => rows.map(rowOf)
  )

/** The times at which rows that were given back are due again. */
export const deadlines = (sql: SqlClient.SqlClient, owner: Owner) =>
  Effect.map(
    sql<{ readonly at: number }>`
      SELECT DISTINCT (extract(epoch FROM not_before) * 1000)::float8 AS at FROM outbox
      WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
        AND state = 'pending' AND not_before IS NOT NULL`,
    (rows) => rows.map(({ at }) => Math.ceil(at))
  )

export interface Settled {
  readonly row: OutboxRow
  readonly settlement: Settlement
}

const record = ({ row, settlement }: Settled) => {
  const same = { id: row.id, tried: 1, error: null, message_id: null, not_before: null, action: null }
  switch (settlement._tag) {
    case "Sent":
      return { ...same, state: "sent", message_id: settlement.messageId, ended: true }
    case "Back":
      return {
        ...same,
        state: "pending",
        tried: settlement.tried ? 1 : 0,
        error: settlement.reason,
        not_before: settlement.notBefore,
        // A row that was settled and is pending again: its fate was unknown once.
        ended: settlement.doubted,
        action: settlement.action === undefined ? null : encodeAction(settlement.action)
      }
    case "Unknown":
      return { ...same, state: "unknown", error: settlement.reason, ended: true }
    case "Dead":
    case "ChatDead":
      return { ...same, state: "dead", error: settlement.reason, ended: true }
    case "ChatMoved":
      return { ...same, state: "pending", tried: 0, ended: false }
    case "BotStopped":
      return { ...same, state: "pending", tried: 0, error: settlement.reason, ended: false }
  }
}

/** Writes what became of rows in `sending`. Writing it again changes nothing. */
export const settle = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  owner: Owner,
  all: ReadonlyArray<Settled>
) {
  if (all.length === 0) return
  yield* sql`
    UPDATE outbox o SET
      state = e.state,
      attempts = o.attempts + e.tried,
      error = e.error,
      message_id = COALESCE(e.message_id, o.message_id),
      not_before = to_timestamp(e.not_before / 1000),
      action = COALESCE(e.action, o.action),
      settled_at = CASE WHEN e.ended THEN now() ELSE o.settled_at END
    FROM jsonb_to_recordset(${json(all.map(record))}::text::jsonb) AS e(
      id bigint, state text, tried int, error text, message_id bigint, not_before float8, action text, ended boolean)
    WHERE o.tenant_id = ${owner.tenant} AND o.id = e.id AND o.state = 'sending'`
  for (const { row, settlement } of all) {
    if (settlement._tag === "ChatDead")
      yield* sql`
        UPDATE outbox SET state = 'dead', error = ${settlement.reason}, settled_at = now()
        WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
          AND chat_id = ${row.chat}::bigint AND state = 'pending'`
    if (settlement._tag === "ChatMoved")
      yield* sql`
        UPDATE outbox SET chat_id = ${settlement.to}::bigint
        WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
          AND chat_id = ${row.chat}::bigint AND state IN ('pending', 'sending')`
  }
})

/** How many rows are open, by state, and how old the oldest is in seconds. */
export const census = (sql: SqlClient.SqlClient, owner: Owner) => sql<{
  readonly state: "pending" | "sending"
  readonly count: number
  readonly age: number
}>`
  SELECT state, count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS age FROM outbox
  WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint AND state IN ('pending', 'sending')
  GROUP BY state`

export const remove = (sql: SqlClient.SqlClient, tenant: TenantId, before: number) => sql`
  DELETE FROM outbox
  WHERE tenant_id = ${tenant} AND state IN ('sent', 'dead', 'unknown')
    AND settled_at < to_timestamp(${before}::float8 / 1000)`
