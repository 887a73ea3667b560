/** Logins as a person goes through them, with the real client against data centres that check every proof. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Redacted, Result } from "effect"
import { UserId } from "../../../src/domain/Ids.ts"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { added, by, eventually, key, moves, secrets, state, watching } from "../support.ts"
import { ada, another, beneath, called, loggedIn, process, secret, withoutPassword } from "./support.ts"

const lives = <E>(
  name: string,
  test: (
    telegram: LoopbackTelegram["Service"],
    manager: SessionManager["Service"]
  ) => Effect.Effect<void, E, Layer.Success<typeof process> | Layer.Success<typeof beneath>>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      return yield* test(yield* LoopbackTelegram, yield* SessionManager)
    }).pipe(Effect.provide(process), Effect.provide(beneath))
  )

/** The account of whoever has the client of the session. */
const owner = Effect.flatMap(SessionManager, ({ client }) =>
  Effect.scoped(Effect.flatMap(client(key), ({ me }) => Effect.map(me, ({ id }) => Number(id))))
)
const failure = <A, E>(ended: Effect.Effect<Result.Result<A, E>>) =>
  Effect.map(ended, (result) => Result.getOrThrow(Result.flip(result)))

describe("a login by QR", () => {
  lives(
    "shows a fresh code each time Telegram's expires, tells of the scan, and is in",
    (telegram, manager) =>
      Effect.gen(function* () {
        yield* telegram.addAccount(withoutPassword)
        yield* added()
        telegram.login.qrSeconds = 1
        const { ended, next } = yield* watching(manager.loginByQr(key, by))
        const urls = [yield* next("Qr"), yield* next("Qr"), yield* next("Qr")].map(({ url }) =>
          Redacted.value(url)
        )
        assert.strictEqual(new Set(urls).size, 3)
        yield* eventually(telegram.scan(ada.id), (scanned) => scanned)
        yield* next("Scanned")
        const { account } = yield* next("Authorized")
        assert.deepStrictEqual(account, { id: UserId.make(ada.id), name: "Ada", username: "ada" })
        assert.isTrue(Result.isSuccess(yield* ended))
        assert.strictEqual(yield* owner, ada.id)
        assert.strictEqual(yield* telegram.loggedIn(ada.id), 1)
        assert.deepStrictEqual(yield* moves, [
          "qr_started PENDING_QR",
          "qr_scanned PENDING_QR",
          "authorization_success AUTHORIZED"
        ])
      })
  )

  lives("goes on when its sockets are cut while the code is shown", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount(withoutPassword)
      yield* added()
      const { next } = yield* watching(manager.loginByQr(key, by))
      yield* next("Qr")
      const before = yield* called("updates.getState")
      yield* telegram.cut
      // It listens again.
      yield* eventually(called("updates.getState"), (times) => times > before)
      yield* telegram.scan(ada.id)
      yield* next("Authorized")
      assert.strictEqual(yield* owner, ada.id)
    })
  )

  lives("of an account that lives elsewhere is kept with its data centre", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount({ ...withoutPassword, dc: 4 })
      yield* added()
      const { next } = yield* watching(manager.loginByQr(key, by))
      yield* next("Qr")
      yield* telegram.scan(ada.id)
      yield* next("Authorized")
      assert.strictEqual(yield* owner, ada.id)
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 1)
    })
  )

  lives("shows the hint, and is over after three wrong passwords: nothing is kept", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount(ada)
      yield* added()
      const { ended, next } = yield* watching(manager.loginByQr(key, by))
      yield* next("Qr")
      yield* telegram.scan(ada.id)
      assert.deepInclude(yield* next("PasswordNeeded"), { hint: ada.hint, triesLeft: 3 })
      for (const triesLeft of [2, 1, 0]) {
        const error = yield* Effect.flip(manager.submitPassword(key, secret(`wrong ${triesLeft}`)))
        assert.deepInclude(error, { _tag: "PasswordRefused", triesLeft })
      }
      assert.strictEqual((yield* failure(ended))._tag, "PasswordRefused")
      assert.strictEqual(yield* called("auth.checkPassword"), 3)
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.deepStrictEqual(yield* secrets, [])
      yield* eventually(telegram.connections, (open) => open === 0)
      assert.deepStrictEqual((yield* moves).slice(-2), [
        "password_required PENDING_PASSWORD",
        "password_refused ABSENT"
      ])
    })
  )

  lives("of another account than the expected one logs it out again and keeps nothing", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount(withoutPassword)
      yield* added({ expected: UserId.make(7_002) })
      const { ended, next } = yield* watching(manager.loginByQr(key, by))
      yield* next("Qr")
      yield* telegram.scan(ada.id)
      assert.strictEqual((yield* failure(ended))._tag, "AccountRefused")
      assert.strictEqual(yield* called("auth.logOut"), 1)
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.deepStrictEqual(yield* secrets, [])
      assert.strictEqual(yield* state, "ABSENT")
    })
  )

  lives("that is cancelled or late leaves no socket open, and its code lets nobody in", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount(withoutPassword)
      yield* added()
      const { ended, next } = yield* watching(manager.loginByQr(key, by))
      yield* next("Qr")
      yield* manager.cancel(key)
      assert.strictEqual((yield* failure(ended))._tag, "LoginCancelled")
      yield* eventually(telegram.connections, (open) => open === 0)
      const late = yield* watching(manager.loginByQr(key, { ...by, within: "1 second" }))
      assert.strictEqual((yield* failure(late.ended))._tag, "LoginExpired")
      yield* eventually(telegram.connections, (open) => open === 0)
      yield* telegram.scan(ada.id)
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.strictEqual(yield* state, "ABSENT")
    })
  )
})

