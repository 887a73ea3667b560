/**
 * The only way to the domain tables: a transaction of the runtime role with the tenant set as its first
 * statement, so that row-level security answers for what a query forgets.
 */
import { Context, type Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"

export class TenantScope extends Context.Service<
  TenantScope,
  {
    /**
     * Runs `body` in a transaction of `tenant`. Called inside a transaction of the same tenant it joins it
     * (no savepoint): the whole commits or nothing. Inside one of another tenant it is a defect.
     */
    readonly transaction: <A, E, R>(
      tenant: TenantId,
      body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | SqlError.SqlError, R>
  }
>()("zapiska/store/TenantScope") {}
