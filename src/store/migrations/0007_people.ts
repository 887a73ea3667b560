/** People belong to the tenant, whichever of its bots they write to; they are invited, and have limits. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // Forced on its owner, row-level security would let this see no row, and say nothing.
    `ALTER TABLE members NO FORCE ROW LEVEL SECURITY`,
    // Of what somebody was to several bots the highest role stays. What is not as many rows as people is a mistake.
    `DO $$
    DECLARE
      people bigint := (SELECT count(*) FROM (SELECT DISTINCT tenant_id, user_id FROM members) p);
      merged bigint;
    BEGIN
      UPDATE members m SET language = (
        SELECT o.language FROM members o
        WHERE o.tenant_id = m.tenant_id AND o.user_id = m.user_id AND o.language IS NOT NULL
        ORDER BY o.created_at DESC, o.app LIMIT 1)
      WHERE m.language IS NULL;
      DELETE FROM members m USING (
        SELECT tenant_id, app, user_id, row_number() OVER (
          PARTITION BY tenant_id, user_id
          ORDER BY array_position(ARRAY['owner', 'member', 'reader'], role), created_at, app) AS place
        FROM members) ranked
      WHERE m.tenant_id = ranked.tenant_id AND m.app = ranked.app AND m.user_id = ranked.user_id
        AND ranked.place > 1;
      SELECT count(*) INTO merged FROM members;
      IF merged <> people THEN
        RAISE EXCEPTION '% members became %', people, merged;
      END IF;
    END $$`,
    `ALTER TABLE members DROP CONSTRAINT members_pkey, DROP COLUMN app, ADD PRIMARY KEY (tenant_id, user_id)`,
    `ALTER TABLE members FORCE ROW LEVEL SECURITY`,
    // Of a code only its digest: whoever reads the database cannot use it.
    `CREATE TABLE invites (
      tenant_id text NOT NULL REFERENCES tenants,
      id text NOT NULL,
      digest bytea NOT NULL,
      role text NOT NULL CHECK (role IN ('member', 'reader')),
      uses_left int NOT NULL CHECK (uses_left >= 0),
      expires_at timestamptz NOT NULL,
      created_by text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, id),
      UNIQUE (tenant_id, digest)
    )`,
    // What differs from the defaults of the installation.
    `CREATE TABLE limits (
      tenant_id text NOT NULL PRIMARY KEY REFERENCES tenants,
      user_per_minute int CHECK (user_per_minute > 0),
      user_per_day int CHECK (user_per_day > 0),
      tenant_per_minute int CHECK (tenant_per_minute > 0),
      tenant_per_day int CHECK (tenant_per_day > 0),
      storage_bytes bigint CHECK (storage_bytes > 0)
    )`,
    ...["invites", "limits"].flatMap(secured)
  ]) {
    yield* sql.unsafe(statement)
  }
})
