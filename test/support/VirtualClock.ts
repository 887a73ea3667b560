/**
 * A clock for programs that do real IO: it stands still while anything is under way, and when nothing is it jumps to
 * the next appointment. Hours of waiting take milliseconds, and what happens at which instant does not depend on the
 * machine.
 */
import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Real milliseconds without any event after which a call that is waited for counts as waiting for the clock itself. */
const stalled = 40
/** As long for a statement: a busy disk is slow, and hardly any statement waits for the clock. */
const stuck = 5_000
/** Real milliseconds without any event after which nothing is under way. */
const still = 2

/** `begin` in Unix milliseconds. */
export const makeVirtualClock = (begin: number) => {
  let now = begin
  let events = 0
  const waiting = { call: 0, statement: 0 }
  const sleepers = new Set<Sleeper>()

  const read = () => {
    events++
    return now
  }
  const nanos = () => BigInt(Math.round(read())) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: read,
    currentTimeMillis: Effect.sync(read),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis === Number.POSITIVE_INFINITY) return Effect.never
      if (millis <= 0) return Effect.yieldNow
      return Effect.callback<void>((resume) => {
        const sleeper = { at: read() + Math.ceil(millis), wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        return Effect.sync(() => void sleepers.delete(sleeper))
      })
    }
  }

  /** IO that time waits for, unless the IO itself turns out to wait for time. */
  const waitedFor =
    (kind: keyof typeof waiting) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        events++
        waiting[kind]++
        return Effect.ensuring(
          effect,
          Effect.sync(() => {
            events++
            waiting[kind]--
          })
        )
      })

  const patience = () => (waiting.statement > 0 ? stuck : waiting.call > 0 ? stalled : still)

  const quiet = Effect.gen(function* () {
    let seen = -1
    for (let since = 0; since < patience(); since++) {
      if (seen !== events) since = 0
      seen = events
      yield* Effect.sleep("1 millis")
    }
  })

  const jump = Effect.sync(() => {
    const next = Math.min(...[...sleepers].map(({ at }) => at))
    if (next === Number.POSITIVE_INFINITY) return
    now = Math.max(now, next)
    for (const sleeper of [...sleepers].filter(({ at }) => at <= now)) {
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  })

  /** Runs a program on this clock; the clock of the surrounding fiber drives it. */
  const drive = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.raceFirst(
      Effect.provideService(program, Clock.Clock, clock),
      Effect.forever(Effect.andThen(quiet, jump))
    )

  /** Lets so many milliseconds pass for a program on this clock that nobody drives. Not to be run on this clock. */
  const pass = Effect.fnUntraced(function* (millis: number) {
    const until = now + millis
    while (true) {
      yield* quiet
      if (Math.min(...[...sleepers].map(({ at }) => at)) > until) break
      yield* jump
    }
    now = Math.max(now, until)
    yield* quiet
  })

  return { clock, call: waitedFor("call"), statement: waitedFor("statement"), drive, pass }
}
