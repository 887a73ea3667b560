/** Telegram sessions over HTTP. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Schedule } from "effect"
import { AppId, defaultTenant } from "../../../src/domain/Ids.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { canary, makeFakeTelegram } from "../../session/FakeTelegram.ts"
import { ann, apiHash, bob } from "../../session/support.ts"
import { adminApiWith, call, recorded } from "../../support/adminApi.ts"

const path = "/api/tenants/default/sessions"
const shown = (wanted: string) =>
  Effect.repeat(call("GET", `${path}/mine/login`), {
    schedule: Schedule.spaced("20 millis"),
    until: ({ body }) => body?._tag === wanted
  }).pipe(Effect.timeout("90 seconds"))

it.live("a session is added, logged in, looked at and revoked; nothing secret is ever answered", () => {
  const { layer, world } = makeFakeTelegram([ann, bob])
  return Effect.gen(function* () {
    const added = yield* call("POST", path, { payload: { app: "mine", apiId: 12345, apiHash } })
    assert.deepInclude(added.body, { app: "mine", kind: "user", state: "ABSENT" })
    assert.strictEqual(added.status, 201)
    const wrong = yield* call("POST", path, { payload: { app: "mine", apiId: 12345, apiHash: "canary" } })
    assert.strictEqual(wrong.status, 400)
    assert.notInclude(wrong.text, "canary")
    assert.strictEqual((yield* call("GET", `${path}/none`)).status, 404)
    assert.strictEqual((yield* call("GET", `${path}/mine/login`)).status, 404)
    yield* call("POST", `${path}/mine/login`, { payload: {} })
    yield* Effect.repeat(call("GET", `${path}/mine`), {
      schedule: Schedule.spaced("20 millis"),
      until: ({ body }) => body.session.state === "PENDING_QR"
    })
    yield* world.scan(world.qr(1))
    assert.match((yield* shown("Qr")).body.url, /^tg:\/\/login\?token=/)
    yield* world.scan({ _tag: "Accepted", account: bob.id })
    assert.deepInclude((yield* shown("PasswordNeeded")).body, { hint: "the dog", triesLeft: 3 })
    const refused = yield* call("POST", `${path}/mine/login/password`, { payload: { password: "wrong" } })
    assert.strictEqual(refused.status, 409)
    assert.deepInclude(refused.body, { reason: "PasswordRefused" })
    const done = yield* call("POST", `${path}/mine/login/password`, { payload: { password: bob.password } })
    assert.deepStrictEqual(done.body, { _tag: "Authorized", account: { id: bob.id, name: "Bob" } })
    const validated = yield* call("POST", `${path}/mine/validate`)
    assert.deepInclude(validated.body, { state: "AUTHORIZED" })
    const status = yield* call("GET", `${path}/mine`)
    assert.deepStrictEqual(
      status.body.history.map(({ reason }: { readonly reason: string }) => reason),
      ["password_verified", "password_required", "qr_started"]
    )
    const revoked = yield* call("POST", `${path}/mine/revoke`)
    assert.deepInclude(revoked.body.session, { state: "REVOKED" })
    assert.strictEqual(world.valid(), 0)
    assert.deepStrictEqual(yield* recorded("default"), [
      "admin session.added mine",
      "admin session.login_asked mine",
      // Saved Messages, by the login.
      "admin chat.followed mine",
      "admin session.revoked mine"
    ])
    for (const { text } of [added, status, validated, revoked, done, yield* call("GET", path)]) {
      assert.notInclude(text, canary)
      assert.notInclude(text, apiHash)
    }
  }).pipe(Effect.provide(adminApiWith(layer)))
})

it.live("what rests with its tenant says so, and no try is told that is past", () => {
  const mine = { tenant: defaultTenant, app: AppId.make("mine") }
  const seen = Effect.gen(function* () {
    const { body } = yield* call("GET", `${path}/mine`)
    for (const list of [path, "/api/sessions"])
      assert.deepStrictEqual((yield* call("GET", list)).body, [body.session])
    return body.session
  })
  return Effect.gen(function* () {
    yield* call("POST", path, { payload: { app: "mine", apiId: 12345, apiHash } })
    const now = yield* Clock.currentTimeMillis
    const failed = (nextTry: number) =>
      SessionStore.use(({ note }) =>
        note(mine, { actor: "system" }, { error: "Nobody answers", nextTry, nextTryBecause: "trouble" })
      )
    yield* failed(now + 3_600_000)
    assert.deepInclude(yield* seen, { nextTry: now + 3_600_000, nextTryBecause: "trouble" })
    yield* failed(now - 1)
    const later = yield* seen
    assert.deepInclude(later, { lastError: "Nobody answers", failures: 2 })
    assert.notProperty(later, "nextTry")
    assert.notProperty(later, "tenantDisabled")
    yield* call("POST", "/api/tenants/default/disable")
    assert.deepInclude(yield* seen, { state: "ABSENT", tenantDisabled: true })
    yield* call("POST", "/api/tenants/default/enable")
    assert.notProperty(yield* seen, "tenantDisabled")
  }).pipe(Effect.provide(adminApiWith(makeFakeTelegram([]).layer)))
})
