/** Removes the finished rows of conversations from the engine's tables; nothing else of the engine. */
import { Clock, Duration, Effect } from "effect"
import { Snowflake } from "effect/cluster"
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
