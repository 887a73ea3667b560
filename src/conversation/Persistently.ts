/** How hard a unit of work is tried before it is given up. */
import { Cause, Clock, Duration, Effect, Schedule } from "effect"
import { ClusterError } from "effect/cluster"
import { SqlError } from "effect/sql"
import { AlreadyHandled } from "../store/HandledUpdates.ts"
import { isTransient } from "../store/SqlFailure.ts"

export const backoff = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.jittered
)

/** A unit that fails this often is given up. */
const failures = 5

const isHandled = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isFailReason(reason) && reason.error instanceof AlreadyHandled)

/** The engine wraps what its storage failed with and dies of it. */
const isAway = (error: unknown): boolean =>
  (error instanceof SqlError.SqlError && isTransient(error)) ||
  (error instanceof ClusterError.PersistenceError && isAway(error.cause))

/** The database is away, not the unit broken: it is not held against the unit. */
const isOutage = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) =>
    Cause.isFailReason(reason) ? isAway(reason.error) : Cause.isDieReason(reason) && isAway(reason.defect)
  )

/** `given up`: what was done is `otherwise`. */
export type Fate = "done" | "given up"

/**
 * Tries until it is done: for ever through outages, five times through failures of its own, then
 * `otherwise`. Handled before is done.
 */
export const persistently = <E, R, E2, R2>(
  what: string,
  effect: Effect.Effect<void, E, R>,
  otherwise: Effect.Effect<void, E2, R2>
): Effect.Effect<Fate, never, R | R2> => {
  const throughOutages = <E3, R3>(self: Effect.Effect<void, E3, R3>) =>
    self.pipe(
      Effect.sandbox,
      Effect.tapError((cause) =>
        isHandled(cause) || Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logWarning(`${what} failed and is tried again`, cause)
      ),
      Effect.retry(($) => $(backoff).pipe(Schedule.while(({ input }) => isOutage(input))))
    )
  const settled = <E3, R3>(self: Effect.Effect<void, Cause.Cause<E3>, R3>) =>
    self.pipe(Effect.catchIf(isHandled, () => Effect.void))
  return settled(throughOutages(effect)).pipe(
    Effect.as<Fate>("done"),
    Effect.retry(($) =>
      $(backoff).pipe(
        Schedule.upTo({ times: failures - 1 }),
        Schedule.while(({ input }) => !Cause.hasInterruptsOnly(input))
      )
    ),
    Effect.catch((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.logError(`${what} failed ${failures} times`, cause).pipe(
            Effect.andThen(settled(throughOutages(otherwise))),
            Effect.retry(backoff),
            Effect.orDie,
            Effect.as<Fate>("given up")
          )
    )
  )
}

/** What is over sooner than this is nobody's concern. */
const worthSaying = Duration.seconds(5)
const saidAgainAfter = Duration.minutes(1)

/** Tries for ever what waits for nothing but the database; says now and then that it still waits, and for how long. */
export const outlasting = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, never, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (began) =>
    // Asked for each update, and nearly always answered: what a failure needs is made when there is one.
    Effect.catchCause(effect, (cause) => {
      let next = began + Duration.toMillis(worthSaying)
      let failed: Cause.Cause<E> | undefined = cause
      const again = Effect.suspend(() => {
        if (failed === undefined) return effect
        const first = Effect.failCause(failed)
        failed = undefined
        return first
      })
      return again.pipe(
        Effect.tapCause((cause) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            if (now < next || Cause.hasInterruptsOnly(cause)) return
            next = now + Duration.toMillis(saidAgainAfter)
            const lasted = Duration.format(Duration.seconds(Math.round((now - began) / 1000)))
            yield* Effect.logWarning(`${what} has failed for ${lasted} and is tried again`, cause)
          })
        ),
        Effect.retry(backoff),
        Effect.orDie
      )
    })
  )
