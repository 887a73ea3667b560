/** How people log their accounts in, against a Telegram of the test's own. */
import { assert, describe } from "@effect/vitest"
import { Clock, Duration, Effect, Latch, Redacted, Result } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { FloodWait, NetworkDown } from "../../src/telegram/UserClient.ts"
import { code } from "./FakeTelegram.ts"
import { client, lives, refusal, scanned } from "./scenes.ts"
import { added, ann, bob, by, eventually, key, moves, secrets, state, watching } from "./support.ts"

describe("a login by QR", () => {
  lives("shows each fresh code, the scan, and ends with a session that works", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { ended, next } = yield* watching(manager.loginByQr(key, by))
      yield* eventually(state, (now) => now === "PENDING_QR")
      for (const nth of [1, 2]) {
        yield* telegram.scan(telegram.qr(nth))
        assert.include(Redacted.value((yield* next("Qr")).url), `-${nth}`)
      }
      // Somebody else looks at it: the same login, from where it is.
      const other = yield* watching(manager.loginByQr(key, { actor: "admin" }))
      assert.include(Redacted.value((yield* other.next("Qr")).url), "-2")
      yield* telegram.scan({ _tag: "Scanned" })
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
      const within = Duration.minutes(7)
      const deadline = yield* Latch.make()
      const clock = yield* Clock.Clock
      const ours: Clock.Clock = Object.assign(Object.create(clock), {
        sleep: (duration: Duration.Duration) =>
          Duration.equals(duration, within) ? deadline.await : clock.sleep(duration)
      })
      const late = yield* watching(manager.loginByQr(key, { ...by, within })).pipe(
        Effect.provideService(Clock.Clock, ours)
      )
      yield* eventually(state, (now) => now === "PENDING_QR")
      yield* deadline.open
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

  lives("that fails before it has begun leaves the reason where operators look, until the next", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      telegram.trouble = new NetworkDown({ method: "auth.sendCode" })
      const failed = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
      const { message } = Result.getOrThrow(Result.flip(yield* failed.ended))
      assert.match(message, /auth.sendCode: Telegram cannot be reached/)
      assert.notInclude(message, ann.phone)
      assert.deepInclude(yield* manager.status(key), { state: "ABSENT", lastError: message })
      telegram.trouble = undefined
      const { next } = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
      yield* next("CodeSent")
      assert.notProperty(yield* manager.status(key), "lastError")
      assert.deepStrictEqual(yield* moves, ["code_sent PENDING_CODE"])
    })
  )
})
