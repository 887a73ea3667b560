import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { AppId, defaultApp, defaultTenant, UserId } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder } from "../../src/telegram/BotPort.ts"
import { claimCodeOf } from "../../src/telegram/CodeRules.ts"
import { Members } from "../../src/telegram/Members.ts"
import type { Admission, PermissionOptions } from "../../src/telegram/Permission.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import * as People from "./support/people.ts"
import { messageUpdate, userOf } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }

const permission = (options: Partial<PermissionOptions> = {}) =>
  People.layer(options).pipe(
    Layer.provideMerge(BotPort.layerRecording),
    Layer.provideMerge(TestDatabase.layer)
  )
type Services = Layer.Success<ReturnType<typeof permission>>

const with_ = (options: Partial<PermissionOptions> = {}) => {
  const layer = permission(options)
  return <A, E>(effect: Effect.Effect<A, E, Services | Scope.Scope>) => Effect.provide(effect, layer)
}
const claiming = with_()

const says = (text: string, user = 7, more: object = {}) =>
  decodeUpdate(messageUpdate(1, { text, ...more }, user))
/** In a word: what the sender is, `stranger`, or what a code has just made of them. */
const wordOf = (admission: Admission) =>
  admission._tag === "Stranger" ? "stranger" : `${admission.role}${admission.holdsCode ? ", by code" : ""}`
const admit = (text: string, user?: number, more?: object) =>
  Effect.map(
    Permission.use((service) => service.admit(bot, says(text, user, more))),
    wordOf
  )
const code = Effect.map(
  Permission.use((service) => service.claimCode(bot)),
  (found) => Redacted.value(Option.getOrThrow(found))
)
const count = (table: "members" | "refusals") =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    transaction(defaultTenant, (sql) =>
      Effect.map(sql<{ n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`, (rows) => rows[0]?.n)
    )
  )
/** Refusals are sent in the background: give them the time. */
const sent = Effect.gen(function* () {
  yield* Effect.yieldNow
  const calls = yield* BotRecorder.use((recorder) => recorder.calls)
  return calls.flatMap((call) =>
    call.method === "send" && call.content._tag === "Text" ? [call.content.text.text] : []
  )
})

describe("a list of allowed users", () => {
  it.effect("admits those on it and nobody else, and has no code", () =>
    with_({ allowed: [7] })(
      Effect.gen(function* () {
        assert.strictEqual(yield* admit("hi", 7), "owner")
        assert.strictEqual(yield* admit("hi", 8), "stranger")
        const service = yield* Permission
        assert.deepStrictEqual(yield* service.role(bot, 7), Option.some("owner"))
        assert.isTrue(Option.isNone(yield* service.claimCode(bot)))
      })
    )
  )
})

describe("a bot nobody owns", () => {
  it.effect("becomes the first's who sends the code; then there is no code any more", () =>
    claiming(
      Effect.gen(function* () {
        assert.strictEqual(yield* admit("hello"), "stranger")
        const secret = yield* code
        assert.strictEqual(yield* code, secret)
        assert.strictEqual(yield* admit(`/start ${secret}`), "owner, by code")
        assert.strictEqual(yield* admit("hello"), "owner")
        assert.strictEqual(yield* admit(secret, 8), "stranger")
        assert.isTrue(Option.isNone(yield* Permission.use((service) => service.claimCode(bot))))
      })
    )
  )

  it.live("becomes exactly one's of those who send the code at once, on several replicas", () =>
    claiming(
      Effect.gen(function* () {
        // Another replica has its own memory: the database alone decides.
        const replica = yield* Layer.build(Layer.fresh(People.layer()))
        const here = yield* code
        const there = yield* Effect.provide(code, replica)
        const { transaction } = yield* TenantScope
        // Both have found no member and wait for the same row when it is let go.
        const held = yield* Deferred.make<void>()
        const letGo = yield* Deferred.make<void>()
        yield* Effect.forkScoped(
          transaction(defaultTenant, (sql) =>
            sql`SELECT 1 FROM tenants FOR UPDATE`.pipe(
              Effect.andThen(Deferred.succeed(held, undefined)),
              Effect.andThen(Deferred.await(letGo))
            )
          )
        )
        yield* Deferred.await(held)
        const claims = [
          yield* Effect.forkScoped(admit(here, 100)),
          yield* Effect.forkScoped(Effect.provide(admit(there, 101), replica))
        ]
        const waiting = transaction(
          defaultTenant,
          (sql) => sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`
        )
        while ((yield* waiting)[0]!.n < 2) yield* Effect.sleep("10 millis")
        yield* Deferred.succeed(letGo, undefined)
        const outcomes = yield* Effect.forEach(claims, Fiber.join)
        assert.deepStrictEqual([...outcomes].sort(), ["owner, by code", "stranger"])
        assert.strictEqual(yield* count("members"), 1)
      })
    )
  )

  it.effect("is claimed at one replica with the code another printed", () =>
    claiming(
      Effect.gen(function* () {
        const other = yield* Layer.build(Layer.fresh(People.layer()))
        const printed = yield* Effect.provide(code, other)
        assert.strictEqual(yield* admit(`/start ${printed}`), "owner, by code")
      })
    )
  )

  it.effect("after five wrong codes an hour even the right one of that person is not taken", () =>
    claiming(
      Effect.gen(function* () {
        const secret = yield* code
        for (let n = 0; n < 5; n++) assert.strictEqual(yield* admit("/start wrong"), "stranger")
        assert.strictEqual(yield* admit(secret), "stranger")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* admit(secret), "owner, by code")
        assert.strictEqual((yield* sent).filter((text) => text.includes("not the claim code")).length, 5)
      })
    )
  )
})

