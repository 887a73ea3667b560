/** The lease on a bot is named after the bot itself, whatever app it is: its fences go on above all it has had. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What is owned by all tenants is seen by its owner only without row-level security. */
const tables = ["lock_fences", "resource_fences"]

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    ...tables.map((table) => `ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`),
    // Far above: a replica of the version before may still draw fences by the name of the app, and is to give way.
    `INSERT INTO lock_fences (tenant_id, name, fence)
      SELECT tenant_id, 'bot/' || substr(resource, 8), fence + 1000000 FROM resource_fences
      WHERE resource LIKE 'outbox/%'
      ON CONFLICT (tenant_id, name) DO UPDATE SET fence = GREATEST(lock_fences.fence, EXCLUDED.fence)`,
    ...tables.map((table) => `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`)
  ]) {
    yield* sql.unsafe(statement)
  }
})
