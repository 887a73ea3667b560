/** What makes this process ready to be given work: its database answers and its bots hear Telegram. */
import { Clock, Duration, Effect, Layer, Option } from "effect"
import { defaultTenant } from "../domain/Ids.ts"
import { Health, NotReady } from "../ops/Health.ts"
import { BotRunner } from "../session/BotRunner.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { Bots, botName } from "../telegram/Bots.ts"
import { Intake, pollHold } from "../telegram/Intake.ts"

/** A poll is held open by Telegram for `pollHold`; one answer may be lost on the way. */
const deaf = Duration.times(pollHold, 3)

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const health = yield* Health
    const scope = yield* TenantScope
    const bots = yield* Bots
    const intake = yield* Intake
    const runner = yield* BotRunner
    const started = yield* Clock.currentTimeMillis

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
          const last = Option.getOrElse(yield* intake.lastPoll(bot), () => started)
          const age = (yield* Clock.currentTimeMillis) - last
          if (age > Duration.toMillis(deaf)) {
            return yield* new NotReady({
              reason: `Telegram has not answered a poll for ${Math.round(age / 1000)} s; the log says why`
            })
          }
        })
      )
    }
  })
)