describe("a bot that was added", () => {
  it.effect("is nobody's until a person is added: it asks for no claim code, has none and takes none", () =>
    claiming(
      Effect.gen(function* () {
        const service = yield* Permission
        const added = { ...bot, app: AppId.make("added") }
        const ask = (text: string) => Effect.map(service.admit(added, says(text)), wordOf)
        assert.isTrue(Option.isNone(yield* service.claimCode(added)))
        assert.strictEqual(yield* ask("hello"), "stranger")
        assert.match((yield* sent).join(), /^Sorry, I am a personal assistant/)
        assert.strictEqual(yield* ask(`/start ${claimCodeOf(new Uint8Array(32).fill(7), added)}`), "stranger")
        assert.strictEqual(yield* count("members"), 0)
        const members = yield* Members
        yield* members.add(bot.tenant, { user: UserId.make(7), role: "owner" }, "admin")
        assert.strictEqual(yield* ask("hello"), "owner")
      })
    )
  )
})

describe("strangers", () => {
  const owned = Effect.flatMap(code, (secret) => admit(secret))

  it.effect("are told once a day, in their language, and nothing about them is kept", () =>
    claiming(
      Effect.gen(function* () {
        yield* owned
        const russian = { from: userOf(8, { language_code: "ru" }) }
        for (let minute = 0; minute < 5; minute++) {
          assert.strictEqual(yield* admit("secret words", 8, russian), "stranger")
          yield* TestClock.adjust("2 minutes")
        }
        const told = yield* sent
        assert.strictEqual(told.length, 1)
        const [call] = yield* BotRecorder.use((recorder) => recorder.calls)
        assert.deepInclude(call, { method: "send", options: { deadline: 30_000 } })
        assert.match(told[0]!, /личный помощник/)
        assert.strictEqual(yield* count("refusals"), 1)
        const rows = yield* TenantScope.use(({ transaction }) =>
          transaction(
            defaultTenant,
            (sql) => sql<{ row: string }>`SELECT refusals::text AS row FROM refusals`
          )
        )
        assert.notMatch(JSON.stringify(rows), /secret|User 8/)
        yield* TestClock.adjust("1 day")
        yield* admit("again", 8, russian)
        assert.strictEqual((yield* sent).length, 2)
        assert.strictEqual(yield* count("refusals"), 1)
      })
    )
  )

  it.effect("are not told again after a restart on the same day", () =>
    claiming(
      Effect.gen(function* () {
        yield* owned
        yield* admit("hi", 8)
        const restarted = yield* Layer.build(Layer.fresh(People.layer()))
        yield* Effect.provide(admit("hi", 8), restarted)
        assert.strictEqual((yield* sent).length, 1)
      })
    )
  )

  it.effect("in groups they are passed over in silence", () =>
    claiming(
      Effect.gen(function* () {
        yield* owned
        const group = { chat: { id: -5, type: "supergroup", title: "g" } }
        assert.strictEqual(yield* admit("hi", 8, group), "stranger")
        assert.strictEqual(yield* admit("hi", 7, group), "owner")
        assert.deepStrictEqual(yield* sent, [])
      })
    )
  )

  it.effect("a crowd of them costs twenty messages a minute, and whoever may use the bot does not wait", () =>
    claiming(
      Effect.gen(function* () {
        yield* owned
        const recorder = yield* BotRecorder
        yield* recorder.before("send", Effect.never)
        for (let user = 100; user < 200; user++) assert.strictEqual(yield* admit("hi", user), "stranger")
        assert.strictEqual(yield* admit("hi"), "owner")
        assert.strictEqual((yield* sent).length, 20)
      })
    )
  )
})

describe("members", () => {
  it.effect("the language they last wrote in is kept, of all who write at once; of a stranger none", () =>
    claiming(
      Effect.gen(function* () {
        const service = yield* Permission
        const written = (user: number, language?: string) =>
          says("hi", user, { from: userOf(user, language === undefined ? {} : { language_code: language }) })
        yield* Effect.flatMap(code, (secret) => admit(secret))
        yield* Members.use((members) =>
          members.add(defaultTenant, { user: UserId.make(8), role: "member" }, "admin")
        )
        assert.isTrue(Option.isNone(yield* service.language(bot, 7)))
        const languages = Effect.forEach([7, 8, 9], (user) =>
          Effect.map(service.language(bot, user), Option.getOrUndefined)
        )
        yield* service.heard(bot, [written(7, "de"), written(8, "fr"), written(9, "it"), written(7, "ru")])
        assert.deepStrictEqual(yield* languages, ["ru", "fr", undefined])
        yield* service.heard(bot, [written(7, "de"), written(7, "ru")])
        assert.deepStrictEqual(yield* languages, ["ru", "fr", undefined])
        yield* service.heard(bot, [written(7), written(8, "en")])
        assert.deepStrictEqual(yield* languages, ["ru", "en", undefined])
        assert.strictEqual(yield* count("members"), 2)
      })
    )
  )

  it.effect("one who was removed behind the program's back is a stranger after half a minute at most", () =>
    claiming(
      Effect.gen(function* () {
        yield* Effect.flatMap(code, (secret) => admit(secret))
        yield* admit("hi")
        yield* TenantScope.use(({ transaction }) =>
          transaction(defaultTenant, (sql) => sql`UPDATE members SET user_id = 9`)
        )
        yield* TestClock.adjust("31 seconds")
        assert.strictEqual(yield* admit("hi"), "stranger")
        assert.strictEqual(yield* admit("hi", 9), "owner")
      })
    )
  )
})
