/**
 * By what right a projector publishes: files and refs know nothing of leases, so of several projectors on one
 * repository the newest is told from the others by its fence, in a transaction that is open while the branch moves.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { accept, type FenceStale } from "../../lock/Fences.ts"
import { Lease, type LockLost } from "../../lock/Locks.ts"
import { TenantScope } from "../../store/TenantScope.ts"
import type { KnowledgeBaseKey } from "../RevisionLog.ts"

export interface Authority {
  /** Asked before what cannot compare a fence: files of the working tree, the index. */
  readonly check: Effect.Effect<void, LockLost>
  /**
   * Moves refs while no newer owner can have begun: whoever comes next waits for this transaction, for at most the
   * seconds the database lets it idle. Past those the refs are compared with what they were, and do not move.
   */
  readonly publish: <A, E>(move: Effect.Effect<A, E>) => Effect.Effect<A, E | FenceStale | SqlError.SqlError>
}

/** For a repository that nobody else knows of. */
export const unquestioned: Authority = { check: Effect.void, publish: (move) => move }

export const makeAuthority = Effect.map(TenantScope, (scope) => {
  const authorityOf = (key: KnowledgeBaseKey, { check, fence }: Lease["Service"]): Authority => ({
    check,
    publish: (move) =>
      scope.transaction(key.tenant, (sql) =>
        Effect.andThen(accept(sql, key.tenant, `git/${key.name}`, fence), move)
      )
  })
  return (key: KnowledgeBaseKey) => Effect.map(Lease, (lease) => authorityOf(key, lease))
})
