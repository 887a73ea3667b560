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
  // Owners that write under the fence that is known share a lock and write nothing here; a newer one waits until none
  // of them is in a transaction any more, and only then becomes known.
  yield* sql.unsafe(`CREATE FUNCTION accept_fence(of_tenant text, of_resource text, given bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
      lock_id bigint := hashtextextended(of_tenant || '/' || of_resource, 7316220902);
      known bigint;
    BEGIN
      SELECT fence INTO known FROM resource_fences WHERE tenant_id = of_tenant AND resource = of_resource;
      IF known = given THEN
        PERFORM pg_advisory_xact_lock_shared(lock_id);
        SELECT fence INTO known FROM resource_fences WHERE tenant_id = of_tenant AND resource = of_resource;
        RETURN known = given;
      END IF;
      IF known > given THEN RETURN false; END IF;
      PERFORM pg_advisory_xact_lock(lock_id);
      INSERT INTO resource_fences AS r (tenant_id, resource, fence) VALUES (of_tenant, of_resource, given)
      ON CONFLICT (tenant_id, resource) DO UPDATE SET fence = EXCLUDED.fence WHERE r.fence <= EXCLUDED.fence;
      RETURN FOUND;
    END $$`)
  for (const statement of ["lock_fences", "resource_fences"].flatMap(secured)) yield* sql.unsafe(statement)
})
