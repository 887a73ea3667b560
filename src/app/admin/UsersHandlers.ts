/** Answers for the people of tenants: what `Members` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Members } from "../../telegram/Members.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { conflict, missing } from "./Refusals.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

export const usersHandlers = HttpApiBuilder.group(
  AdminApi,
  "users",
  Effect.fn(function* (handlers) {
    const members = yield* Members
    const existing = yield* lookUp
    return handlers.handleAll({
      list: ({ params: { tenant } }) =>
        existing(tenant).pipe(
          Effect.andThen(members.list(tenant)),
          Effect.catchTag("SqlError", databaseAway)
        ),
      add: ({ params: { tenant }, payload }) =>
        existing(tenant).pipe(
          Effect.andThen(members.add(tenant, payload, actor)),
          Effect.catchTag("MemberExists", conflict),
          Effect.catchTag("TenantUnknown", missing),
          Effect.catchTag("SqlError", databaseAway)
        ),
      setRole: ({ params: { tenant, user }, payload: { role } }) =>
        members
          .setRole(tenant, user, role, actor)
          .pipe(
            Effect.catchTag("MemberUnknown", missing),
            Effect.catchTag("LastOwner", conflict),
            Effect.catchTag("SqlError", databaseAway)
          ),
      remove: ({ params: { tenant, user } }) =>
        members
          .remove(tenant, user, actor)
          .pipe(
            Effect.catchTag("MemberUnknown", missing),
            Effect.catchTag("LastOwner", conflict),
            Effect.catchTag("SqlError", databaseAway)
          )
    })
  })
)
