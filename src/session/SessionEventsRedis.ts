/**
 * What happens to sessions, told on a channel of the operator's Redis to services that have no part in the database.
 * Every replica hears of every move once it is committed; of each the first that says so is the one that tells it.
 */
import { Clock, Effect, Layer, Schedule, Stream } from "effect"
import { Redis } from "effect/persistence"
import { encodeEvent, type SessionEvent, SessionEvents, sessionName } from "./SessionEvents.ts"

/** Each message on it is one `SessionEvent` as JSON. */
export const channel = "zapiska:sessions"

/** By then all replicas have heard of it. Milliseconds. */
const remembered = 60_000
/** For a Redis that is restarted, in milliseconds. What cannot be told by then is not told, nor is what has waited behind it too long. */
const patience = 3_000
const late = remembered / 2

/** Both or neither, or one that is told twice would be told after the next. */
const tellOnce = Redis.script((mark: string, on: string, event: string) => [mark, on, event, remembered], {
  numberOfKeys: 1,
  lua: `if redis.call("SET", KEYS[1], "", "NX", "PX", ARGV[3]) then redis.call("PUBLISH", ARGV[1], ARGV[2]) end`
})

const untold = (event: SessionEvent, because: string) =>
  Effect.logWarning(
    `Redis was not told that session ${sessionName(event)} is ${event.to} (${because}); whoever listens there has to look by itself`
  )

export const layer: Layer.Layer<never, never, Redis.Redis | SessionEvents> = Layer.effectDiscard(
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const { changes } = yield* SessionEvents
    const tell = redis.eval(tellOnce)

    const told = Effect.fnUntraced(function* (event: SessionEvent) {
      const left = Math.min(patience, event.at + late - (yield* Clock.currentTimeMillis))
      if (left <= 0) return yield* untold(event, "too much happened before it")
      const mark = `${channel}:${sessionName(event)}:${event.number}:${event.at}`
      yield* tell(mark, channel, encodeEvent(event)).pipe(
        Effect.retry(Schedule.spaced("250 millis").pipe(Schedule.jittered)),
        Effect.timeout(left),
        Effect.catch(({ message }) => untold(event, message))
      )
    })

    yield* changes.pipe(Stream.runForEach(told), Effect.forkScoped({ startImmediately: true }))
  })
)
