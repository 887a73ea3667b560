/** Answers for the keys under which secrets rest. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Vault } from "../../session/Vault.ts"
import { Audit } from "../../store/Audit.ts"
import { TenantScope } from "../../store/TenantScope.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { conflict } from "./Refusals.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

export const secretsHandlers = HttpApiBuilder.group(
  AdminApi,
  "secrets",
  Effect.fn(function* (handlers) {
    const audit = yield* Audit
    const scope = yield* TenantScope
    const vault = yield* Vault
    const existing = yield* lookUp
    return handlers.handleAll({
      rotate: ({ params: { tenant } }) =>
        Effect.andThen(
          existing(tenant),
          scope.transaction(tenant, () =>
            Effect.tap(vault.rotate(tenant), (sealed) =>
              audit.record({ tenant, actor, action: "secrets.rotated", subject: tenant, details: { sealed } })
            )
          )
        ).pipe(
          Effect.map((sealed) => ({ tenant, sealed })),
          Effect.catchTag("SecretUnreadable", conflict),
          Effect.catchTag("SqlError", databaseAway)
        )
    })
  })
)
