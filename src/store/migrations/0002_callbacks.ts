/** Buttons that can be pressed once, by one person, in one chat. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    `CREATE TABLE callbacks (
      tenant_id text NOT NULL REFERENCES tenants,
      token text NOT NULL,
      app text NOT NULL,
      key text NOT NULL,
      chat_id bigint NOT NULL,
      user_id bigint NOT NULL,
      purpose text NOT NULL,
      payload text NOT NULL,
      expires_at timestamptz NOT NULL,
      used_at timestamptz,
      PRIMARY KEY (tenant_id, token),
      UNIQUE (tenant_id, app, key)
    )`,
    `CREATE INDEX callbacks_expired ON callbacks (tenant_id, expires_at)`,
    ...secured("callbacks")
  ]) {
    yield* sql.unsafe(statement)
  }
})
