/** The statements of the outbox. Each runs inside a transaction of the tenant. */
import { Effect, Schema, Tracer } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { type AppId, type BotId, ChatId, MessageId, type TenantId, ThreadId } from "../domain/Ids.ts"
import { markUnreachable, move, type Owner } from "./ChatRows.ts"
import { OutboxAction } from "./OutboxEntry.ts"
import type { Settlement, StatusRow } from "./Settlement.ts"

export type { Owner } from "./ChatRows.ts"

export interface OutboxRow {
  readonly id: number
  readonly app: AppId
  readonly chat: ChatId
  readonly thread?: ThreadId
  readonly delivery: "result" | "chatter"
  readonly attempts: number
  readonly doubted: boolean
  /** The places it takes in the pace. */
  readonly cost: number
  /** The chat it was written for, where that has another id now. */
  readonly movedFrom?: ChatId
  /** Unix milliseconds. */
  readonly created: number
  /** The span that decided to say it. */
  readonly trace?: Tracer.ExternalSpan
  /** Absent when this version cannot read it. */
  readonly action?: OutboxAction
}

const ActionText = Schema.fromJsonString(OutboxAction)
const decodeAction = Schema.decodeUnknownOption(ActionText)
export const encodeAction = Schema.encodeSync(ActionText)

/** A row as `columns` reads it. */
export interface Raw {
  readonly id: string
  readonly app: AppId
  readonly chat: string
  readonly thread: string
  readonly delivery: "result" | "chatter"
  readonly attempts: number
  readonly doubted: boolean
  readonly cost: number
  readonly moved: string | null
  readonly created: number
  readonly trace: string | null
  readonly action: string
}

const spanOf = (trace: string): Tracer.ExternalSpan => {
  const [traceId = "", spanId = "", sampled] = trace.split("-")
  return Tracer.externalSpan({ traceId, spanId, sampled: sampled === "1" })
}

export const rowOf = (raw: Raw): OutboxRow => {
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
    cost: raw.cost,
    ...(raw.moved === null ? {} : { movedFrom: ChatId.make(Number(raw.moved)) }),
    created: raw.created,
    ...(raw.trace === null ? {} : { trace: spanOf(raw.trace) }),
    ...(action._tag === "Some" ? { action: action.value } : {})
  }
}

/** PostgreSQL keeps no NUL in text. In an action there is none: it is JSON, where NUL is escaped. */
export const json = (value: unknown) =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replaceAll("\0", "") : part
  )

/** As an array, not as a join: the rows are then looked up by their number, whatever the planner thinks of the table. */
export const isOneOf = (sql: SqlClient.SqlClient, id: Statement.Fragment, ids: ReadonlyArray<number>) =>
  sql`${id} = ANY(ARRAY(SELECT jsonb_array_elements_text(${json(ids)}::text::jsonb)::bigint))`

/** Of `outbox o`. */
export const columns = (sql: SqlClient.SqlClient) =>
  sql.literal(`
  o.id::text AS id, o.app, o.chat_id::text AS chat, o.thread_id::text AS thread, o.delivery, o.attempts,
  o.settled_at IS NOT NULL AS doubted, o.cost::int AS cost, o.moved_from::text AS moved, (extract(epoch FROM o.created_at) * 1000)::float8 AS created, o.trace,
  o.action`)

export const statuses = (
  sql: SqlClient.SqlClient,
  owner: Pick<Owner, "tenant" | "botId">,
  keys: ReadonlyArray<string>
) =>
  Effect.map(
    sql<{
      readonly key: string
      readonly state: string
      readonly chat: string
      readonly message: string | null
    }>`
      SELECT key, state, chat_id::text AS chat, message_id::text AS message FROM outbox
      WHERE tenant_id = ${owner.tenant} AND bot_id = ${owner.botId}::bigint
        AND key IN (SELECT jsonb_array_elements_text(${json(keys)}::text::jsonb))`,
    (rows) =>
      new Map<string, StatusRow>(
        rows.map(({ key, state, chat, message }) => [
          key,
          {
            state,
            chat: ChatId.make(Number(chat)),
            ...(message === null ? {} : { messageId: MessageId.make(Number(message)) })
          }
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

export interface Settled {
  readonly row: OutboxRow
  readonly settlement: Settlement
}

const record = ({ row, settlement }: Settled) => {
  const same = {
    id: row.id,
    tried: 1,
    error: null,
    message_id: null,
    not_before: null,
    action: null,
    parked: false,
    afresh: false
  }
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
        parked: settlement.parked,
        // A row that was settled and is pending again: its fate was unknown once.
        ended: settlement.doubted,
        action: settlement.action === undefined ? null : encodeAction(settlement.action)
      }
    case "Continued":
      return {
        ...same,
        state: "pending",
        ended: false,
        afresh: true,
        action: encodeAction(settlement.action)
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

/**
 * Writes what became of rows in `sending`, at `now` in Unix milliseconds. Writing it again changes nothing. All
 * times the pace depends on are of one clock, ours.
 */
export const settle = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  owner: Owner,
  all: ReadonlyArray<Settled>,
  now: number
) {
  if (all.length === 0) return
  yield* sql`
    UPDATE outbox o SET
      state = e.state,
      attempts = CASE WHEN e.afresh THEN 0 ELSE o.attempts + e.tried END,
      error = e.error,
      message_id = COALESCE(e.message_id, o.message_id),
      not_before = to_timestamp(e.not_before / 1000),
      parked_at = CASE WHEN e.parked THEN to_timestamp(${now}::float8 / 1000) END,
      action = COALESCE(e.action, o.action),
      settled_at = CASE WHEN e.ended THEN to_timestamp(${now}::float8 / 1000) WHEN NOT e.afresh THEN o.settled_at END
    FROM jsonb_to_recordset(${json(all.map(record))}::text::jsonb) AS e(
      id bigint, state text, tried int, error text, message_id bigint, not_before float8, parked boolean,
      action text, ended boolean, afresh boolean)
    WHERE o.tenant_id = ${owner.tenant} AND o.id = e.id AND o.state = 'sending'
      AND ${isOneOf(
        sql,
        sql`o.id`,
        all.map(({ row }) => row.id)
      )}`
  for (const { row, settlement } of all) {
    if (settlement._tag === "ChatDead") yield* markUnreachable(sql, owner, row.chat, settlement.reason)
    if (settlement._tag === "ChatMoved") yield* move(sql, owner, { from: row.chat, to: settlement.to })
  }
})

/** Rows of one bot that are open, in one state; the age of the oldest in seconds. */
export interface Open {
  readonly bot: BotId
  readonly state: "pending" | "sending"
  readonly count: number
  readonly age: number
}

/** What is open of all bots of the tenant. */
export const open = (sql: SqlClient.SqlClient, tenant: TenantId) => sql<Open>`
  SELECT bot_id::float8 AS bot, state, count(*)::int AS count,
    extract(epoch FROM now() - min(created_at))::float8 AS age
  FROM outbox WHERE tenant_id = ${tenant} AND state IN ('pending', 'sending')
  GROUP BY bot_id, state`

export const remove = (sql: SqlClient.SqlClient, tenant: TenantId, before: number) => sql`
  DELETE FROM outbox
  WHERE tenant_id = ${tenant} AND state IN ('sent', 'dead', 'unknown')
    AND settled_at < to_timestamp(${before}::float8 / 1000)`
