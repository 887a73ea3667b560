/** Logging in and out, with the real client against data centres that agree on real keys and check real proofs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Queue, Redacted, Stream } from "effect"
import { UserId } from "../../../src/domain/Ids.ts"
import type { QrState, UserSession } from "../../../src/telegram/UserClient.ts"
import { ada, connect, connectAs, layer } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"

const secret = Redacted.make<string>

/** The states as they come, one by one. */
const qrStates = Effect.fnUntraced(function* (session: UserSession) {
  const states = yield* Queue.unbounded<QrState>()
  const fiber = yield* Effect.forkScoped(
    Stream.runForEach(session.loginByQr, (state) => Queue.offer(states, state))
  )
  return { next: Queue.take(states), ended: Fiber.join(fiber) }
})

const { password, ...withoutPassword } = ada

describe("login by QR code", () => {
  it.live("shows a fresh code when Telegram's expires, tells of the scan, and is in", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      telegram.login.qrSeconds = 1
      const session = yield* connect()
      const { next, ended } = yield* qrStates(session)
      const first = yield* next
      telegram.login.qrSeconds = 60
      const second = yield* next
      assert(first._tag === "Code" && second._tag === "Code")
      assert.match(Redacted.value(first.url), /^tg:\/\/login\?token=[\w-]{20,}$/)
      assert.notStrictEqual(Redacted.value(first.url), Redacted.value(second.url))
      assert.isAtLeast(second.expires, first.expires + 1000)
      assert.isTrue(yield* telegram.scan(ada.id))
      assert.deepStrictEqual(yield* next, { _tag: "Scanned" })
      assert.deepStrictEqual(yield* next, {
        _tag: "Authorized",
        account: { id: UserId.make(ada.id), name: "Ada", username: "ada" }
      })
      yield* ended
      assert.strictEqual((yield* session.me).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("asks for the password with its hint, and takes the right one after two wrong ones", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(ada)
      const session = yield* connect()
      const { next, ended } = yield* qrStates(session)
      yield* next
      yield* telegram.scan(ada.id)
      yield* next
      assert.deepStrictEqual(yield* next, { _tag: "PasswordNeeded", hint: ada.hint })
      yield* ended
      for (const wrong of ["password", "hunter2"]) {
        assert.strictEqual((yield* Effect.flip(session.checkPassword(secret(wrong))))._tag, "PasswordWrong")
      }
      assert.strictEqual((yield* session.checkPassword(secret(password))).id, ada.id)
      assert.strictEqual((yield* session.me).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("moves to the data centre the account lives in", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount({ ...withoutPassword, dc: 4 })
      const session = yield* connect()
      const { next } = yield* qrStates(session)
      yield* next
      yield* telegram.scan(ada.id)
      yield* next
      assert.strictEqual((yield* next)._tag, "Authorized")
      const kept = yield* session.exportSession
      const again = yield* connect({ kept: Option.some({ session: kept }) })
      assert.strictEqual((yield* again.me).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("can be left and begun again on the same connection", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      const session = yield* connect()
      const [left] = yield* session.loginByQr.pipe(Stream.take(1), Stream.runCollect)
      const { next } = yield* qrStates(session)
      const fresh = yield* next
      assert(left?._tag === "Code" && fresh._tag === "Code")
      assert.notStrictEqual(Redacted.value(left.url), Redacted.value(fresh.url))
      yield* telegram.scan(ada.id)
      yield* next
      assert.strictEqual((yield* next)._tag, "Authorized")
    }).pipe(Effect.provide(layer))
  )

  it.live("refuses another account than the expected one and logs it out again", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      yield* telegram.addAccount({ id: 7_002, phone: "491702222222" })
      const session = yield* connect({ expected: UserId.make(7_002) })
      const { next, ended } = yield* qrStates(session)
      yield* next
      yield* telegram.scan(ada.id)
      yield* next
      assert.strictEqual((yield* Effect.flip(ended))._tag, "WrongAccount")
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
    }).pipe(Effect.provide(layer))
  )
})

describe("login by code", () => {
  it.live("says where the code went, refuses a wrong one, takes the right one, asks for the password", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(ada)
      const session = yield* connect()
      const sent = yield* session.sendCode(secret("+49 170 1112233"))
      assert.deepStrictEqual(sent, { via: "app", length: 5 })
      assert.strictEqual((yield* Effect.flip(session.signIn(secret("00000"))))._tag, "CodeWrong")
      const needed = yield* Effect.flip(session.signIn(secret(ada.code)))
      assert(needed._tag === "PasswordNeeded")
      assert.strictEqual(needed.hint, ada.hint)
      assert.strictEqual((yield* session.checkPassword(secret(password))).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("moves to the account's data centre, and tells an old code from a wrong one", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount({ ...withoutPassword, dc: 4 })
      const session = yield* connect()
      assert.strictEqual((yield* Effect.flip(session.signIn(secret("12345"))))._tag, "CodeExpired")
      assert.strictEqual((yield* Effect.flip(session.sendCode(secret("+1 555 000"))))._tag, "PhoneWrong")
      yield* session.sendCode(secret(ada.phone))
      yield* telegram.expireCodes
      assert.strictEqual((yield* Effect.flip(session.signIn(secret(ada.code))))._tag, "CodeExpired")
      yield* session.sendCode(secret(ada.phone))
      assert.strictEqual((yield* session.signIn(secret(ada.code))).id, ada.id)
    }).pipe(Effect.provide(layer))
  )
})

describe("a session", () => {
  it.live("is the same after it was exported and imported", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      const first = yield* connectAs(ada.id)
      const kept = yield* first.exportSession
      const second = yield* connect({ kept: Option.some({ session: kept, peers: yield* first.exportPeers }) })
      assert.strictEqual((yield* second.me).id, ada.id)
      assert.strictEqual(Redacted.value(yield* second.exportSession), Redacted.value(kept))
    }).pipe(Effect.provide(layer))
  )

  it.live("is worth nothing after its log-out", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      const session = yield* connectAs(ada.id)
      const kept = yield* session.exportSession
      yield* session.logOut
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.strictEqual((yield* Effect.flip(session.me))._tag, "AuthKeyUnregistered")
      const later = yield* Effect.flip(Effect.scoped(connect({ kept: Option.some({ session: kept }) })))
      assert.strictEqual(later._tag, "AuthKeyUnregistered")
    }).pipe(Effect.provide(layer))
  )

  it.live("that cannot be read is said so, without a word of it", () =>
    Effect.gen(function* () {
      const session = secret('{"version":1,"keys":{"2":"c2VjcmV0')
      const error = yield* Effect.flip(Effect.scoped(connect({ kept: Option.some({ session }) })))
      assert(error._tag === "SessionUnreadable")
      assert.strictEqual(error.part, "session")
      assert.notInclude(JSON.stringify(error), "c2VjcmV0")
    }).pipe(Effect.provide(layer))
  )
})
