/** What programs that are tested against it may rely on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, Stream } from "effect"
import { AppId, ChatId, defaultTenant } from "../../src/domain/Ids.ts"
import { FakeTelegram } from "../../src/telegram/FakeTelegram.ts"
import {
  type ConnectOptions,
  FloodWait,
  UserClient,
  type UserSession,
  type UserUpdate
} from "../../src/telegram/UserClient.ts"

const ann = { id: 42, name: "Ann", phone: "+4915550042" }
const bob = { id: 43, name: "Bob", password: "right", hint: "the dog", phone: "+4915550043" }
const channel = ChatId.make(-1001)

const connected = (options: Partial<ConnectOptions> = {}) =>
  UserClient.use(({ connect }) =>
    connect({
      account: { tenant: defaultTenant, app: AppId.make("mine") },
      apiId: 1,
      apiHash: Redacted.make(""),
      kept: Option.none(),
      mayWrite: Effect.void,
      ...options
    })
  )
const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)
const secret = (text: string) => Redacted.make(text)
const logIn = Effect.fnUntraced(function* (session: UserSession, who: typeof ann) {
  yield* session.sendCode(secret(who.phone))
  return yield* session.signIn(secret((yield* FakeTelegram).code))
})
const fake = FakeTelegram.layer([ann, bob])

describe("FakeTelegram", () => {
  it.effect("logs an account in by code, and knows it again by what is kept of it", () =>
    Effect.gen(function* () {
      const session = yield* connected()
      assert.strictEqual(yield* tagOf(session.me), "AuthKeyUnregistered")
      assert.strictEqual(yield* tagOf(session.sendCode(secret("+1"))), "PhoneWrong")
      yield* session.sendCode(secret(ann.phone))
      assert.strictEqual(yield* tagOf(session.signIn(secret("0"))), "CodeWrong")
      yield* logIn(session, ann)
      const again = yield* connected({ kept: Option.some({ session: yield* session.exportSession }) })
      assert.deepStrictEqual(yield* again.me, yield* session.me)
      yield* again.logOut
      assert.strictEqual(yield* tagOf(session.me), "AuthKeyUnregistered")
      assert.strictEqual(
        yield* tagOf(connected({ kept: Option.some({ session: secret("another's") }) })),
        "SessionUnreadable"
      )
    }).pipe(Effect.scoped, Effect.provide(fake))
  )

  it.effect("logs an account in by scan, and asks for its password", () =>
    Effect.gen(function* () {
      const { qr, scan } = yield* FakeTelegram
      assert.isFalse(yield* scan(qr(1)))
      const session = yield* connected()
      for (const step of [qr(1), { _tag: "Scanned" }, { _tag: "Accepted", account: bob.id }] as const)
        assert.isTrue(yield* scan(step))
      const steps = yield* Stream.runCollect(session.loginByQr)
      assert.deepStrictEqual(
        steps.map(({ _tag }) => _tag),
        ["Code", "Scanned", "PasswordNeeded"]
      )
      assert.strictEqual(yield* tagOf(session.checkPassword(secret("wrong"))), "PasswordWrong")
      assert.strictEqual((yield* session.checkPassword(secret(bob.password))).name, "Bob")
      const strange = yield* connected({ expected: (yield* session.me).id })
      assert.strictEqual(yield* tagOf(logIn(strange, ann)), "WrongAccount")
    }).pipe(Effect.scoped, Effect.provide(fake))
  )

  it.effect(
    "answers with any trouble, with the death of a key, and nothing once nothing may be written",
    () =>
      Effect.gen(function* () {
        const telegram = yield* FakeTelegram
        let owned = true
        const mayWrite = Effect.suspend(() => (owned ? Effect.void : Effect.fail("lost")))
        const session = yield* connected({ mayWrite })
        yield* logIn(session, ann)
        telegram.trouble = new FloodWait({ method: "users.getUsers", seconds: 60 })
        assert.deepInclude(yield* Effect.flip(session.me), { _tag: "FloodWait", seconds: 60 })
        telegram.trouble = undefined
        for (const [state, tag] of [
          ["revoked", "SessionRevoked"],
          ["duplicated", "AuthKeyDuplicated"],
          ["unregistered", "AuthKeyUnregistered"]
        ] as const) {
          telegram.set(state)
          assert.strictEqual(yield* tagOf(session.me), tag)
        }
        const { asked } = telegram
        owned = false
        assert.strictEqual(yield* tagOf(session.me), "OwnershipEnded")
        assert.strictEqual(telegram.asked, asked)
      }).pipe(Effect.scoped, Effect.provide(fake))
  )

  it.effect("tells each account its own updates, of the chats it is asked for", () =>
    Effect.gen(function* () {
      const { tell } = yield* FakeTelegram
      const missed = (source: "saved" | ChatId): UserUpdate => ({ _tag: "Missed", source })
      yield* tell(bob.id, missed("saved"))
      yield* tell(ann.id, missed("saved"))
      yield* tell(ann.id, missed(channel))
      const session = yield* connected()
      yield* logIn(session, ann)
      const told = yield* Stream.runCollect(Stream.take(session.updates([channel]), 1))
      assert.deepStrictEqual(told, [missed(channel)])
    }).pipe(Effect.scoped, Effect.provide(fake))
  )
})
