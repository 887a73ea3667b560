/**
 * The database of the cluster engine: its own role, its own schema, its own pool. The engine makes its tables
 * itself; nothing else may touch them, and it cannot touch the domain's.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"

export class EngineSql extends Context.Service<
  EngineSql,
  {
    readonly client: SqlClient.SqlClient
  }
>()("zapiska/store/EngineSql") {
  /** For the layers of `effect/cluster` only: provide it to them, never to the whole program. */
  static readonly layerSqlClient = Layer.effect(
    SqlClient.SqlClient,
    Effect.map(EngineSql, ({ client }) => client)
  )
}
