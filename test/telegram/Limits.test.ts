import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { AppId, defaultApp, defaultTenant, TenantId, type UpdateId } from "../../src/domain/Ids.ts"
import type { IncomingUpdate } from "../../src/domain/IncomingMessage.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder } from "../../src/telegram/BotPort.ts"
import { LimitCounters } from "../../src/telegram/LimitCounters.ts"
import type { LimitSettings } from "../../src/telegram/LimitRules.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { messageUpdate, userOf } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
/** Twenty seconds into a minute. */
const noon = Date.UTC(2026, 10, 22, 12, 0, 20)

const limited = (defaults: LimitSettings) =>
  Limits.layer(defaults).pipe(
    Layer.provide(LimitCounters.layerMemory),
    Layer.provideMerge(Layer.merge(Audit.layer, Blobs.layer)),
    Layer.provideMerge(BotPort.layerRecording),
    Layer.provideMerge(TestDatabase.layer)
  )

const within =
  (defaults: LimitSettings) =>
  <A, E>(body: Effect.Effect<A, E, Layer.Success<ReturnType<typeof limited>> | Scope.Scope>) =>
    // Before anything sleeps: a clock that jumps by years wakes it that often.
    Effect.andThen(TestClock.setTime(noon), Effect.provide(body, limited(defaults)))

let lastUpdate = 0
/** So many messages of a person, sent now or at `at`. */
const messages = (count: number, { user = 7, at = noon, fields = {} } = {}): ReadonlyArray<IncomingUpdate> =>
  Array.from({ length: count }, () =>
    decodeUpdate(messageUpdate(++lastUpdate, { date: Math.floor(at / 1000), ...fields }, user))
  )
/** How many of them pass: those over a limit are the last. */
const pass = (updates: ReadonlyArray<IncomingUpdate>, since?: number, of = bot) =>
  Effect.map(
    Limits.use((limits) => limits.over(of, updates, since)),
    (over: ReadonlySet<UpdateId>) => {
      const passing = updates.filter(({ updateId }) => !over.has(updateId))
      assert.deepStrictEqual(passing, updates.slice(0, passing.length))
      return passing.length
    }
  )
/** What was said, to whom. */
const told = Effect.gen(function* () {
  yield* Effect.yieldNow
  const calls = yield* BotRecorder.use((recorder) => recorder.calls)
  return calls.flatMap((call) =>
    call.method === "send" && call.content._tag === "Text"
      ? [`${call.address.chat}: ${call.content.text.text}`]
      : []
  )
})

