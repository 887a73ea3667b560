/** Links that let a person log their own account in, in a browser. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    // Of what is in the link only its digest, and of what the browser that opened it was given: whoever reads the
    // database can use neither. `expires_at`: until then it can be opened, and once it was, gone on with.
    `CREATE TABLE login_links (
      tenant_id text NOT NULL,
      digest bytea NOT NULL,
      app text NOT NULL,
      actor text NOT NULL,
      expires_at timestamptz NOT NULL,
      ticket bytea,
      PRIMARY KEY (tenant_id, digest),
      FOREIGN KEY (tenant_id, app) REFERENCES sessions (tenant_id, app) ON DELETE CASCADE
    )`,
    ...secured("login_links")
  ]) {
    yield* sql.unsafe(statement)
  }
})
