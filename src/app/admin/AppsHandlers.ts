/** Answers for the bots of tenants: what `Apps` does, in the name of who holds the bearer. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Apps } from "../../session/Apps.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { conflict, invalid, missing } from "./Refusals.ts"
import { actor } from "./TenantsHandlers.ts"

const token = "payload.token"

export const appsHandlers = HttpApiBuilder.group(
  AdminApi,
  "apps",
  Effect.fn(function* (handlers) {
    const apps = yield* Apps
    return handlers.handleAll({
      list: ({ params }) =>
        apps
          .list(params.tenant)
          .pipe(Effect.catchTag("TenantUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      add: ({ params: { tenant }, payload }) =>
        apps
          .add({ tenant, ...payload }, actor)
          .pipe(
            Effect.catchTag("AppInvalid", invalid("payload.app")),
            Effect.catchTag(["TokenMalformed", "TokenRefused"], invalid(token)),
            Effect.catchTag("SecretUnknown", invalid("payload.alias")),
            Effect.catchTag("TenantUnknown", missing),
            Effect.catchTag(["AppExists", "AliasTaken", "BotTaken", "SecretUnreadable"], conflict),
            Effect.catchTag("SqlError", databaseAway)
          ),
      rotate: ({ params, payload }) =>
        apps
          .rotate(params, payload.token, actor)
          .pipe(
            Effect.catchTag(["TokenMalformed", "TokenRefused"], invalid(token)),
            Effect.catchTag("AppUnknown", missing),
            Effect.catchTag(["TokenOfAnotherBot", "SecretUnreadable"], conflict),
            Effect.catchTag("SqlError", databaseAway)
          ),
      disable: ({ params }) =>
        apps
          .disable(params, actor)
          .pipe(Effect.catchTag("AppUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      enable: ({ params }) =>
        apps
          .enable(params, actor)
          .pipe(Effect.catchTag("AppUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
      remove: ({ params }) =>
        apps
          .remove(params, actor)
          .pipe(Effect.catchTag("AppUnknown", missing), Effect.catchTag("SqlError", databaseAway))
    })
  })
)
