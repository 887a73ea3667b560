/**
 * For whom work that is stored is still done. Of a tenant that is disabled it waits where it is stored, over restarts,
 * until the tenant is enabled again; of one that was removed nobody waits for it, and it is done as it is.
 */
import { Cause, Effect, Stream } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import { Directory } from "../store/Directory.ts"
import { outlasting } from "./Persistently.ts"

/** Ends when the tenant is not disabled (any more): whether it is there. */
export const served = Effect.fnUntraced(function* (tenant: TenantId) {
  const directory = yield* Directory
  while (true) {
    const standing = yield* outlasting(
      `Asking whether ${tenant} is served`,
      Effect.suspend(() => directory.standing(tenant))
    )
    if (standing !== "disabled") return standing === "enabled"
    yield* directory.changes.pipe(
      Stream.filter(({ tenants }) => tenants.get(tenant) !== "disabled"),
      Stream.runHead
    )
  }
})

/** What fails for the reason that there is no such tenant any more is done. */
export const unlessRemoved = <E, R>(
  tenant: TenantId,
  effect: Effect.Effect<void, E, R>
): Effect.Effect<void, E, R | Directory> =>
  Effect.catchCause(effect, (cause: Cause.Cause<E>) =>
    Effect.gen(function* () {
      if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
      const directory = yield* Directory
      const standing = yield* Effect.orElseSucceed(directory.standing(tenant), () => "enabled" as const)
      if (standing !== "unknown") return yield* Effect.failCause(cause)
      yield* Effect.logInfo("Something of a tenant that was removed is left undone").pipe(
        Effect.annotateLogs({ tenant })
      )
    })
  )
