/** Answers for the record of changes. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Audit } from "../../store/Audit.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"

export const auditHandlers = HttpApiBuilder.group(
  AdminApi,
  "audit",
  Effect.fn(function* (handlers) {
    const audit = yield* Audit
    return handlers.handleAll({
      list: ({ params, query }) =>
        audit.list(params.tenant, query.before).pipe(Effect.catchTag("SqlError", databaseAway))
    })
  })
)