describe("limits", () => {
  it.effect(
    "a person over theirs is told once in a minute, and when it goes on; others are not held up",
    () =>
      within({ userPerMinute: 3 })(
        Effect.gen(function* () {
          assert.strictEqual(yield* pass(messages(2)), 2)
          assert.strictEqual(yield* pass(messages(3)), 1)
          assert.strictEqual(yield* pass(messages(2)), 0)
          assert.strictEqual(yield* pass(messages(3, { user: 8 })), 3)
          assert.deepStrictEqual(yield* told, [
            "7: That is more than I take from one person in a minute, so your last messages are not kept. Please send them again in 40 seconds."
          ])
          yield* TestClock.adjust("40 seconds")
          assert.strictEqual(yield* pass(messages(4, { at: noon + 40_000 })), 3)
          assert.lengthOf(yield* told, 2)
        })
      )
  )

  it.effect("a tenant's holds for all of its people and bots, and for no other tenant's", () =>
    within({ userPerDay: 4, tenantPerDay: 6 })(
      Effect.gen(function* () {
        const other = { tenant: TenantId.make("other"), app: defaultApp }
        yield* TenantScope.use(({ transaction }) =>
          transaction(other.tenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES ('other')`)
        )
        const russian = { from: userOf(8, { language_code: "ru" }) }
        assert.strictEqual(yield* pass(messages(5)), 4)
        const second = { ...bot, app: AppId.make("second") }
        assert.strictEqual(yield* pass(messages(3, { user: 8, fields: russian }), undefined, second), 2)
        assert.strictEqual(yield* pass(messages(4), undefined, other), 4)
        const [own, shared] = yield* told
        assert.match(own!, /^7: That is more .* in a day, .* tomorrow, from 00:00 UTC on\.$/)
        assert.match(shared!, /^8: Вместе вы прислали .* завтра, после 00:00 UTC\.$/)
        yield* TestClock.setTime(Date.UTC(2026, 10, 23))
        assert.strictEqual(yield* pass(messages(4, { at: Date.UTC(2026, 10, 23) })), 4)
      })
    )
  )

  it.effect("who is stopped by their own limit takes nothing from the others", () =>
    within({ userPerMinute: 2, tenantPerMinute: 4 })(
      Effect.gen(function* () {
        for (let nth = 0; nth < 5; nth++) yield* pass(messages(5))
        assert.strictEqual(yield* pass(messages(2, { user: 8 })), 2)
      })
    )
  )

  it.effect("an update that is offered again is counted once, and what is counted passes", () =>
    within({ userPerMinute: 3 })(
      Effect.gen(function* () {
        const batch = messages(3)
        for (let nth = 0; nth < 3; nth++) assert.strictEqual(yield* pass(batch), 3)
        assert.strictEqual(yield* pass(messages(1)), 0)
        assert.strictEqual(yield* pass(batch), 3)
      })
    )
  )

  it.effect("after a restart what was sent before it passes; a backlog counts when it was sent", () =>
    within({ userPerMinute: 2 })(
      Effect.gen(function* () {
        const before = noon - 5_000
        assert.strictEqual(yield* pass(messages(50, { at: before }), noon), 50)
        assert.strictEqual(yield* pass(messages(3), noon), 2)
        const minutes = [1, 2, 3, 4].flatMap((minute) => messages(2, { at: noon - minute * 60_000 }))
        assert.strictEqual(yield* pass(minutes), 8)
      })
    )
  )

  it.effect("a full store stops notes and not commands, and is told once an hour", () =>
    within({ storageBytes: 10 })(
      Effect.gen(function* () {
        assert.strictEqual(yield* pass(messages(2)), 2)
        yield* Blobs.use((blobs) => blobs.put(defaultTenant, new Uint8Array(10)))
        yield* TestClock.adjust("1 minute")
        for (let nth = 0; nth < 3; nth++) assert.strictEqual(yield* pass(messages(2)), 0)
        assert.strictEqual(yield* pass(messages(1, { fields: { text: "/undo" } })), 1)
        assert.lengthOf(yield* told, 1)
        assert.match((yield* told)[0]!, /^7: There is no room left for notes/)
      })
    )
  )

  it.effect("of a tenant are changed while it runs, go back to the defaults, and leave a record", () =>
    within({ userPerDay: 1_000 })(
      Effect.gen(function* () {
        const limits = yield* Limits
        const own = yield* limits.set(defaultTenant, { userPerDay: 1, storageBytes: 5_000_000_000 }, "admin")
        assert.deepStrictEqual(own, {
          userPerMinute: null,
          userPerDay: 1,
          tenantPerMinute: null,
          tenantPerDay: null,
          storageBytes: 5_000_000_000
        })
        assert.deepStrictEqual(yield* limits.get(defaultTenant), own)
        assert.strictEqual(yield* pass(messages(2)), 1)
        const raised = yield* limits.set(defaultTenant, { userPerDay: null }, "admin")
        assert.deepStrictEqual(raised, { ...own, userPerDay: null })
        assert.strictEqual(yield* pass(messages(2)), 2)
        const [last] = yield* Audit.use((audit) => audit.list(defaultTenant))
        assert.deepInclude(last, { actor: "admin", action: "tenant.limits", details: { userPerDay: null } })
      })
    )
  )

  it.effect("without any limit nobody is counted", () =>
    within({})(
      Effect.gen(function* () {
        assert.strictEqual(yield* pass(messages(10_000)), 10_000)
      })
    )
  )
})
