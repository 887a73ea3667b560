/**
 * Which replica runs which bot. Each works it out for itself from the replicas that live (rendezvous hashing), so
 * that the bots are spread, and when one comes or goes only its own bots move. A preference protects nothing: of
 * two that disagree for a moment the lease lets one.
 */
import { createHash } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Random, Stream, SubscriptionRef } from "effect"
import { SqlError } from "effect/sql"
import { LockHeld, LockLost, LocksUnavailable } from "../lock/Locks.ts"

export class Replicas extends Context.Service<
  Replicas,
  {
    /** Our own name among them. */
    readonly self: string
    readonly live: SubscriptionRef.SubscriptionRef<ReadonlyArray<string>>
  }
>()("zapiska/session/Replicas") {
  /** Alone in the world, as far as is known. */
  static readonly layerSole = Layer.effect(
    Replicas,
    Effect.map(SubscriptionRef.make<ReadonlyArray<string>>(["sole"]), (live) => ({ self: "sole", live }))
  )
}

const weight = (bot: string, replica: string) =>
  createHash("sha256").update(`${replica}\n${bot}`).digest("hex")

/** Who of the live ones is to run the bot; nobody when none lives. */
export const preferred = (bot: string, live: ReadonlyArray<string>): string | undefined =>
  live
    .map((replica) => ({ replica, weight: weight(bot, replica) }))
    .reduce<{ readonly replica: string; readonly weight: string } | undefined>(
      (best, one) => (best === undefined || one.weight > best.weight ? one : best),
      undefined
    )?.replica

/** How long the one that is preferred may leave a bot alone before another stands in for it. */
const overdue = Duration.seconds(20)
/** How long one stands in before it looks whether the preferred one waits for the bot. */
const turn = Duration.minutes(1)

export interface Holding<E, R> {
  /** Takes its place in the line for the bot, and runs it for as long as it is ours. */
  readonly inLine: Effect.Effect<never, E, R>
  /** The same if nobody has it or waits for it; else `LockHeld`. */
  readonly ifFree: Effect.Effect<never, E | LockHeld, R>
}

/**
 * Holds a bot while it is ours by preference, and gives it up when it is another's. Where the preferred one lives and
 * does not take it (its Redis is away, it has just begun) it is held by turns until that one does.
 */
export const inTurn = <E, R>(bot: string, { ifFree, inLine }: Holding<E, R>) =>
  Effect.gen(function* () {
    const { live, self } = yield* Replicas
    const owner = Effect.map(SubscriptionRef.get(live), (all) => preferred(bot, all))
    const replaced = (former: string | undefined) =>
      SubscriptionRef.changes(live).pipe(
        Stream.filter((all) => preferred(bot, all) !== former),
        Stream.runHead,
        Effect.asVoid
      )
    const standIn: Effect.Effect<never, E, R> = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep(overdue)
        let stood = true
        while (stood) {
          stood = yield* Effect.timeoutOption(ifFree, turn).pipe(
            Effect.as(true),
            Effect.catchIf(
              (error): error is LockHeld => error instanceof LockHeld,
              () => Effect.succeed(false)
            )
          )
        }
      }
    })
    while (true) {
      const now = yield* owner
      yield* Effect.raceFirst(now === self ? inLine : standIn, replaced(now))
    }
  })

type Passing = LockLost | LocksUnavailable | SqlError.SqlError

/** Milliseconds. */
const saidEvery = 60_000

const isPassing = (error: unknown): error is Passing =>
  error instanceof LockLost || error instanceof LocksUnavailable || SqlError.isSqlError(error)

/**
 * Holds it again whenever it was lost or could not be had, soon, and however often that was before: whoever waits
 * longer after each hiccup of Redis or the database comes to serve nobody for half a minute.
 */
export const everAgain = <E, R>(holding: Effect.Effect<never, E, R>) =>
  Effect.gen(function* () {
    let saidAt = Number.NEGATIVE_INFINITY
    const again = Effect.fnUntraced(function* (error: Passing) {
      const now = yield* Clock.currentTimeMillis
      // A loss was said where it happened.
      if (!(error instanceof LockLost) && now - saidAt >= saidEvery) {
        saidAt = now
        yield* Effect.logWarning(error.message)
      }
      yield* Effect.sleep(yield* Random.nextBetween(1_000, 2_000))
    })
    return yield* holding.pipe(
      Effect.catch(
        (error): Effect.Effect<void, Exclude<E, Passing>> =>
          isPassing(error) ? again(error) : Effect.fail(error as Exclude<E, Passing>)
      ),
      Effect.forever
    )
  })
