import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Redacted, Result } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Vault } from "../../src/session/Vault.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { FloodWait, NetworkDown, TelegramTrouble, UserClient } from "../../src/telegram/UserClient.ts"
import { code, type FakeTelegram, makeFakeTelegram } from "./FakeTelegram.ts"
import { process } from "./process.ts"
import { added, ann, beneath, bob, by, eventually, key, moves, secrets, state, watching } from "./support.ts"

/** A test with a process of its own, and its Telegram. */
const lives = <E>(
  name: string,
  test: (
    telegram: FakeTelegram
  ) => Effect.Effect<void, E, Layer.Success<ReturnType<typeof process>> | TenantScope>
) =>
  it.live(name, () => {
    const { layer, world } = makeFakeTelegram([ann, bob])
    return test(world).pipe(Effect.provide(process(layer).pipe(Layer.provideMerge(beneath))))
  })

const scanned = Effect.fnUntraced(function* (telegram: FakeTelegram, account: number) {
  yield* eventually(
    Effect.sync(() => telegram.scans),
    (scans) => scans !== undefined
  )
  yield* Queue.offer(telegram.scans, { _tag: "Accepted", account })
})

const loggedIn = Effect.fnUntraced(function* (telegram: FakeTelegram) {
  const { loginByQr } = yield* SessionManager
  const { ended, next } = yield* watching(loginByQr(key, by))
  yield* eventually(
    Effect.map((yield* SessionManager).status(key), ({ state }) => state),
    (state) => state === "PENDING_QR"
  )
  yield* scanned(telegram, ann.id)
  yield* next("Authorized")
  yield* ended
})

const client = Effect.flatMap(SessionManager, (manager) => manager.client(key))
const refusal = Effect.map(Effect.flip(Effect.scoped(client)), ({ _tag }) => _tag)

describe("a login by QR", () => {
  lives("shows each fresh code, the scan, and ends with a session that works", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { ended, next } = yield* watching(manager.loginByQr(key, by))
      yield* eventually(state, (now) => now === "PENDING_QR")
      for (const nth of [1, 2]) {
        yield* Queue.offer(telegram.scans, telegram.code(nth))
        assert.include(Redacted.value((yield* next("Qr")).url), `-${nth}`)
      }
      // Somebody else looks at it: the same login, from where it is.
      const other = yield* watching(manager.loginByQr(key, { actor: "admin" }))
      assert.include(Redacted.value((yield* other.next("Qr")).url), "-2")
      yield* Queue.offer(telegram.scans, { _tag: "Scanned" })
      yield* next("Scanned")
      yield* scanned(telegram, ann.id)
      assert.deepInclude((yield* next("Authorized")).account, { id: ann.id, name: "Ann" })
      assert.isTrue(Result.isSuccess(yield* ended))
      assert.isTrue(Result.isSuccess(yield* other.ended))
      assert.deepStrictEqual(yield* moves, [
        "qr_started PENDING_QR",
        "qr_scanned PENDING_QR",
        "authorization_success AUTHORIZED"
      ])
      const info = yield* manager.status(key)
      assert.deepInclude(info, { state: "AUTHORIZED", account: { id: ann.id, name: "Ann" } })
      assert.notProperty(info, "apiKeyAlias")
      yield* Effect.scoped(Effect.flatMap(client, ({ me }) => me))
      const again = yield* watching(manager.loginByQr(key, by))
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* again.ended)), { _tag: "AlreadyAuthorized" })
    })
  )

  lives("asks for the password, three times at most", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      for (const right of [false, true]) {
        const { ended, next } = yield* watching(manager.loginByQr(key, by))
        yield* eventually(state, (now) => now === "PENDING_QR")
        assert.strictEqual(
          (yield* Effect.flip(manager.submitPassword(key, Redacted.make("early"))))._tag,
          "NoLogin"
        )
        yield* scanned(telegram, bob.id)
        assert.deepInclude(yield* next("PasswordNeeded"), { hint: "the dog", triesLeft: 3 })
        for (const triesLeft of right ? [2] : [2, 1, 0]) {
          const error = yield* Effect.flip(manager.submitPassword(key, Redacted.make("wrong")))
          assert.deepInclude(error, { _tag: "PasswordRefused", triesLeft })
        }
        if (right) {
          const done = yield* manager.submitPassword(key, Redacted.make(bob.password))
          assert.deepInclude(done, { _tag: "Authorized", account: { id: bob.id, name: "Bob" } })
        } else assert.strictEqual(yield* eventually(state, (now) => now === "ABSENT"), "ABSENT")
        assert.strictEqual(Result.isSuccess(yield* ended), right)
      }
      assert.deepStrictEqual(yield* moves, [
        "qr_started PENDING_QR",
        "password_required PENDING_PASSWORD",
        "password_refused ABSENT",
        "qr_started PENDING_QR",
        "password_required PENDING_PASSWORD",
        "password_verified AUTHORIZED"
      ])
    })
  )

  lives("refuses an account that is not the expected one, and keeps nothing of it", (telegram) =>
    Effect.gen(function* () {
      yield* added({ expected: UserId.make(7) })
      const { ended } = yield* watching((yield* SessionManager).loginByQr(key, by))
      yield* eventually(state, (now) => now === "PENDING_QR")
      yield* scanned(telegram, ann.id)
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* ended)), {
        _tag: "AccountRefused",
        expected: UserId.make(7)
      })
      assert.deepStrictEqual(yield* moves, ["qr_started PENDING_QR", "account_refused ABSENT"])
      assert.deepStrictEqual(yield* secrets, [])
      assert.strictEqual(telegram.valid(), 0)
    })
  )

  lives("can be cancelled, and ends at its deadline", () =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { ended } = yield* watching(manager.loginByQr(key, by))
      yield* eventually(state, (now) => now === "PENDING_QR")
      assert.strictEqual(yield* refusal, "NotAuthorized")
      yield* manager.cancel(key)
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* ended)), { _tag: "LoginCancelled" })
      assert.strictEqual((yield* Effect.flip(manager.cancel(key)))._tag, "NoLogin")
      const late = yield* watching(manager.loginByQr(key, { ...by, within: "300 millis" }))
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* late.ended)), { _tag: "LoginExpired" })
      assert.strictEqual(yield* state, "ABSENT")
      assert.deepStrictEqual(yield* moves, [
        "qr_started PENDING_QR",
        "login_cancelled ABSENT",
        "qr_started PENDING_QR",
        "login_expired ABSENT"
      ])
    })
  )
})

