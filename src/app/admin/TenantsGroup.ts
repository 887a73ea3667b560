/** What the admin API does with tenants. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { RemovedTenant, Tenant } from "../../domain/Tenant.ts"
import { Name } from "./Name.ts"
import { Conflict, Missing } from "./Refusals.ts"

const params = { tenant: TenantId }
const one = { params, success: Tenant, error: Missing }

export class TenantsGroup extends HttpApiGroup.make("tenants")
  .add(
    HttpApiEndpoint.get("list", "/tenants", { success: Schema.Array(Tenant) }).annotateMerge(
      OpenApi.annotations({ summary: "All tenants", description: "In the order of their ids" })
    ),
    HttpApiEndpoint.post("add", "/tenants", {
      payload: Schema.Struct({
        tenant: TenantId,
        name: Schema.optionalKey(Name).annotateKey({
          description: "What people call it; by default its id"
        })
      }),
      success: Tenant.pipe(HttpApiSchema.status(201)),
      error: Conflict
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add a tenant",
        description: "The id of a tenant that was removed is not given again"
      })
    ),
    HttpApiEndpoint.get("get", "/tenants/:tenant", one).annotateMerge(
      OpenApi.annotations({ summary: "One tenant" })
    ),
    HttpApiEndpoint.post("disable", "/tenants/:tenant/disable", one).annotateMerge(
      OpenApi.annotations({
        summary: "Disable a tenant",
        description: "Its bots fall silent and what they have not handled waits. Nothing of it is deleted"
      })
    ),
    HttpApiEndpoint.post("enable", "/tenants/:tenant/enable", one).annotateMerge(
      OpenApi.annotations({ summary: "Enable a tenant again" })
    ),
    HttpApiEndpoint.delete("remove", "/tenants/:tenant", {
      params,
      success: RemovedTenant,
      error: [Missing, Conflict]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a tenant with everything it has",
        description:
          "Its notes, people, bots and secrets, in the database and on the disk. It cannot be undone. What was done to it stays in the audit"
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ description: "Who the installation serves" })) {}
