/** Answers for messages that may not have arrived. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { defaultTenant, type TenantId } from "../../domain/Ids.ts"
import { Scrubber } from "../../ops/Scrub.ts"
import { Undelivered } from "../../telegram/Undelivered.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { lookUp } from "./TenantsHandlers.ts"

export const outboxHandlers = HttpApiBuilder.group(
  AdminApi,
  "outbox",
  Effect.fn(function* (handlers) {
    const undelivered = yield* Undelivered
    const scrubber = yield* Scrubber
    const list = (tenant: TenantId, before: number | undefined) =>
      undelivered.list(tenant, before).pipe(
        Effect.map((rows) => rows.map((row) => ({ ...row, reason: scrubber.text(row.reason) }))),
        Effect.catchTag("SqlError", databaseAway)
      )
    const existing = yield* lookUp
    return handlers.handleAll({
      undelivered: ({ query }) => list(defaultTenant, query.before),
      undeliveredOf: ({ params, query }) =>
        Effect.andThen(existing(params.tenant), list(params.tenant, query.before))
    })
  })
)
