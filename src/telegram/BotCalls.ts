/**
 * How a call to the Bot API is made well: the pace before it, one layer of retries around it, the circuit
 * breaker inside them, and the outcome of it turned into what callers of the port understand.
 */
import { Clock, Duration, Effect, Random, Schedule } from "effect"
import type { ChatId } from "../domain/Ids.ts"
import { adapted } from "./BotPayload.ts"
import {
  type BotKey,
  type BotPortError,
  type CallLimits,
  Dispatched,
  RateLimited,
  Unavailable
} from "./BotPort.ts"
import { makeBreaker } from "./Breaker.ts"
import { errorOf } from "./CallError.ts"
import { CallFailed, GrammyApi, type Method, type PayloadOf, type ResultOf } from "./GrammyApi.ts"
import type { Outcome } from "./Outcome.ts"
import { Pacer } from "./Pacer.ts"
import { delayOf } from "./Retrying.ts"
import type { Upload } from "./Upload.ts"

/** Longer waits belong into the store, not into a sleeping fiber. */
const longestWait = 5_000

/** Of the time a call has, so much must be left for an attempt to be worth it. */
const worthwhile = 0.1

export interface CallsOptions {
  /** How long an answer may take. A message that waits longer counts as perhaps sent. */
  readonly timeout: Duration.Input
}

/** How a call stands to the pace: it takes a place, only keeps out of parks, or minds neither. */
export type Pace = "place" | "park" | "free"

export interface Request<M extends Method> extends CallLimits {
  readonly bot: BotKey
  readonly chat?: ChatId
  readonly method: M
  readonly payload: PayloadOf<M>
  readonly idempotent: boolean
  readonly pace: Pace
  /** The places it takes; 1 unless said otherwise. */
  readonly cost?: number
  /** Sent along with the payload. */
  readonly files?: ReadonlyArray<Upload>
  /** What the next call makes worthless waits for nothing and is tried once. */
  readonly urgency?: "progress"
}

/** Of a caller's options those that are for the call. */
export const limitsOf = ({ deadline }: CallLimits = {}): CallLimits =>
  deadline === undefined ? {} : { deadline }

/** The time a call has, in Unix milliseconds: no attempt and no wait begins after `last`. */
interface Time {
  readonly last: number
  readonly end: number
}

const timeOf = (now: number, deadline = Number.POSITIVE_INFINITY): Time => ({
  end: deadline,
  last: deadline === Number.POSITIVE_INFINITY ? deadline : deadline - Math.max(deadline - now, 0) * worthwhile
})

/** Repeated by whoever holds it durably, or by nobody: tried once here. */
const isTriedOnce = (request: Request<Method>, dispatched: Dispatched | undefined) =>
  dispatched !== undefined || request.urgency === "progress"

/** How often, the budget aside. */
const mayRepeat = (error: unknown, attempt: number): boolean => {
  if (!(error instanceof CallFailed)) return false
  const { outcome } = error
  if (outcome._tag === "Retry") return attempt <= outcome.limit
  return outcome._tag === "Wait" && attempt <= 3 && outcome.seconds * 1_000 <= longestWait
}

/** `retry_after` is a floor, jitter comes on top of it. */
const delays = Schedule.forever.pipe(
  Schedule.setInputType<unknown>(),
  Schedule.modifyDelay(({ input, attempt }) =>
    Effect.map(Random.next, (spread) => {
      const floor =
        input instanceof CallFailed && input.outcome._tag === "Wait" ? input.outcome.seconds * 1_000 : 0
      return Duration.millis(floor + delayOf(attempt, spread))
    })
  )
)