describe("a login by code", () => {
  lives("takes the right code, after a wrong one", () =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { next, ended } = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
      assert.deepInclude((yield* next("CodeSent")).sent, { via: "app", length: 5 })
      const other = yield* watching(manager.loginByCode(key, Redacted.make("+1"), by))
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* other.ended)), { _tag: "LoginUnderWay" })
      const wrong = yield* Effect.flip(manager.submitCode(key, Redacted.make("00000")))
      assert.deepInclude(wrong, { _tag: "CodeRefused", triesLeft: 2 })
      assert.strictEqual((yield* manager.submitCode(key, Redacted.make(code)))._tag, "Authorized")
      assert.isTrue(Result.isSuccess(yield* ended))
      assert.deepStrictEqual(yield* moves, ["code_sent PENDING_CODE", "authorization_success AUTHORIZED"])
    })
  )

  lives("that Telegram delays is not begun before its time", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      telegram.trouble = new FloodWait({ method: "auth.sendCode", seconds: 60 })
      for (const _ of ["told by Telegram", "known here"]) {
        const { ended } = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
        assert.deepInclude(Result.getOrThrow(Result.flip(yield* ended)), { _tag: "RateLimited" })
      }
      assert.strictEqual(telegram.connected, 1)
      assert.deepStrictEqual(yield* moves, [])
    })
  )
})

