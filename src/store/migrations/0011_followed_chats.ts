/** Chats of people's own accounts that are followed; files on their way in. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // `account_id`: whose chats they are; another account that is logged in later does not inherit them. `source`: `saved`
    // or the id of a chat. All messages from `since_s` (Unix seconds) up to `last_message` are taken.
    `CREATE TABLE followed_chats (
      tenant_id text NOT NULL,
      app text NOT NULL,
      account_id bigint NOT NULL,
      source text NOT NULL CHECK (source ~ '^(saved|-?[0-9]{1,16})$'),
      title text NOT NULL,
      since_s bigint NOT NULL,
      last_message bigint NOT NULL DEFAULT 0,
      taken_at timestamptz,
      last_error text,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, app, account_id, source),
      FOREIGN KEY (tenant_id, app) REFERENCES sessions (tenant_id, app) ON DELETE CASCADE
    )`,
    // Pieces of a file too large to be held in memory, until they are a blob.
    `CREATE TABLE blob_pieces (
      tenant_id text NOT NULL REFERENCES tenants,
      upload text NOT NULL,
      nth int NOT NULL,
      bytes bytea NOT NULL,
      stored_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, upload, nth)
    )`,
    ...["followed_chats", "blob_pieces"].flatMap(secured)
  ]) {
    yield* sql.unsafe(statement)
  }
})
