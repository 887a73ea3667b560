/** Answers for the limits of tenants: what `Limits` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { TenantLimits } from "../../domain/TenantLimits.ts"
import { Limits } from "../../telegram/Limits.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import type { LimitsView } from "./LimitsGroup.ts"
import { missing } from "./Refusals.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

export const limitsHandlers = HttpApiBuilder.group(
  AdminApi,
  "limits",
  Effect.fn(function* (handlers) {
    const limits = yield* Limits
    const existing = yield* lookUp
    const shown = (own: TenantLimits): Effect.Effect<LimitsView> =>
      Effect.map(limits.defaults, (defaults) => ({ ...own, defaults }))
    return handlers.handleAll({
      get: ({ params: { tenant } }) =>
        existing(tenant).pipe(
          Effect.andThen(limits.get(tenant)),
          Effect.flatMap(shown),
          Effect.catchTag("SqlError", databaseAway)
        ),
      set: ({ params: { tenant }, payload }) =>
        existing(tenant).pipe(
          Effect.andThen(limits.set(tenant, payload, actor)),
          Effect.flatMap(shown),
          Effect.catchTag("TenantUnknown", missing),
          Effect.catchTag("SqlError", databaseAway)
        )
    })
  })
)
