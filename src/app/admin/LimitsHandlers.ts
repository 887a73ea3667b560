/** Answers for the limits of tenants: what `Limits` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Limits } from "../../telegram/Limits.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

export const limitsHandlers = HttpApiBuilder.group(
  AdminApi,
  "limits",
  Effect.fn(function* (handlers) {
    const limits = yield* Limits
    const existing = yield* lookUp
    return handlers.handleAll({
      get: ({ params: { tenant } }) =>
        existing(tenant).pipe(Effect.andThen(limits.get(tenant)), Effect.catchTag("SqlError", databaseAway)),
      set: ({ params: { tenant }, payload }) =>
        existing(tenant).pipe(
          Effect.andThen(limits.set(tenant, payload, actor)),
          Effect.catchTag("SqlError", databaseAway)
        )
    })
  })
)
