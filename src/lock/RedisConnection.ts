/** Connections to Redis that say at once when there is none: nothing is queued, repeated or waited for. */
import { Effect, Schedule } from "effect"
import { Redis } from "ioredis"

/** Milliseconds. Whoever asks knows within two seconds that Redis is away. */
const answerWithin = 1_500

/** What a command says that was not answered in that time. */
export const noAnswer = "Command timed out"

/** Reconnects by itself for as long as the scope lasts. `url` as in `redis://user:password@host:6379/0`. */
export const connect = Effect.fnUntraced(function* (url: string) {
  const redis = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Redis(url, {
          lazyConnect: true,
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false,
          autoResubscribe: true,
          maxRetriesPerRequest: 0,
          commandTimeout: answerWithin,
          connectTimeout: answerWithin,
          retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000)
        })
    ),
    (connected) => Effect.sync(() => connected.disconnect())
  )
  // Each failure is told by the command that meets it.
  redis.on("error", () => undefined)
  // The first connection may take its time; without one every command fails with the reason.
  yield* Effect.tryPromise(() => redis.connect()).pipe(
    Effect.retry(Schedule.recurs(2)),
    Effect.timeoutOption(answerWithin),
    Effect.ignore
  )
  return redis
})
