/** What the operator says of tenants, the apps they have, and who changed what. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

/** Which tenants and apps there are, for whoever serves all of them: to be read, and nothing else of a tenant. */
const directory = (table: string) =>
  `CREATE POLICY directory ON ${table} FOR SELECT USING (current_setting('app.directory', true) = 'on')`

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    `ALTER TABLE tenants ADD COLUMN name text, ADD COLUMN disabled_at timestamptz`,
    // A bot or an account of a tenant. `api_key_alias` names its credential in the vault.
    `CREATE TABLE apps (
      tenant_id text NOT NULL REFERENCES tenants,
      app text NOT NULL,
      kind text NOT NULL CHECK (kind IN ('bot', 'user')),
      bot_id bigint CHECK (kind <> 'bot' OR bot_id IS NOT NULL),
      api_key_alias text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      rotated_at timestamptz NOT NULL DEFAULT now(),
      disabled_at timestamptz,
      PRIMARY KEY (tenant_id, app)
    )`,
    // Telegram gives the updates of a bot once: two tenants cannot both have it. Only operators add bots, so it
    // harms nobody that they learn of it.
    `CREATE UNIQUE INDEX apps_bot ON apps (bot_id) WHERE bot_id IS NOT NULL`,
    // What was done to a tenant that is removed stays to be read, so it refers to none.
    `CREATE TABLE audit (
      tenant_id text NOT NULL,
      id bigint GENERATED ALWAYS AS IDENTITY,
      at timestamptz NOT NULL DEFAULT clock_timestamp(),
      actor text NOT NULL,
      action text NOT NULL,
      subject text NOT NULL,
      details jsonb NOT NULL,
      PRIMARY KEY (tenant_id, id)
    )`,
    ...["apps", "audit"].flatMap(secured),
    // Nobody rewrites what was done.
    `REVOKE UPDATE, DELETE ON audit FROM zapiska_runtime`,
    ...["tenants", "apps"].map(directory)
  ]) {
    yield* sql.unsafe(statement)
  }
})
