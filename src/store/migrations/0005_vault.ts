/** Sealed secrets, and the sealed keys they are sealed with. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql.unsafe(`CREATE TABLE vault_keys (
    tenant_id text NOT NULL REFERENCES tenants,
    id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
  )`)
  yield* sql.unsafe(`CREATE TABLE vault_secrets (
    tenant_id text NOT NULL REFERENCES tenants,
    kind text NOT NULL,
    alias text NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, alias)
  )`)
  for (const statement of ["vault_keys", "vault_secrets"].flatMap(secured)) yield* sql.unsafe(statement)
})
