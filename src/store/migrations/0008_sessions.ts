/** Sessions of Telegram and their history; sealed material that did not open. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // What logs a session in is in the vault, under its app. `owner`: the process that used it last, for people;
    // who may use it is decided by its lease. `failures`: since Telegram last answered for it. `next_try_because`: Telegram asked to wait, or
    // we wait of our own accord.
    `CREATE TABLE sessions (
      tenant_id text NOT NULL REFERENCES tenants,
      app text NOT NULL,
      kind text NOT NULL CHECK (kind IN ('bot', 'user')),
      state text NOT NULL DEFAULT 'ABSENT' CHECK (state IN
        ('ABSENT', 'PENDING_QR', 'PENDING_CODE', 'PENDING_PASSWORD', 'AUTHORIZED', 'STALE', 'REVOKED')),
      expected_user_id bigint,
      account_id bigint,
      account_name text,
      api_key_alias text,
      owner text,
      fence bigint NOT NULL DEFAULT 0,
      moves bigint NOT NULL DEFAULT 0,
      failures int NOT NULL DEFAULT 0,
      last_activity timestamptz,
      last_error text,
      next_try timestamptz,
      next_try_because text CHECK (next_try_because IN ('flood', 'trouble')),
      changed_at timestamptz NOT NULL,
      PRIMARY KEY (tenant_id, app)
    )`,
    // `number` counts the moves of a session from 1, without gaps.
    `CREATE TABLE session_transitions (
      tenant_id text NOT NULL,
      app text NOT NULL,
      number bigint NOT NULL,
      kind text NOT NULL,
      from_state text NOT NULL,
      to_state text NOT NULL,
      reason text NOT NULL,
      actor text NOT NULL,
      trace text NOT NULL,
      at timestamptz NOT NULL,
      PRIMARY KEY (tenant_id, app, number),
      FOREIGN KEY (tenant_id, app) REFERENCES sessions (tenant_id, app) ON DELETE CASCADE
    )`,
    // As it was found, for whoever wants to know what became of it.
    `CREATE TABLE vault_quarantine (
      tenant_id text NOT NULL REFERENCES tenants,
      id bigint GENERATED ALWAYS AS IDENTITY,
      kind text NOT NULL,
      alias text NOT NULL,
      sealed bytea NOT NULL,
      set_aside_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, id)
    )`,
    ...["sessions", "session_transitions", "vault_quarantine"].flatMap(secured)
  ]) {
    yield* sql.unsafe(statement)
  }
})
