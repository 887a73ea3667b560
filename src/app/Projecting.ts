/**
 * The git copies of a tenant are kept in one process of the world at a time: the one it falls to among those that
 * live. One lease for all knowledge bases of a tenant: mostly it has one, and a lease is renewed every five seconds.
 */
import { Effect } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { Locks } from "../lock/Locks.ts"
import { everAgain, inTurn } from "../session/Replicas.ts"

/** Until interrupted; fails when they cannot be kept, and is then to be started again. */
export const keep = Effect.fnUntraced(function* (tenant: TenantId) {
  const locks = yield* Locks
  const { follow } = yield* GitProjection
  const lease = { tenant, name: "projection" }
  return yield* everAgain(
    inTurn(`projection/${tenant}`, {
      ifFree: locks.tryLease(lease)(follow(tenant)),
      inLine: locks.withLease(lease)(follow(tenant))
    })
  )
})
