/** Fences: the last one given out for each lock, and the highest each resource has accepted. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql.unsafe(`CREATE TABLE lock_fences (
    tenant_id text NOT NULL REFERENCES tenants,
    name text NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (tenant_id, name)
  )`)
  yield* sql.unsafe(`CREATE TABLE resource_fences (
    tenant_id text NOT NULL REFERENCES tenants,
    resource text NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (tenant_id, resource)
  )`)
  for (const statement of ["lock_fences", "resource_fences"].flatMap(secured)) yield* sql.unsafe(statement)
})
