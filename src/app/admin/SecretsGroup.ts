/** What the admin API does with the keys under which secrets rest. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { Conflict, Missing } from "./Refusals.ts"

export class SecretsGroup extends HttpApiGroup.make("secrets")
  .add(
    HttpApiEndpoint.post("rotate", "/tenants/:tenant/secrets/rotate", {
      params: { tenant: TenantId },
      success: Schema.Struct({
        tenant: TenantId,
        sealed: Schema.Int.annotate({ description: "How many secrets were sealed anew" })
      }),
      error: [Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Seal all secrets of a tenant under a new key",
        description:
          "At once: whoever reads one meanwhile gets it. The old key is forgotten. SECRETS_KEY, which seals the keys themselves, stays as it is"
      })
    )
  )
  .annotateMerge(
    OpenApi.annotations({ description: "The keys that seal bot tokens and other credentials" })
  ) {}
