/** What makes this process ready to be given work: its database answers and its bots hear Telegram. */
import { Effect, Layer, Option } from "effect"
import { defaultTenant } from "../domain/Ids.ts"
import { Health, NotReady } from "../ops/Health.ts"
import { BotRunner } from "../session/BotRunner.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { Bots, botName } from "../telegram/Bots.ts"
import { Intake } from "../telegram/Intake.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const health = yield* Health
    const scope = yield* TenantScope
    const bots = yield* Bots
    const intake = yield* Intake
    const runner = yield* BotRunner

    yield* health.register(
      "database",
      scope
        .transaction(defaultTenant, (sql) => sql`SELECT 1`)
        .pipe(
          Effect.asVoid,
          Effect.catchTag("SqlError", (error) => Effect.fail(new NotReady({ reason: error.message })))
        )
    )
    for (const bot of yield* bots.list) {
      yield* health.register(
        `telegram/${botName(bot)}`,
        Effect.gen(function* () {
          const refusal = yield* runner.refusal(bot)
          if (Option.isSome(refusal)) return yield* new NotReady({ reason: refusal.value.message })
          return yield* intake.health(bot)
        })
      )
    }
  })
)
