/** Redis as Effect's own services use it: one connection for commands, others for who asks for one of their own. */
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { Redis } from "effect/persistence"
import type { Redis as Connection } from "ioredis"
import { connect, noAnswer } from "./RedisConnection.ts"

const sender =
  (redis: Connection) =>
  <A>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError> =>
    Effect.tryPromise({
      try: () => redis.call(command, ...args) as Promise<A>,
      catch: (cause) => {
        // Answers are told apart by their order alone: after one that did not come, none on this connection counts.
        if (cause instanceof Error && cause.message === noAnswer) redis.disconnect(true)
        return new Redis.RedisError({ cause })
      }
    })

const make = Effect.fnUntraced(function* (url: string) {
  return yield* Redis.make({
    send: sender(yield* connect(url)),
    connect: Effect.gen(function* () {
      const scope = yield* Scope.make()
      const redis = yield* Scope.provide(connect(url), scope)
      return { send: sender(redis), close: Scope.close(scope, Exit.void) }
    }),
    subscribe: Effect.fnUntraced(function* (channel, onMessage) {
      const redis = yield* connect(url)
      redis.on("message", (of, message) => onMessage({ channel: of, message }))
      yield* Effect.tryPromise({
        try: () => redis.subscribe(channel),
        catch: (cause) => new Redis.RedisError({ cause })
      })
      return Effect.never
    })
  })
})

export const layer = (options: { readonly url: Redacted.Redacted<string> }): Layer.Layer<Redis.Redis> =>
  Layer.effect(
    Redis.Redis,
    Effect.suspend(() => make(Redacted.value(options.url)))
  )
