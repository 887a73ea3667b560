/**
 * Where the database is and how its owner logs in: the embedded server's, or the one `DATABASE_URL` names.
 * Only this room opens connections with it.
 */
import type { PgClient } from "@effect/sql-pg"
import { Context, Layer, type Redacted } from "effect"

/** What every connection of ours has in common: the server and the database, with a login. */
export type Connection = Pick<
  PgClient.PgClientConfig,
  "url" | "host" | "port" | "database" | "username" | "password"
>

export class DatabaseOwner extends Context.Service<
  DatabaseOwner,
  {
    readonly connection: Connection
  }
>()("zapiska/store/DatabaseOwner") {
  /** A server somebody else runs. The URL's user owns the database, or at least may create schemas in it. */
  static readonly layerUrl = (url: Redacted.Redacted) =>
    Layer.succeed(DatabaseOwner, DatabaseOwner.of({ connection: { url } }))
}
