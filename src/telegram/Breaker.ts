/** The circuit breaker of each bot: while Telegram fails, nothing is sent but one probe now and then. */
import { Clock, Duration, Effect, Exit, Metric, Schedule, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { type BotKey, CircuitOpen, FileUnreadable } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { CallFailed } from "./GrammyApi.ts"
import { breakerNextTry, breakerTransitions } from "./metrics.ts"
import { isOutage } from "./Outcome.ts"

/** While the one probe is under way, in milliseconds. */
const probing = 1_000

const report = Effect.fnUntraced(function* (transition: CircuitBreaker.Transition) {
  const { key, to } = transition
  yield* Metric.update(Metric.withAttributes(breakerTransitions, { to: to.toLowerCase() }), 1)
  if (transition.to !== "Open") {
    if (to === "Closed") yield* Metric.update(breakerNextTry, 0)
    return yield* Effect.logInfo(
      to === "Closed" ? `Telegram answers bot ${key} again` : `Bot ${key} tries Telegram with one call`
    )
  }
  const at = (yield* Clock.currentTimeMillis) + Duration.toMillis(transition.retryAfter)
  yield* Metric.update(breakerNextTry, Math.ceil(at / 1_000))
  yield* Effect.logWarning(
    `Telegram keeps failing: bot ${key} sends nothing until ${new Date(at).toISOString()}, then tries again`
  )
})

/** Refusals, 429 and interruption say nothing against Telegram's health, a file of ours nothing about it. */
const classify = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.Outcome => {
  const errors = Exit.isSuccess(exit)
    ? []
    : exit.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))
  if (errors.some((error) => error instanceof CallFailed && isOutage(error.outcome)))
    return CircuitBreaker.failure()
  return errors.some((error) => error instanceof FileUnreadable)
    ? CircuitBreaker.ignored
    : CircuitBreaker.success
}

/** Runs an attempt of the bot, or fails with `CircuitOpen` at once. */
export const makeBreaker = Effect.gen(function* () {
  // A quiet bot makes few calls: ten are enough to judge, and half of them failing is an outage.
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.rate({ threshold: 0.5, size: 20, minimumCalls: 10 }),
    openDuration: Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
  })
  yield* breaker.transitions.pipe(Stream.runForEach(report), Effect.forkScoped({ startImmediately: true }))

  return (bot: BotKey, method: string) =>
    <A, E, R>(attempt: Effect.Effect<A, E, R>) =>
      breaker.execute(attempt, { key: botName(bot), classify }).pipe(
        Effect.catchIf(
          (error): error is CircuitBreaker.CircuitBreakerError =>
            error instanceof CircuitBreaker.CircuitBreakerError,
          ({ reason }) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              const wait = reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : probing
              return Effect.fail(new CircuitOpen({ method, until: Math.ceil(now + wait) }))
            })
        )
      )
})
