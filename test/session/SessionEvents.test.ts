/** What others hear of sessions: in another process by the database, and outside of it all by a Redis. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Queue, Redacted, Schema, Stream } from "effect"
import type { Redis as Connection } from "ioredis"
import { AppId, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import * as RedisClient from "../../src/lock/RedisClient.ts"
import { connect } from "../../src/lock/RedisConnection.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { SessionEvent, SessionEvents } from "../../src/session/SessionEvents.ts"
import * as SessionEventsRedis from "../../src/session/SessionEventsRedis.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import * as Database from "../../src/store/Database.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { noRedis, TestRedis } from "../support/redis.ts"
import { secretsKey } from "../support/TestServer.ts"
import { eventually } from "./support.ts"

const own = Layer.mergeAll(SessionStore.layer({ replica: "one" }), SessionEvents.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, Logger.layer([])))
)

/** Another process on the same database, with connections of its own. */
const elsewhere = SessionEvents.layer.pipe(
  Layer.provide(Database.layer({ secretsKey: Redacted.make(secretsKey), enginePoolSize: 1, poolSize: 1 })),
  Layer.orDie,
  Layer.fresh
)

const key = { tenant: defaultTenant, app: AppId.make("mine") }
const by = { actor: "system" }

const hearing = Effect.fnUntraced(function* (changes: SessionEvents["Service"]["changes"]) {
  const heard = yield* Queue.unbounded<SessionEvent>()
  yield* Effect.forkScoped(
    Stream.runForEach(changes, (event) => Queue.offer(heard, event)),
    { startImmediately: true }
  )
  return heard
})

