import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ChatId, defaultApp, defaultTenant, TenantId, UserId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Callbacks } from "../../src/telegram/Callbacks.ts"
import { contentLimits } from "../../src/telegram/ContentLimits.ts"
import { TestDatabase } from "../support/Postgres.ts"

const bound = {
  tenant: defaultTenant,
  app: defaultApp,
  chat: ChatId.make(-100_123_456_789_012),
  user: UserId.make(7_000_000_001)
}
const grant = (key: string) => ({
  ...bound,
  key,
  purpose: "confirm",
  payload: `{"of":"${key}"}`,
  lifetime: Duration.hours(1)
})
const issue = (one: ReturnType<typeof grant>) =>
  Callbacks.use((callbacks) => Effect.map(callbacks.issue(bound.tenant, [one]), ([token]) => token ?? "none"))
const layer = Callbacks.layer.pipe(Layer.provideMerge(TestDatabase.layer))
const live = (name: string, body: Effect.Effect<void, unknown, Callbacks | TenantScope>) =>
  it.live(name, () => Effect.provide(body, layer))

live(
  "a press is taken once, with what the button was made for",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const data = yield* issue(grant("a"))
    assert.isAtMost(Buffer.byteLength(data), contentLimits.callbackData - "purpose:".length)
    assert.deepStrictEqual(yield* callbacks.redeem({ ...bound, token: data }), {
      purpose: "confirm",
      payload: '{"of":"a"}'
    })
    assert.strictEqual((yield* Effect.flip(callbacks.redeem({ ...bound, token: data })))._tag, "CallbackUsed")
  })
)

live(
  "of many presses at once one wins",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const token = yield* issue(grant("a"))
    const results = yield* Effect.forEach(
      Array(20).fill(token),
      () =>
        Effect.match(callbacks.redeem({ ...bound, token }), {
          onSuccess: () => "won",
          onFailure: ({ _tag }) => _tag
        }),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(results.sort(), [...Array(19).fill("CallbackUsed"), "won"])
  })
)

live(
  "nobody else, nowhere else and for nothing else it works, and it stays for its owner",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const token = yield* issue(grant("a"))
    const refused = (other: object) =>
      Effect.map(Effect.flip(callbacks.redeem({ ...bound, token, ...other })), (error) =>
        error._tag === "CallbackForeign" ? error.bound : error._tag
      )
    assert.strictEqual(yield* refused({ user: UserId.make(8) }), "user")
    assert.strictEqual(yield* refused({ chat: ChatId.make(8) }), "chat")
    assert.strictEqual(yield* refused({ purpose: "undo" }), "purpose")
    assert.strictEqual(yield* refused({ app: "other" }), "CallbackUnknown")
    assert.strictEqual(yield* refused({ token: "nobody's" }), "CallbackUnknown")
    const scope = yield* TenantScope
    const other = TenantId.make("other")
    yield* scope.transaction(other, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${other})`)
    assert.strictEqual(yield* refused({ tenant: other }), "CallbackUnknown")
    yield* callbacks.redeem({ ...bound, token, purpose: "confirm" })
  })
)

it.effect("after its time it does not work, and is removed in the end", () =>
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const token = yield* issue(grant("a"))
    const refusal = Effect.map(Effect.flip(callbacks.redeem({ ...bound, token })), ({ _tag }) => _tag)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(yield* refusal, "CallbackExpired")
    yield* callbacks.purge(bound.tenant, "1 day")
    assert.strictEqual(yield* refusal, "CallbackExpired")
    yield* TestClock.adjust("25 hours")
    yield* callbacks.purge(bound.tenant, "1 day")
    assert.strictEqual(yield* refusal, "CallbackUnknown")
  }).pipe(Effect.provide(layer))
)

live(
  "what is done again makes the same button, and another key another one",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const first = yield* issue(grant("a"))
    assert.strictEqual(yield* issue({ ...grant("a"), payload: "changed" }), first)
    assert.notStrictEqual(yield* issue(grant("b")), first)
    assert.strictEqual((yield* callbacks.redeem({ ...bound, token: first })).payload, '{"of":"a"}')
  })
)

live(
  "many are issued in one go, in their order, those that are there among them",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const b = yield* issue(grant("b"))
    const [a, again, c] = yield* callbacks.issue(bound.tenant, [grant("a"), grant("b"), grant("c")])
    assert.strictEqual(again, b)
    assert.strictEqual((yield* callbacks.redeem({ ...bound, token: c! })).payload, '{"of":"c"}')
    assert.strictEqual((yield* callbacks.redeem({ ...bound, token: a! })).payload, '{"of":"a"}')
    assert.deepStrictEqual(yield* callbacks.issue(bound.tenant, []), [])
  })
)

live(
  "what is rolled back was neither issued nor pressed",
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const scope = yield* TenantScope
    const undone = <A, E>(body: Effect.Effect<A, E, Callbacks>) =>
      Effect.flip(scope.transaction(bound.tenant, () => Effect.flatMap(body, Effect.fail)))
    const token = yield* issue(grant("a"))
    assert.deepInclude(yield* undone(callbacks.redeem({ ...bound, token })), { purpose: "confirm" })
    assert.strictEqual((yield* callbacks.redeem({ ...bound, token })).purpose, "confirm")
    const lost = String(yield* undone(issue(grant("b"))))
    assert.strictEqual(
      (yield* Effect.flip(callbacks.redeem({ ...bound, token: lost })))._tag,
      "CallbackUnknown"
    )
  })
)
