/**
 * Numbers that only grow, one for each time a lock is acquired, from a committed row: the database survives what
 * makes a lock's own store forget. A resource keeps the highest it has accepted and refuses those below.
 */
import { Context, Effect, Layer, Metric, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type LockKey, lockName } from "./Locks.ts"
import { fencesRejected } from "./metrics.ts"

/** A newer holder has written to the resource; nothing of this transaction may be kept. */
export class FenceStale extends Schema.TaggedError<FenceStale>()("FenceStale", {
  resource: Schema.String,
  fence: Schema.Number
}) {
  override get message() {
    return `${this.resource} has accepted a newer owner than the one with fence ${this.fence}; this one must stop`
  }
}

export class Fences extends Context.Service<
  Fences,
  {
    /** The next fence of a lock, committed. Not from inside a transaction: it would be taken back with it. */
    readonly next: (key: LockKey) => Effect.Effect<number, SqlError.SqlError>
  }
>()("zapiska/lock/Fences") {
  static readonly layer: Layer.Layer<Fences, never, TenantScope> = Layer.effect(
    this,
    Effect.map(TenantScope, (scope) =>
      Fences.of({
        next: Effect.fn("Fences.next")(function* (key) {
          if (yield* scope.entered)
            return yield* Effect.die(
              new Error(`the lease on ${lockName(key)} must be taken before a transaction`)
            )
          const [row] = yield* scope.transaction(
            key.tenant,
            (sql) => sql<{ readonly fence: string }>`
              INSERT INTO lock_fences AS f (tenant_id, name, fence) VALUES (${key.tenant}, ${key.name}, 1)
              ON CONFLICT (tenant_id, name) DO UPDATE SET fence = f.fence + 1
              RETURNING fence::text AS fence`
          )
          return Number(row!.fence)
        })
      })
    )
  )
}

/**
 * Lets the transaction go on only with a fence that is not below the highest accepted for `resource`, and makes
 * it the highest: then no transaction of an older owner is under way any more, and none comes after.
 */
export const accept = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  resource: string,
  fence: number
) {
  const [answer] = yield* sql<{ readonly accepted: boolean }>`
    SELECT accept_fence(${tenant}, ${resource}, ${fence}::bigint) AS accepted`
  if (answer?.accepted) return
  yield* Metric.update(fencesRejected, 1)
  return yield* new FenceStale({ resource, fence })
})