describe("a client", () => {
  lives("is one for all who ask for it at once", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const before = telegram.connected
      yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => Effect.scoped(Effect.flatMap(client, ({ me }) => me)),
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(telegram.connected - before, 1)
      assert.strictEqual(telegram.mostAtOnce, 1)
    })
  )

  lives("is not had by those who are not logged in, with the reason", () =>
    Effect.gen(function* () {
      yield* added()
      assert.strictEqual(yield* refusal, "NotAuthorized")
    })
  )

  for (const [named, found, left, told] of [
    ["AUTH_KEY_UNREGISTERED", "unregistered", "ABSENT", "NotAuthorized"],
    ["AUTH_KEY_DUPLICATED", "duplicated", "ABSENT", "NotAuthorized"],
    ["SESSION_REVOKED", "revoked", "REVOKED", "Revoked"]
  ] as const) {
    lives(
      `that Telegram answers with ${named} is over: nothing is kept, and Telegram is not asked again`,
      (telegram) =>
        Effect.gen(function* () {
          yield* added()
          yield* loggedIn(telegram)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const session = yield* client
              telegram.set(found)
              yield* Effect.flip(session.me)
              // Whoever has it learns that it is over.
              assert.strictEqual((yield* Effect.flip(session.ended))._tag, told)
            })
          )
          assert.strictEqual(yield* state, left)
          assert.deepStrictEqual(yield* secrets, [])
          const { connected } = telegram
          assert.strictEqual(yield* refusal, told)
          assert.strictEqual(telegram.connected, connected)
          // A clean login heals it.
          yield* loggedIn(telegram)
          yield* Effect.scoped(client)
        })
    )
  }

  lives("that has to wait says until when, and asks nothing meanwhile", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      telegram.trouble = new FloodWait({ method: "users.getUsers", seconds: 600 })
      assert.strictEqual(yield* refusal, "RateLimited")
      const { connected } = telegram
      assert.strictEqual(yield* refusal, "RateLimited")
      assert.strictEqual(telegram.connected, connected)
      assert.deepInclude(yield* (yield* SessionManager).status(key), {
        state: "STALE",
        nextTryBecause: "flood"
      })
    })
  )

  lives("that cannot reach Telegram is tried again ever more rarely, and recovers", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      telegram.trouble = new NetworkDown({ method: "connect" })
      assert.strictEqual(yield* refusal, "CircuitOpen")
      const { connected } = telegram
      assert.strictEqual(yield* refusal, "CircuitOpen")
      assert.strictEqual(telegram.connected, connected)
      const overdue = Effect.flatMap(TenantScope, ({ transaction }) =>
        transaction(key.tenant, (sql) => sql`UPDATE sessions SET next_try = now() - interval '1 second'`)
      )
      yield* overdue
      telegram.trouble = new TelegramTrouble({ method: "users.getUsers" })
      assert.strictEqual(yield* refusal, "CircuitOpen")
      assert.strictEqual((yield* (yield* SessionManager).status(key)).failures, 2)
      yield* overdue
      telegram.trouble = undefined
      yield* Effect.scoped(client)
      assert.deepInclude(yield* (yield* SessionManager).status(key), { state: "AUTHORIZED", failures: 0 })
      assert.deepStrictEqual((yield* moves).slice(-2), [
        "validation_failed STALE",
        "validation_success AUTHORIZED"
      ])
    })
  )

  for (const [damage, statement] of [
    ["changed", `UPDATE vault_secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)`],
    ["cut", `UPDATE vault_secrets SET sealed = substring(sealed FROM 1 FOR 30)`],
    [
      "sealed under a lost key",
      `UPDATE vault_secrets SET sealed = overlay(sealed PLACING '\\x0102030405060708'::bytea FROM 2)`
    ],
    [
      "another secret's",
      `UPDATE vault_secrets SET sealed = (SELECT sealed FROM vault_secrets WHERE kind = 'api-key')`
    ]
  ] as const) {
    lives(`whose material is ${damage} is set aside, and a clean login follows`, (telegram) =>
      Effect.gen(function* () {
        yield* added()
        yield* loggedIn(telegram)
        const { transaction } = yield* TenantScope
        yield* transaction(key.tenant, (sql) =>
          sql.unsafe(`${statement} WHERE kind = 'session' AND alias = 'mine'`)
        )
        assert.strictEqual(yield* refusal, "Corrupted")
        // No second look at what is known to be broken.
        assert.strictEqual(yield* refusal, "NotAuthorized")
        assert.deepStrictEqual(yield* secrets, [])
        const aside = yield* transaction(key.tenant, (sql) => sql`SELECT kind, alias FROM vault_quarantine`)
        assert.deepStrictEqual(aside, [{ kind: "session", alias: "mine" }])
        assert.deepStrictEqual((yield* moves).slice(-1), ["material_corrupted ABSENT"])
        yield* loggedIn(telegram)
        yield* Effect.scoped(client)
      })
    )
  }

  lives("needs an API id and hash, and says which is wrong with them", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const { put, remove } = yield* Vault
      yield* put(key.tenant, { kind: "api-key", alias: "main" }, Redacted.make("not: such"))
      assert.strictEqual(yield* refusal, "CredentialsMissing")
      yield* remove(key.tenant, { kind: "api-key", alias: "main" })
      assert.strictEqual(yield* refusal, "CredentialsMissing")
      assert.strictEqual(yield* state, "AUTHORIZED")
    })
  )
})

