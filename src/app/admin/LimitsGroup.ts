/** What the admin API does with how much a tenant may send and store. */
import { Schema, Struct } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { TenantLimits } from "../../domain/TenantLimits.ts"
import { Missing } from "./Refusals.ts"

const params = { tenant: TenantId }
const path = "/tenants/:tenant/limits"

/** Its own, and the installation's. */
export const LimitsView = Schema.Struct({ ...TenantLimits.fields, defaults: TenantLimits })
export type LimitsView = typeof LimitsView.Type

export class LimitsGroup extends HttpApiGroup.make("limits")
  .add(
    HttpApiEndpoint.get("get", path, { params, success: LimitsView, error: Missing }).annotateMerge(
      OpenApi.annotations({
        summary: "The limits of a tenant",
        description:
          "Messages a minute and a day, for one person and for all of the tenant, and the bytes it stores. Null: the default of the installation; among the defaults: no limit"
      })
    ),
    HttpApiEndpoint.patch("set", path, {
      params,
      payload: TenantLimits.mapFields(Struct.map(Schema.optionalKey)),
      success: LimitsView,
      error: Missing
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change limits of a tenant",
        description:
          "Those that are given; null takes one back to the default. They hold at once, on every replica"
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ description: "How much a tenant may send and store" })) {}
