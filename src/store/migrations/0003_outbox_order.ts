/** The outbox in order of priority; chats nobody can be written to in, and groups that moved. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // `priority`: 0 answers, 1 edits that end something, 2 broadcasts to groups, 3 to people. `cost`: places in the
    // pace. `parked_at`: when Telegram asked for the silence until `not_before`; null where we wait of our own
    // accord. `moved_from`: the chat the row was written for, where that has another id now.
    `ALTER TABLE outbox
      ADD COLUMN priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 3),
      ADD COLUMN cost smallint NOT NULL DEFAULT 1 CHECK (cost > 0),
      ADD COLUMN parked_at timestamptz,
      ADD COLUMN moved_from bigint`,
    `CREATE INDEX outbox_next ON outbox (tenant_id, bot_id, priority, id) WHERE state = 'pending'`,
    `CREATE INDEX outbox_settled ON outbox (tenant_id, settled_at) WHERE state IN ('sent', 'unknown', 'dead')`,
    `CREATE INDEX outbox_undelivered ON outbox (tenant_id, id)
      WHERE state IN ('unknown', 'dead') AND error <> 'superseded'`,
    // Chats that refuse the bot, until somebody speaks there again.
    `CREATE TABLE unreachable_chats (
      tenant_id text NOT NULL REFERENCES tenants,
      bot_id bigint NOT NULL,
      chat_id bigint NOT NULL,
      reason text NOT NULL,
      marked_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, bot_id, chat_id)
    )`,
    // Groups that became supergroups: what is still addressed to the old id goes to the new one.
    `CREATE TABLE chat_moves (
      tenant_id text NOT NULL REFERENCES tenants,
      bot_id bigint NOT NULL,
      chat_id bigint NOT NULL,
      moved_to bigint NOT NULL CHECK (moved_to <> chat_id),
      moved_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, bot_id, chat_id)
    )`,
    ...["unreachable_chats", "chat_moves"].flatMap(secured)
  ]) {
    yield* sql.unsafe(statement)
  }
})
