/** How people's sessions end, against a Telegram of the test's own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Result } from "effect"
import { AppId } from "../../src/domain/Ids.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Vault } from "../../src/session/Vault.ts"
import { NetworkDown, UserClient } from "../../src/telegram/UserClient.ts"
import { makeFakeTelegram } from "./FakeTelegram.ts"
import { process } from "./process.ts"
import { client, lives, loggedIn, refusal } from "./scenes.ts"
import { added, ann, beneath, by, eventually, key, secrets, state, watching } from "./support.ts"

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
      assert.strictEqual((yield* Effect.flip(manager.revoke(key, "admin")))._tag, "NothingToRevoke")
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

  lives("ends a login that is under way, and with it whatever was to end along", () =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { ended, next } = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
      yield* next("CodeSent")
      let along = 0
      const revoked = manager.revoke(
        key,
        "admin",
        Effect.sync(() => void along++)
      )
      assert.deepStrictEqual(yield* revoked, {})
      assert.strictEqual(along, 1)
      assert.deepInclude(Result.getOrThrow(Result.flip(yield* ended)), { _tag: "LoginCancelled" })
      assert.strictEqual(yield* state, "ABSENT")
      assert.strictEqual((yield* Effect.flip(revoked))._tag, "NothingToRevoke")
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

describe("removing", () => {
  lives("waits for the session to end, and takes all there is of it", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const { names } = yield* Vault
      yield* loggedIn(telegram)
      assert.strictEqual((yield* Effect.flip(manager.remove(key)))._tag, "StillLoggedIn")
      assert.strictEqual(telegram.valid(), 1)
      yield* manager.revoke(key, "admin")
      let along = false
      yield* manager.remove(
        key,
        Effect.sync(() => {
          along = true
        })
      )
      assert.isTrue(along)
      assert.deepStrictEqual(yield* manager.list(key.tenant), [])
      assert.deepStrictEqual(yield* names(key.tenant), [])
      assert.strictEqual((yield* Effect.flip(manager.remove(key)))._tag, "SessionUnknown")
      // The name is free again, for an API id and hash that are the right ones.
      yield* added()
      yield* loggedIn(telegram)
    })
  )

  lives("leaves an API id and hash another session uses", () =>
    Effect.gen(function* () {
      yield* added()
      const manager = yield* SessionManager
      const other = { ...key, app: AppId.make("other") }
      yield* manager.add(other, { kind: "user", apiKeyAlias: "main" })
      yield* manager.remove(key)
      const { names } = yield* Vault
      assert.deepStrictEqual(yield* names(key.tenant), [{ kind: "api-key", alias: "main" }])
      yield* manager.remove(other)
      assert.deepStrictEqual(yield* names(key.tenant), [])
    })
  )

  lives("is not for bots, nor while somebody logs in", () =>
    Effect.gen(function* () {
      const manager = yield* SessionManager
      const bot = { ...key, app: AppId.make("bot") }
      yield* manager.add(bot, { kind: "bot" })
      assert.strictEqual((yield* Effect.flip(manager.remove(bot)))._tag, "NotAnAccount")
      yield* added()
      const { ended } = yield* watching(manager.loginByQr(key, by))
      yield* eventually(state, (now) => now === "PENDING_QR")
      assert.strictEqual((yield* Effect.flip(manager.remove(key)))._tag, "StillLoggedIn")
      yield* manager.cancel(key)
      yield* ended
      yield* manager.remove(key)
    })
  )
})
