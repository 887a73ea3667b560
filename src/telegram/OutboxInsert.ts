/** How entries become rows of the outbox. Each statement runs inside a transaction of the tenant. */
import { Effect, Metric, Option, type Tracer } from "effect"
import type { SqlClient } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { notifying } from "../store/Signals.ts"
import { outboxSettled } from "./metrics.ts"
import type { OutboxAction, TracedEntry } from "./OutboxEntry.ts"
import { encodeAction, json, type Owner } from "./OutboxRows.ts"
import { isGroup, placesOf } from "./PaceRules.ts"

/** The order in which lanes are served where not all can be: what people wait for, what ends it, and the rest. */
export const priorities = { send: 0, edit: 1, broadcast: 2, broadcastToOne: 3 } as const

const priorityOf = ({ address, urgency, action }: TracedEntry): number => {
  // A group takes twenty a minute: what it takes longest for must not begin last.
  if (urgency === "broadcast") return isGroup(address.chat) ? priorities.broadcast : priorities.broadcastToOne
  return action._tag === "Send" ? priorities.send : priorities.edit
}

const costOf = ({ content }: OutboxAction): number => placesOf(content)

/** `<trace id>-<span id>-<1 when sampled>` */
const traceOf = ({ traceId, spanId, sampled }: Tracer.AnySpan): string =>
  `${traceId}-${spanId}-${sampled ? 1 : 0}`

/**
 * Adds the entries and tells the dispatchers. Status messages that were not sent yet and need not be any more
 * go. A group that moved is written to where it is now; what is for a chat nobody can be written to in ends at
 * once. One statement, for the caller may hold the lock of a knowledge base.
 */
export const insert = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  entries: ReadonlyArray<TracedEntry>
) {
  const current = yield* Effect.option(Effect.currentParentSpan)
  const rows = entries.map((entry) => {
    const { address, botId, key, delivery, action, span = current } = entry
    return {
      app: address.app,
      bot_id: botId,
      chat_id: address.chat,
      thread_id: address.thread ?? 0,
      key,
      delivery,
      priority: priorityOf(entry),
      cost: costOf(action),
      action: encodeAction(action),
      trace: Option.getOrNull(Option.map(span, traceOf))
    }
  })
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
  const added = yield* sql<{ readonly state: string }>`
    ${superseding}
    INSERT INTO outbox (tenant_id, app, bot_id, chat_id, moved_from, thread_id, key, delivery, priority, cost,
      action, trace, state, error, settled_at)
    SELECT ${tenant}, e.app, e.bot_id, COALESCE(m.moved_to, e.chat_id), m.chat_id, e.thread_id, e.key, e.delivery,
      e.priority, e.cost, e.action, e.trace,
      CASE WHEN u.chat_id IS NULL THEN 'pending' ELSE 'dead' END, u.reason,
      CASE WHEN u.chat_id IS NULL THEN NULL ELSE now() END
    FROM ROWS FROM (jsonb_to_recordset(${json(rows)}::text::jsonb) AS (
      app text, bot_id bigint, chat_id bigint, thread_id bigint, key text, delivery text, priority smallint,
      cost smallint, action text, trace text
    )) WITH ORDINALITY
      AS e (app, bot_id, chat_id, thread_id, key, delivery, priority, cost, action, trace, place)
    LEFT JOIN chat_moves m
      ON m.tenant_id = ${tenant} AND m.bot_id = e.bot_id AND m.chat_id = e.chat_id
    LEFT JOIN unreachable_chats u
      ON u.tenant_id = ${tenant} AND u.bot_id = e.bot_id AND u.chat_id = COALESCE(m.moved_to, e.chat_id)
    ORDER BY e.place
    ON CONFLICT (tenant_id, bot_id, key) DO NOTHING
    RETURNING state, ${notifying(sql, "zapiska_outbox", sql`tenant_id || '/' || app`)}`
  const dead = added.filter(({ state }) => state === "dead").length
  if (dead > 0) yield* Metric.update(Metric.withAttributes(outboxSettled, { state: "dead" }), dead)
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
