/** What makes this process ready to be given work: its database answers. Of its bots the fleet tells. */
import { Effect, Layer } from "effect"
import { defaultTenant } from "../domain/Ids.ts"
import { Health, NotReady } from "../ops/Health.ts"
import { TenantScope } from "../store/TenantScope.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const health = yield* Health
    const scope = yield* TenantScope
    yield* health.register(
      "database",
      scope
        .transaction(defaultTenant, (sql) => sql`SELECT 1`)
        .pipe(
          Effect.asVoid,
          Effect.catchTag("SqlError", (error) => Effect.fail(new NotReady({ reason: error.message })))
        )
    )
  })
)
