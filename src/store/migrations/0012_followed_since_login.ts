/** Chats that are followed without anybody's choosing them, and are not when somebody chose that; edits to look for. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // `unfollowed_at`: somebody ended it, which a later login does not undo. `reread_due`: what was edited may have been
    // told to nobody; all of it is read again.
    `ALTER TABLE followed_chats ADD COLUMN unfollowed_at timestamptz`,
    `ALTER TABLE followed_chats ADD COLUMN reread_due boolean NOT NULL DEFAULT false`
  ]) {
    yield* sql.unsafe(statement)
  }
})