export const makeCalls = (options: CallsOptions) =>
  Effect.gen(function* () {
    const api = yield* GrammyApi
    const pacer = yield* Pacer
    const guarded = yield* makeBreaker
    const timeout = Duration.toMillis(Duration.fromInputUnsafe(options.timeout))

    const place = Effect.fnUntraced(function* (request: Request<Method>, time: Time) {
      const { bot, chat, method, urgency = "interactive", cost = 1 } = request
      if (request.pace !== "place" || chat === undefined || (yield* Dispatched) !== undefined) return
      const now = yield* Clock.currentTimeMillis
      const patience = urgency === "progress" ? 0 : Math.max(Math.min(longestWait, time.last - now), 0)
      const taken = yield* pacer.wait(bot, { chat, urgency, cost }, patience)
      if (taken._tag === "Later") return yield* new RateLimited({ method, until: Math.ceil(taken.at) })
    })

    /** Who took a place here waited for it, and waits for the rest of a short park, too. */
    const parked = Effect.fnUntraced(function* (
      { bot, chat, method, pace, urgency }: Request<Method>,
      time: Time
    ) {
      if (chat === undefined || pace === "free") return
      const until = yield* pacer.parkedUntil(bot, chat)
      const now = yield* Clock.currentTimeMillis
      if (until <= now) return
      const waits = pace === "place" && urgency !== "progress" && (yield* Dispatched) === undefined
      if (!waits || until > Math.min(now + longestWait, time.last))
        return yield* new RateLimited({ method, until: Math.ceil(until) })
      yield* Effect.sleep(until - now)
    })

    /** One attempt. Afterwards it is not in flight, unless its fate is unknown. */
    const attempt = <M extends Method>(
      request: Request<M>,
      time: Time
    ): Effect.Effect<ResultOf<M>, CallFailed | BotPortError> =>
      Effect.gen(function* () {
        const { bot, method, payload, idempotent, files = [] } = request
        yield* parked(request, time)
        const now = yield* Clock.currentTimeMillis
        if (now > time.last)
          return yield* new Unavailable({ method, reason: "there was no time left to try it" })
        const dispatched = yield* Dispatched
        const flying = (inFlight: boolean) =>
          Effect.sync(() => {
            if (dispatched !== undefined) dispatched.inFlight = inFlight
          })
        yield* flying(true)
        return yield* api
          .call(bot, method, payload, {
            idempotent,
            timeout: Math.min(timeout, time.end - now),
            files,
            ...(time.end === Number.POSITIVE_INFINITY ? {} : { within: time.end - now })
          })
          .pipe(
            guarded(bot, method),
            // Parks the chat as soon as Telegram asks, so that nobody else runs into the same wall.
            Effect.tapError((error) =>
              error._tag === "CallFailed" && error.outcome._tag === "Wait" && request.chat !== undefined
                ? pacer.park(bot, request.chat, error.outcome.seconds)
                : Effect.void
            ),
            Effect.tapError((error) =>
              error._tag === "CallFailed" && error.outcome._tag === "Unknown" ? Effect.void : flying(false)
            )
          )
      })

    const repeating = (request: Request<Method>, time: Time) =>
      delays.pipe(
        Schedule.while(({ input, attempt: nth, now, duration }) =>
          mayRepeat(input, nth) && now + Duration.toMillis(duration) <= time.last
            ? Effect.map(pacer.repeat(request.bot), (refused) => refused === undefined)
            : false
        )
      )

    const failure = Effect.fnUntraced(function* (request: Request<Method>, outcome: Outcome) {
      const { bot, chat, method } = request
      if (outcome._tag === "Done")
        return yield* Effect.die(new Error(`${method} said it is already done, but a result is needed`))
      const now = yield* Clock.currentTimeMillis
      const asked = outcome._tag === "Wait" ? now + outcome.seconds * 1_000 : now
      const until = chat === undefined ? asked : yield* pacer.parkedUntil(bot, chat)
      return yield* errorOf(outcome, { method, until, ...(chat === undefined ? {} : { chat }) })
    })

    /** `fallback` answers when Telegram says it is already as asked. */
    const run = <M extends Method>(
      request: Request<M>,
      time: Time,
      fallback: (outcome: Outcome) => Effect.Effect<ResultOf<M>, BotPortError>
    ): Effect.Effect<ResultOf<M>, BotPortError> =>
      Effect.flatMap(Dispatched, (dispatched) => {
        const once = attempt(request, time)
        const tried = isTriedOnce(request, dispatched)
          ? once
          : Effect.andThen(pacer.called(request.bot), Effect.retry(once, repeating(request, time)))
        return tried.pipe(
          Effect.catchTag("CallFailed", ({ outcome }) => {
            const payload = adapted(outcome, request.payload)
            return payload === undefined ? fallback(outcome) : run({ ...request, payload }, time, fallback)
          })
        )
      })

    const timed = <M extends Method>(
      request: Request<M>,
      fallback: (outcome: Outcome) => Effect.Effect<ResultOf<M>, BotPortError>
    ): Effect.Effect<ResultOf<M>, BotPortError> =>
      Effect.gen(function* () {
        const time = timeOf(yield* Clock.currentTimeMillis, request.deadline)
        yield* place(request, time)
        return yield* run(request, time, fallback)
      })

    const call = <M extends Method>(request: Request<M>) =>
      timed(request, (outcome) => failure(request, outcome))
    const ensure = <M extends Method>(request: Request<M>) =>
      Effect.asVoid(
        timed<Method>(request, (outcome) =>
          outcome._tag === "Done" ? Effect.succeed(true) : failure(request, outcome)
        )
      )
    /** Waits until the bot may repeat something. */
    const again = (bot: BotKey): Effect.Effect<void> =>
      Effect.gen(function* () {
        while (true) {
          const at = yield* pacer.repeat(bot)
          if (at === undefined) return
          yield* Effect.sleep(Math.max(at - (yield* Clock.currentTimeMillis), 1))
        }
      })

    return { api, call, ensure, again }
  })
