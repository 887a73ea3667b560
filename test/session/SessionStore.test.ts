import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Metric, Queue, Redacted, Result, Stream } from "effect"
import fc from "fast-check"
import { AppId, defaultTenant, TenantId, UserId } from "../../src/domain/Ids.ts"
import { FenceStale } from "../../src/lock/Fences.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { type SessionEvent, SessionEvents } from "../../src/session/SessionEvents.ts"
import { IllegalMove, MoveReason, next, type SessionState } from "../../src/session/SessionState.ts"
import { SessionExists, SessionStore, SessionUnknown } from "../../src/session/SessionStore.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const world = Layer.mergeAll(SessionStore.layer({ replica: "one" }), SessionEvents.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, Logger.layer([])))
)

const key = { tenant: defaultTenant, app: AppId.make("mine") }
const by = { actor: "system" }

/** Events as they come, from now on. */
const listening = Effect.gen(function* () {
  const { changes } = yield* SessionEvents
  const heard = yield* Queue.unbounded<SessionEvent>()
  yield* Effect.forkScoped(changes.pipe(Stream.runForEach((event) => Queue.offer(heard, event))), {
    startImmediately: true
  })
  return heard
})

it.live(
  "whatever is asked of it, a session makes the moves of the table alone, and each is recorded and told once",
  () =>
    Effect.gen(function* () {
      const store = yield* SessionStore
      const heard = yield* listening
      const run = Effect.runPromiseWith(yield* Effect.context())
      let nth = 0
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.constantFrom("user" as const, "bot" as const),
            fc.array(fc.constantFrom(...MoveReason.literals), { maxLength: 25 }),
            (kind, reasons) =>
              Effect.gen(function* () {
                const one = { tenant: defaultTenant, app: AppId.make(`run-${nth++}`) }
                yield* store.add(one, { kind })
                let state: SessionState = "ABSENT"
                const made: Array<readonly [SessionState, MoveReason, SessionState]> = []
                for (const reason of reasons) {
                  const result = yield* Effect.result(store.move(one, reason, by))
                  const expected = next({ kind, state }, reason)
                  if (Result.isFailure(expected)) {
                    assert.isTrue(Result.isFailure(result) && result.failure instanceof IllegalMove)
                    continue
                  }
                  made.push([state, reason, expected.success])
                  state = expected.success
                  assert.strictEqual(Result.getOrThrow(result).state, state)
                }
                const row = yield* store.get(one)
                assert.strictEqual(row.state, state)
                assert.strictEqual(row.moves, made.length)
                const history = yield* store.history(one, 100)
                assert.deepStrictEqual(
                  history.toReversed().map(({ number, from, reason, to }) => [number, from, reason, to]),
                  made.map((move, nth) => [nth + 1, ...move])
                )
                const told = yield* Effect.forEach(made, () => Queue.take(heard))
                assert.deepStrictEqual(
                  told.map(({ app, from, reason, to }) => [app, from, reason, to]),
                  made.map((move) => [one.app, ...move])
                )
                assert.deepStrictEqual(
                  told.map(({ correlation }) => correlation),
                  history.toReversed().map(({ trace }) => trace)
                )
              }).pipe(run)
          ),
          { numRuns: 40 }
        )
      )
      assert.strictEqual(yield* Queue.size(heard), 0)
    }).pipe(Effect.scoped, Effect.provide(world))
)

it.live("of many who make the same move at once one does, and it is counted once", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    yield* store.add(key, { kind: "user" })
    const counted = Effect.map(Metric.snapshot, (all) =>
      all.flatMap((metric) =>
        metric.id === "session_state_transitions_total" && metric.attributes?.reason === "qr_started"
          ? [metric.state]
          : []
      )
    )
    const results = yield* Effect.forEach(
      Array.from({ length: 8 }),
      () => Effect.result(store.move(key, "qr_started", by)),
      { concurrency: "unbounded" }
    )
    assert.lengthOf(results.filter(Result.isSuccess), 1)
    assert.lengthOf(yield* store.history(key, 10), 1)
    assert.deepInclude((yield* counted)[0], { count: 1 })
  }).pipe(Effect.provide(world), Effect.provideService(Metric.MetricRegistry, new Map()))
)

it.live("a former owner changes nothing, and what was to be written along is not written", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const { transaction } = yield* TenantScope
    yield* store.add(key, { kind: "user" })
    yield* store.move(key, "qr_started", { ...by, fence: 7 })
    const along = transaction(key.tenant, (sql) => Effect.asVoid(sql`DELETE FROM session_transitions`))
    const stale = { ...by, fence: 6 }
    const account = { id: UserId.make(1), name: "Ann" }
    for (const attempt of [
      store.move(key, "authorization_success", stale, { account }, along),
      store.note(key, stale, { error: "late" }),
      store.fenced(key, stale, along)
    ])
      assert.instanceOf(yield* Effect.flip(attempt), FenceStale)
    assert.lengthOf(yield* store.history(key, 10), 1)
    const row = yield* store.get(key)
    assert.deepInclude(row, { state: "PENDING_QR", owner: "one", failures: 0 })
    assert.notProperty(row, "account")
    // What goes along and fails takes the move back.
    yield* Effect.flip(store.move(key, "authorization_success", { ...by, fence: 7 }, {}, Effect.fail("no")))
    assert.strictEqual((yield* store.get(key)).state, "PENDING_QR")
  }).pipe(Effect.provide(world))
)

it.live("a row keeps what was learned for as long as it matters, and no secret", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const { register } = yield* Scrubber
    yield* register(Redacted.make("canary-4711"))
    yield* store.add(key, { kind: "user", expected: UserId.make(42), apiKeyAlias: "main" })
    yield* store.move(key, "qr_started", by)
    const account = { id: UserId.make(42), name: "Ann" }
    yield* store.move(key, "authorization_success", by, { account })
    const nextTry = 1_800_000_000_123
    yield* store.move(key, "api_error", by, { error: "no answer with canary-4711", nextTry })
    assert.deepInclude(yield* store.get(key), {
      account,
      expected: UserId.make(42),
      apiKeyAlias: "main",
      lastError: "no answer with <hidden>",
      nextTry,
      failures: 1
    })
    yield* store.note(key, by, { error: "again", nextTry })
    assert.strictEqual((yield* store.get(key)).failures, 2)
    const recovered = yield* store.move(key, "validation_success", by)
    assert.deepInclude(recovered, { account, failures: 0 })
    assert.notProperty(recovered, "lastError")
    assert.notProperty(recovered, "nextTry")
    const ended = yield* store.move(key, "manual_revoke", by)
    assert.notProperty(ended, "account")
    assert.notProperty(yield* store.get(key), "account")
  }).pipe(Effect.provide(world))
)

it.live("a session is its tenant's alone", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const { transaction } = yield* TenantScope
    const other = TenantId.make("other")
    yield* transaction(other, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${other})`)
    yield* store.add(key, { kind: "user" })
    assert.instanceOf(yield* Effect.flip(store.add(key, { kind: "bot" })), SessionExists)
    const theirs = { ...key, tenant: other }
    assert.instanceOf(yield* Effect.flip(store.get(theirs)), SessionUnknown)
    assert.instanceOf(yield* Effect.flip(store.move(theirs, "qr_started", by)), SessionUnknown)
    assert.deepStrictEqual(yield* store.list(other), [])
    yield* store.remove(theirs)
    assert.lengthOf(yield* store.list(key.tenant), 1)
    yield* store.remove(key)
    assert.lengthOf(yield* store.list(key.tenant), 0)
  }).pipe(Effect.provide(world))
)
