/** A process inside a test's own that can be killed: what is under way is cut, and nothing of it goes on. */
import { Deferred, Effect } from "effect"
import { TenantScope } from "../../src/store/TenantScope.ts"

export type ProcessIO = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Until `dead`: then it is broken off, and whoever waits for it waits for ever. */
export const mortal =
  (dead: Deferred.Deferred<void>, io: ProcessIO): ProcessIO =>
  (effect) =>
    Effect.flatMap(
      Effect.raceFirst(
        Effect.exit(Effect.interruptible(io(effect))),
        Effect.as(Deferred.await(dead), undefined)
      ),
      (exit) =>
        Effect.flatMap(Deferred.isDone(dead), (gone) => (gone || exit === undefined ? Effect.never : exit))
    )

export const scopeThrough = (scope: TenantScope["Service"], io: ProcessIO) =>
  TenantScope.of({ ...scope, transaction: (tenant, body) => io(scope.transaction(tenant, body)) })
