import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Queue, Redacted } from "effect"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Vault } from "../../src/session/Vault.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { FloodWait, NetworkDown, TelegramTrouble, UserClient } from "../../src/telegram/UserClient.ts"
import { makeFakeTelegram } from "./FakeTelegram.ts"
import { process } from "./process.ts"
import { client, lives, loggedIn, refusal } from "./scenes.ts"
import { added, ann, beneath, key, moves, secrets, state } from "./support.ts"

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
      const due = (away: string) =>
        Effect.flatMap(TenantScope, ({ transaction }) =>
          transaction(key.tenant, (sql) => sql`UPDATE sessions SET next_try = now() + ${away}::interval`)
        )
      const before = yield* Clock.currentTimeMillis
      assert.strictEqual(yield* refusal, "CircuitOpen")
      const { nextTry } = yield* (yield* SessionManager).status(key)
      assert.isAbove(nextTry ?? 0, before)
      // However slow the machine is.
      yield* due("1 hour")
      const { connected } = telegram
      assert.strictEqual(yield* refusal, "CircuitOpen")
      assert.strictEqual(telegram.connected, connected)
      const overdue = due("-1 second")
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

describe("work with an account", () => {
  it.live("that a mistake of ours keeps from its client leaves word of it", () => {
    const errors: Array<unknown> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Error") errors.push(message)
    })
    const { layer, world: telegram } = makeFakeTelegram([ann])
    let wrong = false
    const mistaken = Layer.effect(
      UserClient,
      Effect.map(UserClient, ({ connect }) =>
        UserClient.of({
          connect: (options) =>
            Effect.suspend(() => (wrong ? Effect.die(new Error("a mistake")) : connect(options)))
        })
      )
    ).pipe(Layer.provide(layer))
    return Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      wrong = true
      assert.strictEqual(yield* refusal, "HeldElsewhere")
      assert.include(String(errors), "The client of session default/mine ended by a mistake of ours")
      wrong = false
      yield* Effect.scoped(client)
    }).pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provide(process(mistaken).pipe(Layer.provideMerge(beneath)))
    )
  })

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
  lives("is asked for again also in the millisecond in which it answered first", (telegram) =>
    Effect.gen(function* () {
      yield* added()
      yield* loggedIn(telegram)
      const manager = yield* SessionManager
      const clock = yield* Clock.Clock
      const now = clock.currentTimeMillisUnsafe()
      const standing: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => now,
        currentTimeMillis: Effect.succeed(now)
      })
      yield* Effect.gen(function* () {
        assert.deepInclude(yield* manager.validate(key), { state: "AUTHORIZED" })
        telegram.set("unregistered")
        assert.strictEqual((yield* Effect.flip(manager.validate(key)))._tag, "NotAuthorized")
      }).pipe(Effect.provideService(Clock.Clock, standing))
    })
  )

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
