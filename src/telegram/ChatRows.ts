/**
 * What becomes of a chat: nobody can be written to in it, somebody speaks there again, or it has another id.
 * Each statement runs inside a transaction of the tenant.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { AppId, BotId, ChatId, TenantId } from "../domain/Ids.ts"

/** The bot whose chats and whose outbox it is. */
export interface Owner {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: BotId
}

/** Marks the chat and ends all that waits for it. What is added later ends at once, while the mark is there. */
export const markUnreachable = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { tenant, botId }: Owner,
  chat: ChatId,
  reason: string
) {
  yield* sql`
    INSERT INTO unreachable_chats (tenant_id, bot_id, chat_id, reason)
    VALUES (${tenant}, ${botId}::bigint, ${chat}::bigint, ${reason})
    ON CONFLICT (tenant_id, bot_id, chat_id) DO UPDATE SET reason = excluded.reason, marked_at = now()`
  yield* sql`
    UPDATE outbox SET state = 'dead', error = ${reason}, settled_at = now()
    WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint AND chat_id = ${chat}::bigint AND state = 'pending'`
})

/** They can be written to again. */
export const revive = (
  sql: SqlClient.SqlClient,
  { tenant, botId }: Owner,
  chats: ReadonlyArray<ChatId>
) => sql`
  DELETE FROM unreachable_chats
  WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint
    AND chat_id IN (SELECT jsonb_array_elements_text(${JSON.stringify(chats)}::text::jsonb)::bigint)`

export interface Move {
  readonly from: ChatId
  readonly to: ChatId
}

/**
 * What a move does to every table that knows a chat by its id. A group's messages do not move with it: the
 * supergroup numbers its own anew, so the ids of messages mean nothing, or another message, in the new chat.
 *
 * - `outbox`: what is open moves, and forgets the messages it refers to (`moved_from`); what is settled keeps
 *   the chat its message is in.
 * - `callbacks`: move, for the buttons of open rows are going to be pressed in the new chat.
 * - `unreachable_chats`: a group that moved has somebody in it.
 * - `chat_moves`: earlier moves to the old id go on to the new one.
 * - `note_members`: keep it. They are found by (chat, message), and a message of the supergroup with the same
 *   number must not be taken for one that is in a note. Messages of the old group cannot be edited any more.
 */
export const movedTables = ["outbox", "callbacks", "unreachable_chats", "chat_moves"] as const
export const keptTables = ["note_members"] as const

/** In one transaction; doing it again changes nothing. */
export const move = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, owner: Owner, { from, to }: Move) {
  if (from === to) return
  const { tenant, app, botId } = owner
  // Back and forth would be a circle.
  yield* sql`
    DELETE FROM chat_moves
    WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint AND chat_id = ${to}::bigint`
  yield* sql`
    INSERT INTO chat_moves (tenant_id, bot_id, chat_id, moved_to)
    VALUES (${tenant}, ${botId}::bigint, ${from}::bigint, ${to}::bigint)
    ON CONFLICT (tenant_id, bot_id, chat_id) DO UPDATE SET moved_to = excluded.moved_to`
  yield* sql`
    UPDATE chat_moves SET moved_to = ${to}::bigint
    WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint AND moved_to = ${from}::bigint`
  yield* sql`
    UPDATE outbox SET chat_id = ${to}::bigint, moved_from = ${from}::bigint
    WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint AND chat_id = ${from}::bigint
      AND state IN ('pending', 'sending')`
  yield* sql`
    UPDATE callbacks SET chat_id = ${to}::bigint
    WHERE tenant_id = ${tenant} AND app = ${app} AND chat_id = ${from}::bigint`
  yield* revive(sql, owner, [from, to])
})