describe("revoking", () => {
  lives("logs out at Telegram, destroys what is kept, and takes the client from whoever has it", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const manager = yield* SessionManager
      yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* client
          assert.deepStrictEqual(yield* manager.revoke(key, "admin"), {})
          yield* Effect.flip(session.ended)
        })
      )
      assert.strictEqual(telegram.valid(), 0)
      assert.strictEqual(yield* state, "REVOKED")
      assert.deepStrictEqual(yield* secrets, [])
      assert.strictEqual(yield* refusal, "Revoked")
      assert.strictEqual((yield* Effect.flip(manager.revoke(key, "admin")))._tag, "IllegalMove")
      assert.strictEqual(telegram.mostAtOnce, 1)
    })
  )

  lives(
    "destroys what is kept also when Telegram cannot be reached, and says what is left to do",
    (telegram) =>
      Effect.gen(function* () {
        yield* added()
        yield* loggedIn(telegram)
        telegram.trouble = new NetworkDown({ method: "auth.logOut" })
        const { problem } = yield* (yield* SessionManager).revoke(key, "admin")
        assert.match(problem ?? "", /Settings → Devices/)
        assert.strictEqual(yield* state, "REVOKED")
        assert.deepStrictEqual(yield* secrets, [])
      })
  )

  it.live("does not wait for a connection that is not answered", () => {
    const { layer, world: telegram } = makeFakeTelegram([ann])
    let hanging = 0
    const slow = Layer.effect(
      UserClient,
      Effect.map(UserClient, ({ connect }) =>
        UserClient.of({
          connect: (options) =>
            Effect.suspend(() =>
              telegram.trouble === undefined || hanging++ > 0 ? connect(options) : Effect.never
            )
        })
      )
    ).pipe(Layer.provide(layer))
    return Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      telegram.trouble = new NetworkDown({ method: "connect" })
      const waiting = yield* Effect.forkChild(refusal)
      yield* eventually(
        Effect.sync(() => hanging),
        (many) => many === 1
      )
      const revoked = yield* Effect.forkChild((yield* SessionManager).revoke(key, "admin"))
      assert.strictEqual(yield* Fiber.join(waiting), "HeldElsewhere")
      assert.match((yield* Fiber.join(revoked)).problem ?? "", /Settings → Devices/)
      assert.strictEqual(yield* state, "REVOKED")
    }).pipe(Effect.provide(process(slow).pipe(Layer.provideMerge(beneath))))
  })
})

describe("work with an account", () => {
  lives("begins anew when it died of a mistake of ours", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const manager = yield* SessionManager
      const begun = yield* Queue.unbounded<number>()
      let nth = 0
      yield* manager.start(key, () =>
        Effect.andThen(
          Queue.offer(begun, ++nth),
          Effect.suspend(() => (nth === 1 ? Effect.die(new Error("a mistake")) : Effect.never))
        )
      )
      assert.deepStrictEqual(yield* Queue.takeN(begun, 2), [1, 2])
    })
  )
})

describe("an idle session", () => {
  lives("is asked for when it is due, recovers when it can, and is gone when it is", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const manager = yield* SessionManager
      telegram.trouble = new NetworkDown({ method: "users.getUsers" })
      assert.strictEqual((yield* Effect.flip(manager.validate(key)))._tag, "CircuitOpen")
      assert.strictEqual(yield* state, "STALE")
      telegram.trouble = undefined
      const { transaction } = yield* TenantScope
      yield* transaction(key.tenant, (sql) => sql`UPDATE sessions SET next_try = NULL`)
      assert.deepInclude(yield* manager.validate(key), { state: "AUTHORIZED" })
      telegram.set("unregistered")
      assert.strictEqual((yield* Effect.flip(manager.validate(key)))._tag, "NotAuthorized")
      assert.deepStrictEqual((yield* moves).slice(-3), [
        "validation_failed STALE",
        "validation_success AUTHORIZED",
        "session_expired ABSENT"
      ])
    })
  )
})
