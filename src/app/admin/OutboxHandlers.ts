/** Answers for messages that may not have arrived. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { defaultTenant, type TenantId } from "../../domain/Ids.ts"
import { Scrubber } from "../../ops/Scrub.ts"
import { Undelivered } from "../../telegram/Undelivered.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"

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
    return handlers.handleAll({
      undelivered: ({ query }) => list(defaultTenant, query.before),
      undeliveredOf: ({ params, query }) => list(params.tenant, query.before)
    })
  })
)
