/**
 * How a call to the Bot API is made well: the pace before it, one layer of retries around it, the circuit
 * breaker inside them, and the outcome of it turned into what callers of the port understand.
 */
import { Clock, Duration, Effect, Exit, Metric, Random, Schedule, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import type { ChatId } from "../domain/Ids.ts"
import { adapted } from "./BotPayload.ts"
import {
  Ambiguous,
  type BotKey,
  type BotPortError,
  CircuitOpen,
  Dispatched,
  Migrated,
  RateLimited,
  Refused,
  TargetGone,
  Unauthorized,
  Unavailable,
  Unreachable
} from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { CallFailed, GrammyApi, type Method, type PayloadOf, type ResultOf } from "./GrammyApi.ts"
import { breakerTransitions } from "./metrics.ts"
import { isOutage, type Outcome } from "./Outcome.ts"
import { Pacer } from "./Pacer.ts"
import type { Upload } from "./Upload.ts"

/** Longer waits belong into the store, not into a sleeping fiber. */
const longestWait = Duration.seconds(5)

export interface CallsOptions {
  /** How long an answer may take. A message that waits longer counts as perhaps sent. */
  readonly timeout: Duration.Input
}

const mayRetry = (error: unknown, attempt: number): boolean => {
  if (!(error instanceof CallFailed)) return false
  const { outcome } = error
  if (outcome._tag === "Retry") return attempt <= outcome.limit
  return outcome._tag === "Wait" && attempt <= 3 && outcome.seconds <= Duration.toSeconds(longestWait)
}

/** Full jitter under an exponential ceiling from 500 ms to 30 s; `retry_after` is a floor. */
export const retrying = Schedule.min([
  Schedule.exponential("500 millis"),
  Schedule.spaced("30 seconds")
]).pipe(
  Schedule.setInputType<unknown>(),
  Schedule.while(({ input, attempt }) => mayRetry(input, attempt)),
  Schedule.modifyDelay(({ input, duration }) =>
    Effect.map(Random.nextBetween(0, Duration.toMillis(duration)), (jittered) =>
      input instanceof CallFailed && input.outcome._tag === "Wait"
        ? Duration.millis(input.outcome.seconds * 1_000 + jittered)
        : Duration.millis(jittered)
    )
  )
)

/** How a call stands to the pace: it takes a place, only keeps out of parks, or minds neither. */
export type Pace = "place" | "park" | "free"

export interface Request<M extends Method> {
  readonly bot: BotKey
  readonly chat?: ChatId
  readonly method: M
  readonly payload: PayloadOf<M>
  readonly idempotent: boolean
  readonly pace: Pace
  /** Sent along with the payload. */
  readonly files?: ReadonlyArray<Upload>
  /** What the next call makes worthless waits for nothing and is tried once. */
  readonly urgency?: "progress"
}

export const makeCalls = (options: CallsOptions) =>
  Effect.gen(function* () {
    const api = yield* GrammyApi
    const pacer = yield* Pacer
    // A quiet bot makes few calls: ten are enough to judge, and half of them failing is an outage.
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.rate({ threshold: 0.5, size: 20, minimumCalls: 10 }),
      openDuration: Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
    })
    yield* breaker.transitions.pipe(
      Stream.runForEach(({ key, to }) =>
        Effect.andThen(
          Metric.update(Metric.withAttributes(breakerTransitions, { to: to.toLowerCase() }), 1),
          Effect.logWarning(`The circuit of bot ${key} is now ${to}`)
        )
      ),
      Effect.forkScoped
    )

    /** One attempt. Afterwards it is not in flight, unless its fate is unknown. */
    const attempt = <M extends Method>(
      request: Request<M>
    ): Effect.Effect<ResultOf<M>, CallFailed | BotPortError> =>
      Effect.gen(function* () {
        const { bot, chat, method, payload, idempotent, files = [] } = request
        const dispatched = yield* Dispatched
        if (chat !== undefined && request.pace !== "free") {
          const until = yield* pacer.parkedUntil(bot, chat)
          const left = until - (yield* Clock.currentTimeMillis)
          // Who took a place here waited for it, and waits for the rest of a short park, too.
          const waits = request.pace === "place" && request.urgency !== "progress" && dispatched === undefined
          if (left > (waits ? Duration.toMillis(longestWait) : 0))
            return yield* new RateLimited({ method, until })
          if (left > 0) yield* Effect.sleep(left)
        }
        const flying = (inFlight: boolean) =>
          Effect.sync(() => {
            if (dispatched !== undefined) dispatched.inFlight = inFlight
          })
        yield* flying(true)
        return yield* api.call(bot, method, payload, { idempotent, timeout: options.timeout, files }).pipe(
          breaker.execute({
            key: botName(bot),
            classify: (exit) =>
              Exit.isFailure(exit) &&
              exit.cause.reasons.some(
                (reason) =>
                  reason._tag === "Fail" &&
                  reason.error instanceof CallFailed &&
                  isOutage(reason.error.outcome)
              )
                ? CircuitBreaker.failure()
                : CircuitBreaker.success
          }),
          Effect.catchTag("CircuitBreakerError", ({ reason }) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              Effect.fail(
                new CircuitOpen({
                  method,
                  until:
                    now +
                    (reason._tag === "CircuitOpen" ? Math.ceil(Duration.toMillis(reason.retryAfter)) : 1_000)
                })
              )
            )
          ),
          Effect.tapError((error) =>
            error._tag === "CallFailed" && error.outcome._tag === "Unknown" ? Effect.void : flying(false)
          )
        )
      })

    const failure = (request: Request<Method>, outcome: Outcome): Effect.Effect<never, BotPortError> => {
      const { bot, chat, method } = request
      switch (outcome._tag) {
        case "Wait":
          return Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const until =
              chat === undefined ? now + outcome.seconds * 1_000 : yield* pacer.parkedUntil(bot, chat)
            return yield* new RateLimited({ method, until: Math.ceil(until) })
          })
        case "Retry":
          return Effect.fail(new Unavailable({ method, reason: outcome.reason }))
        case "Unknown":
          return Effect.fail(new Ambiguous({ method, reason: outcome.reason }))
        case "Migrated":
          return Effect.fail(new Migrated({ method, to: outcome.to }))
        case "TargetGone":
          return Effect.fail(new TargetGone({ method, reason: outcome.reason }))
        case "Unreachable":
          return Effect.fail(
            new Unreachable({ method, reason: outcome.reason, ...(chat === undefined ? {} : { chat }) })
          )
        case "Unauthorized":
          return Effect.fail(new Unauthorized({ method }))
        case "Refused":
          return Effect.fail(new Refused({ method, code: outcome.code, reason: outcome.reason }))
        case "TooLarge":
          return Effect.fail(new Refused({ method, code: 413, reason: outcome.reason }))
        case "FileExpired":
          return Effect.fail(new Refused({ method, code: 404, reason: outcome.reason }))
        case "Conflict":
          return Effect.fail(new Refused({ method, code: 409, reason: `another ${outcome.by} is active` }))
        case "PlainText":
        case "WithoutThread":
        case "WithoutReply":
          return Effect.fail(new Refused({ method, code: 400, reason: outcome.reason }))
        case "Done":
          return Effect.die(new Error(`${method} said it is already done, but a result is needed`))
      }
    }

    /** Parks the chat as soon as Telegram asks, so that nobody else runs into the same wall. */
    const noteWait = (request: Request<Method>, error: CallFailed | BotPortError) =>
      error instanceof CallFailed && error.outcome._tag === "Wait" && request.chat !== undefined
        ? Effect.asVoid(pacer.park(request.bot, request.chat, error.outcome.seconds))
        : Effect.void

    const place = Effect.fnUntraced(function* (request: Request<Method>) {
      if (request.pace !== "place" || request.chat === undefined) return
      if ((yield* Dispatched) !== undefined) return
      const patience = request.urgency === "progress" ? Duration.zero : longestWait
      const taken = yield* pacer.wait(request.bot, request.chat, "reply", patience)
      if (taken._tag === "Later") return yield* new RateLimited({ method: request.method, until: taken.at })
    })

    /** `fallback` answers when Telegram says it is already as asked. */
    const run = <M extends Method>(
      request: Request<M>,
      fallback: (outcome: Outcome) => Effect.Effect<ResultOf<M>, BotPortError>
    ): Effect.Effect<ResultOf<M>, BotPortError> =>
      attempt(request).pipe(
        Effect.tapError((error) => noteWait(request, error)),
        (attempted) => (request.urgency === "progress" ? attempted : Effect.retry(attempted, retrying)),
        Effect.catchTag("CallFailed", ({ outcome }) => {
          const payload = adapted(outcome, request.payload)
          return payload === undefined ? fallback(outcome) : run({ ...request, payload }, fallback)
        })
      )

    const call = <M extends Method>(request: Request<M>) =>
      Effect.andThen(
        place(request),
        run(request, (outcome) => failure(request, outcome))
      )
    const ensure = <M extends Method>(request: Request<M>) =>
      Effect.asVoid(
        Effect.andThen(
          place(request),
          run<Method>(request, (outcome) =>
            outcome._tag === "Done" ? Effect.succeed(true) : failure(request, outcome)
          )
        )
      )
    return { api, call, ensure }
  })
