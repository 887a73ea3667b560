/** What the admin API says of messages nobody may have got. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { TenantId } from "../../domain/Ids.ts"
import { page, UndeliveredRow } from "../../telegram/UndeliveredRow.ts"
import { before } from "./Paging.ts"
import { Missing } from "./Refusals.ts"

const description = `The newest ${page} first: where each was going, why it ended and when, never what it says`

export class OutboxGroup extends HttpApiGroup.make("outbox")
  .add(
    HttpApiEndpoint.get("undelivered", "/outbox", {
      query: { before },
      success: Schema.Array(UndeliveredRow)
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Messages of the default tenant that may not have arrived",
        description
      })
    ),
    HttpApiEndpoint.get("undeliveredOf", "/tenants/:tenant/outbox", {
      params: { tenant: TenantId },
      error: Missing,
      query: { before },
      success: Schema.Array(UndeliveredRow)
    }).annotateMerge(
      OpenApi.annotations({ summary: "Messages of a tenant that may not have arrived", description })
    )
  )
  .annotateMerge(
    OpenApi.annotations({ description: "Messages whose fate is unknown, and those that were given up" })
  ) {}
