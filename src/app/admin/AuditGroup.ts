/** What the admin API says of who changed what. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { AuditRow, auditPage } from "../../domain/AuditRow.ts"
import { TenantId } from "../../domain/Ids.ts"
import { before } from "./Paging.ts"

export class AuditGroup extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/tenants/:tenant/audit", {
      params: { tenant: TenantId },
      query: { before },
      success: Schema.Array(AuditRow)
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Who changed what of a tenant, and when",
        description: `The newest ${auditPage} first; also of a tenant that was removed`
      })
    )
  )
  .annotateMerge(
    OpenApi.annotations({
      description: "The record of changes, written with each of them and never rewritten"
    })
  ) {}