it.live(
  "another process hears of each move, with whose it was, why, in which trace, and as which of how many",
  () =>
    Effect.gen(function* () {
      const store = yield* SessionStore
      const { transaction } = yield* TenantScope
      const acme = { tenant: TenantId.make("acme"), app: AppId.make("theirs") }
      yield* transaction(acme.tenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${acme.tenant})`)
      const heard = yield* hearing(Context.get(yield* Layer.build(elsewhere), SessionEvents).changes)
      yield* store.add(key, { kind: "user" })
      yield* store.add(acme, { kind: "bot" })
      // One trace, as a login has.
      yield* Effect.andThen(
        store.move(key, "qr_started", by),
        store.move(key, "authorization_success", by)
      ).pipe(Effect.withSpan("login"))
      yield* store.move(acme, "authorization_success", by)
      yield* store.move(acme, "polled_elsewhere", by)
      const told = yield* Effect.forEach([1, 2, 3, 4], () => Queue.take(heard))
      const history = [
        ...(yield* store.history(key, 9)).toReversed(),
        ...(yield* store.history(acme, 9)).toReversed()
      ]
      assert.deepStrictEqual(
        told,
        history.map(({ at, from, number, reason, to, trace }, nth) => ({
          event: ["session.qr_started", "session.authorized", "session.authorized", "session.stale"][nth]!,
          ...(nth < 2 ? { ...key, kind: "user" } : { ...acme, kind: "bot" }),
          number,
          from,
          to,
          reason,
          correlation: trace,
          at
        }))
      )
      assert.strictEqual(told[0]!.correlation, told[1]!.correlation)
      assert.notStrictEqual(told[1]!.correlation, told[2]!.correlation)
    }).pipe(Effect.scoped, Effect.provide(own))
)

it.live("of a move that is taken back nobody hears, whatever took it back", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const { transaction } = yield* TenantScope
    const heard = yield* hearing(Context.get(yield* Layer.build(elsewhere), SessionEvents).changes)
    yield* store.add(key, { kind: "user" })
    yield* Effect.flip(store.move(key, "qr_started", by, {}, Effect.fail("what goes along")))
    yield* Effect.flip(
      transaction(key.tenant, () =>
        Effect.andThen(store.move(key, "qr_started", by), Effect.fail("its caller"))
      )
    )
    yield* Effect.exit(
      transaction(key.tenant, () => Effect.andThen(store.move(key, "qr_started", by), Effect.interrupt))
    )
    yield* store.move(key, "code_sent", by)
    assert.deepInclude(yield* Queue.take(heard), { reason: "code_sent", number: 1 })
    assert.strictEqual(yield* Queue.size(heard), 0)
  }).pipe(Effect.scoped, Effect.provide(own))
)

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(SessionEvent))

/** What a service hears that knows nothing but the Redis. */
const outside = Effect.gen(function* () {
  const { url } = yield* TestRedis
  const heard: Array<SessionEvent> = []
  const subscriber: Connection = yield* connect(Redacted.value(url))
  subscriber.on("message", (_channel, message) => heard.push(decode(message)))
  yield* Effect.promise(() => subscriber.subscribe(SessionEventsRedis.channel))
  return heard
})

/** Replicas that all tell the Redis. */
const telling = Effect.fnUntraced(function* (replicas: number) {
  const { url } = yield* TestRedis
  const replica = SessionEventsRedis.layer.pipe(
    Layer.provide(RedisClient.layer({ url })),
    Layer.provide(elsewhere),
    Layer.fresh
  )
  for (let nth = 0; nth < replicas; nth++) yield* Layer.build(replica)
})

describe.skipIf(noRedis !== undefined)("services with nothing but the Redis", () => {
  const world = Layer.merge(own, TestRedis.layer)

  it.live("hear of each move once and in order, however many replicas tell it", () =>
    Effect.gen(function* () {
      const store = yield* SessionStore
      yield* telling(3)
      const heard = yield* outside
      const keys = ["a", "b", "c"].map((app) => ({ ...key, app: AppId.make(app) }))
      const moves = ["qr_started", "qr_scanned", "authorization_success", "manual_revoke"] as const
      yield* Effect.forEach(keys, (one) => store.add(one, { kind: "user" }), { discard: true })
      yield* Effect.forEach(
        keys,
        (one) => Effect.forEach(moves, (reason) => store.move(one, reason, by), { discard: true }),
        { concurrency: "unbounded", discard: true }
      )
      yield* eventually(
        Effect.sync(() => heard.length),
        (count) => count >= keys.length * moves.length
      )
      // Whatever another replica still had to say would be before this.
      yield* store.move(keys[0]!, "code_sent", by)
      yield* eventually(
        Effect.sync(() => heard.at(-1)?.reason),
        (reason) => reason === "code_sent"
      )
      for (const one of keys)
        assert.deepStrictEqual(
          heard.filter(({ app }) => app === one.app).map(({ number, reason }) => [number, reason]),
          [...moves, ...(one === keys[0] ? (["code_sent"] as const) : [])].map((reason, nth) => [
            nth + 1,
            reason
          ])
        )
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.live("hear again of sessions once a Redis that was killed is there", () =>
    Effect.gen(function* () {
      const redis = yield* TestRedis
      const store = yield* SessionStore
      yield* telling(1)
      const heard = yield* outside
      yield* store.add(key, { kind: "user" })
      yield* store.move(key, "qr_started", by)
      yield* eventually(
        Effect.sync(() => heard.length),
        (count) => count === 1
      )
      yield* redis.kill
      // Without Redis too a move is a move.
      yield* store.move(key, "login_cancelled", by)
      yield* redis.start
      // Whoever listens is connected again in its own time: a subscription misses what came before it.
      const missed = yield* eventually(
        Effect.andThen(
          Effect.flatMap(store.get(key), ({ state }) =>
            store.move(key, state === "ABSENT" ? "code_sent" : "login_cancelled", by)
          ),
          Effect.delay(
            Effect.sync(() => heard.at(-1)?.number ?? 1),
            "200 millis"
          )
        ),
        (number) => number > 2
      )
      assert.isAbove(missed, 2)
    }).pipe(Effect.scoped, Effect.provide(world))
  )
})