describe("a login by code", () => {
  lives("refuses a wrong code and a wrong password, and takes the right ones", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount({ ...ada, dc: 4 })
      yield* added()
      const { ended, next } = yield* watching(manager.loginByCode(key, secret("+49 170 1112233"), by))
      assert.deepInclude((yield* next("CodeSent")).sent, { via: "app", length: 5 })
      assert.deepInclude(yield* Effect.flip(manager.submitCode(key, secret("00000"))), {
        _tag: "CodeRefused",
        triesLeft: 2
      })
      assert.deepInclude(yield* manager.submitCode(key, secret(ada.code)), {
        _tag: "PasswordNeeded",
        hint: ada.hint
      })
      assert.deepInclude(yield* Effect.flip(manager.submitPassword(key, secret("hunter2"))), {
        _tag: "PasswordRefused",
        triesLeft: 2
      })
      assert.strictEqual((yield* manager.submitPassword(key, secret(ada.password)))._tag, "Authorized")
      assert.isTrue(Result.isSuccess(yield* ended))
      assert.strictEqual(yield* owner, ada.id)
      assert.deepStrictEqual(yield* moves, [
        "code_sent PENDING_CODE",
        "password_required PENDING_PASSWORD",
        "password_verified AUTHORIZED"
      ])
    })
  )

  lives("that Telegram delays is not begun again before its time", (telegram, manager) =>
    Effect.gen(function* () {
      yield* telegram.addAccount(withoutPassword)
      yield* added()
      yield* telegram.refuse("auth.sendCode", { code: 420, text: "FLOOD_WAIT_600" })
      for (const _ of ["told by Telegram", "known here"]) {
        const { ended } = yield* watching(manager.loginByCode(key, secret(ada.phone), by))
        assert.strictEqual((yield* failure(ended))._tag, "RateLimited")
      }
      assert.strictEqual(yield* called("auth.sendCode"), 1)
      assert.strictEqual(yield* state, "ABSENT")
    })
  )

  lives("is one of several at once, each its own account's", (telegram, manager) =>
    Effect.gen(function* () {
      const people = Array.from({ length: 8 }, (_, nth) => ({ id: 9_000 + nth, phone: `49171${nth}` }))
      for (const one of people) yield* telegram.addAccount(one)
      yield* added()
      yield* Effect.forEach(
        people,
        Effect.fnUntraced(function* (person) {
          const session = another(`mine-${person.id}`)
          yield* manager.add(session, { kind: "user", apiKeyAlias: "main" })
          yield* loggedIn(person, session)
          const account = yield* Effect.scoped(Effect.flatMap(manager.client(session), ({ me }) => me))
          assert.strictEqual(Number(account.id), person.id)
        }),
        { concurrency: "unbounded" }
      )
      for (const { id } of people) assert.strictEqual(yield* telegram.loggedIn(id), 1)
    })
  )
})
