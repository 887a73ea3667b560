/** Answers for tenants: what `Tenants` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { TenantId } from "../../domain/Ids.ts"
import { Tenants } from "../../store/Tenants.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { conflict, invalid, missing } from "./Refusals.ts"

/** Who the audit says it was: the API knows nobody but the holder of its token. */
export const actor = "admin"

/** The tenant there is; for what would otherwise answer for one that is not there as for an empty one. */
export const lookUp = Effect.map(
  Tenants,
  ({ get }) =>
    (tenant: TenantId) =>
      get(tenant).pipe(Effect.catchTag("TenantUnknown", missing), Effect.catchTag("SqlError", databaseAway))
)

export const tenantsHandlers = HttpApiBuilder.group(
  AdminApi,
  "tenants",
  Effect.fn(function* (handlers) {
    const tenants = yield* Tenants
    const existing = yield* lookUp
    return handlers.handleAll({
      list: () => tenants.list.pipe(Effect.catchTag("SqlError", databaseAway)),
      add: ({ payload: { tenant, name } }) =>
        tenants
          .add({ id: tenant, ...(name === undefined ? {} : { name }) }, actor)
          .pipe(
            Effect.catchTag("TenantInvalid", invalid("payload.tenant")),
            Effect.catchTag(["TenantExists", "TenantRemoved"], conflict),
            Effect.catchTag("SqlError", databaseAway)
          ),
      get: ({ params }) => existing(params.tenant),
      disable: ({ params }) =>
        tenants
          .disable(params.tenant, actor)
          .pipe(Effect.catchTag("TenantUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      enable: ({ params }) =>
        tenants
          .enable(params.tenant, actor)
          .pipe(Effect.catchTag("TenantUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      remove: ({ params }) =>
        tenants
          .remove(params.tenant, actor)
          .pipe(
            Effect.catchTag("TenantUnknown", missing),
            Effect.catchTag("TenantPermanent", conflict),
            Effect.catchTag("SqlError", databaseAway)
          )
    })
  })
)
