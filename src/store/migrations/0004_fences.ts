/** Fences: the last one given out for each lock, and the highest each resource has accepted. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

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
  for (const table of ["lock_fences", "resource_fences"]) {
    yield* sql.unsafe(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`)
    yield* sql.unsafe(`ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`)
    yield* sql.unsafe(`CREATE POLICY tenant_isolation ON ${table}
      USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))
      WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))`)
    yield* sql.unsafe(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO zapiska_runtime`)
  }
})
