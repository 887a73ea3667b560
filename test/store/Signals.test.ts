import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Schedule, Stream } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { type SignalChannel, Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const send = (channel: SignalChannel, payload: string) =>
  Effect.gen(function* () {
    const { notify } = yield* Signals
    const { transaction } = yield* TenantScope
    yield* transaction(defaultTenant, (sql) => notify(sql, channel, payload))
  })

/** What arrives from now on. */
const listening = Effect.fnUntraced(function* (channel: SignalChannel) {
  const { listen } = yield* Signals
  const received = yield* Queue.unbounded<string>()
  yield* Effect.forkScoped(
    listen(channel).pipe(Stream.runForEach((payload) => Queue.offer(received, payload))),
    { startImmediately: true }
  )
  return received
})

it.live("a signal arrives on its channel once its transaction commits, and never when it does not", () =>
  Effect.gen(function* () {
    const { notify } = yield* Signals
    const { transaction } = yield* TenantScope
    const outbox = yield* listening("zapiska_outbox")
    const revisions = yield* listening("zapiska_revisions")
    yield* Effect.flip(
      transaction(defaultTenant, (sql) =>
        Effect.andThen(notify(sql, "zapiska_outbox", "lost"), Effect.fail("rolled back"))
      )
    )
    const committing = yield* Deferred.make<void>()
    const sender = yield* Effect.forkChild(
      transaction(defaultTenant, (sql) =>
        Effect.andThen(notify(sql, "zapiska_outbox", "first"), Deferred.await(committing))
      ),
      { startImmediately: true }
    )
    yield* send("zapiska_revisions", "elsewhere")
    assert.strictEqual(yield* Queue.take(revisions), "elsewhere")
    assert.strictEqual(yield* Queue.size(outbox), 0)
    yield* Deferred.succeed(committing, undefined)
    yield* Fiber.join(sender)
    assert.strictEqual(yield* Queue.take(outbox), "first")
  }).pipe(Effect.provide(TestDatabase.layer))
)

it.live("a listener goes on after its connection was killed", () =>
  Effect.gen(function* () {
    const outbox = yield* listening("zapiska_outbox")
    const { superuser } = yield* TestDatabase
    const connection = yield* PgConnection.make(superuser)
    const killed = yield* connection.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'zapiska-signals' AND datname = current_database()`
    )
    assert.lengthOf(killed.rows, 1)
    // What is sent while nobody listens is not repeated, so it is sent until it arrives.
    yield* Effect.forkScoped(Effect.repeat(send("zapiska_outbox", "again"), Schedule.spaced("50 millis")))
    assert.strictEqual(yield* Queue.take(outbox), "again")
  }).pipe(Effect.provide(TestDatabase.layer))
)
