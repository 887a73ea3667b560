/** What befalls a session that is logged in, over the real client: what is done about it, and what its users are told. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, type Scope, Stream } from "effect"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import type { UserUpdate } from "../../../src/telegram/UserClient.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { added, eventually, key, moves, secrets, state } from "../support.ts"
import { ada, beneath, called, loggedIn, process, withoutPassword } from "./support.ts"

type Beneath = Layer.Success<typeof beneath>

const lives = <E>(
  name: string,
  test: (
    telegram: LoopbackTelegram["Service"],
    manager: SessionManager["Service"]
  ) => Effect.Effect<void, E, Layer.Success<typeof process> | Beneath | Scope.Scope>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      yield* added()
      yield* loggedIn()
      yield* test(telegram, yield* SessionManager)
    }).pipe(Effect.scoped, Effect.provide(process), Effect.provide(beneath))
  )

const client = Effect.flatMap(SessionManager, (manager) => manager.client(key))
const refusal = Effect.map(Effect.flip(Effect.scoped(client)), ({ _tag }) => _tag)

describe("a session that is over", () => {
  for (const [text, code, left, told] of [
    ["AUTH_KEY_UNREGISTERED", 401, "ABSENT", "NotAuthorized"],
    ["AUTH_KEY_DUPLICATED", 406, "ABSENT", "NotAuthorized"],
    ["SESSION_REVOKED", 401, "REVOKED", "Revoked"],
    ["USER_DEACTIVATED_BAN", 401, "REVOKED", "Revoked"]
  ] as const) {
    lives(`as ${text} is so for all who use it, is kept no longer, and heals by a login`, (telegram) =>
      Effect.gen(function* () {
        const session = yield* client
        yield* telegram.refuseKeys(ada.id, { code, text })
        yield* Effect.flip(session.me)
        assert.strictEqual((yield* Effect.flip(session.ended))._tag, told)
        assert.strictEqual(yield* state, left)
        assert.deepStrictEqual(yield* secrets, [])
        yield* eventually(telegram.connections, (open) => open === 0)
        const { length } = yield* telegram.received
        assert.strictEqual(yield* refusal, told)
        assert.lengthOf(yield* telegram.received, length)
        yield* loggedIn()
        yield* Effect.scoped(client)
      })
    )
  }

  lives("because the data centre has forgotten its key is kept no longer", (telegram) =>
    Effect.gen(function* () {
      const session = yield* client
      yield* telegram.forgetKeys(ada.id)
      yield* telegram.cut
      yield* Effect.flip(session.me)
      assert.strictEqual((yield* Effect.flip(session.ended))._tag, "NotAuthorized")
      assert.strictEqual(yield* state, "ABSENT")
      assert.deepStrictEqual(yield* secrets, [])
    })
  )

  lives(
    "because its account moved and its login could not be carried over is kept no longer, and heals by a login",
    (telegram, manager) =>
      Effect.gen(function* () {
        const session = yield* client
        yield* telegram.refuse("auth.exportAuthorization", { code: 400, text: "DC_ID_INVALID", times: 100 })
        yield* telegram.move(ada.id, 4)
        assert.strictEqual((yield* Effect.flip(session.me))._tag, "AccountMoved")
        assert.strictEqual((yield* Effect.flip(session.ended))._tag, "NotAuthorized")
        assert.deepStrictEqual(yield* secrets, [])
        assert.deepInclude(yield* manager.status(key), { state: "ABSENT" })
        assert.match((yield* manager.status(key)).lastError ?? "", /another data centre.*log in again/)
        assert.strictEqual(yield* refusal, "NotAuthorized")
        yield* loggedIn()
        yield* Effect.scoped(client)
      })
  )

  lives("because it is revoked is logged out at Telegram, and its client closed first", (telegram, manager) =>
    Effect.gen(function* () {
      const session = yield* client
      assert.deepStrictEqual(yield* manager.revoke(key, "admin"), {})
      yield* Effect.flip(session.ended)
      assert.strictEqual(yield* called("auth.logOut"), 1)
      assert.strictEqual(yield* telegram.loggedIn(ada.id), 0)
      assert.deepStrictEqual(yield* secrets, [])
      yield* eventually(telegram.connections, (open) => open === 0)
      assert.strictEqual(yield* refusal, "Revoked")
    })
  )
})

describe("a live session", () => {
  lives("survives cut sockets without a word of it", (telegram) =>
    Effect.gen(function* () {
      const session = yield* client
      for (const _ of [1, 2, 3]) {
        yield* telegram.cut
        assert.strictEqual(Number((yield* session.me).id), ada.id)
      }
      assert.strictEqual((yield* moves).length, 2)
    })
  )

  lives("goes on at the data centre its account moved to, whoever uses it, and after a restart", (telegram) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* client
          const updates = yield* Queue.unbounded<UserUpdate>()
          yield* Effect.forkScoped(
            Stream.runForEach(session.updates(["saved"]), (update) => Queue.offer(updates, update))
          )
          yield* eventually(called("updates.getDifference"), (times) => times > 0)
          const exported = yield* called("auth.exportAuthorization")
          yield* telegram.move(ada.id, 4)
          const all = yield* Effect.all(Array(5).fill(session.me) as Array<typeof session.me>, {
            concurrency: "unbounded"
          })
          for (const { id } of all) assert.strictEqual(Number(id), ada.id)
          assert.strictEqual((yield* called("auth.exportAuthorization")) - exported, 1)
          for (const text of ["missed while it moved", "pushed from there"]) {
            yield* telegram.say(ada.id, { text })
            yield* eventually(Queue.take(updates), ({ _tag }) => _tag === "Message")
          }
          assert.strictEqual(yield* state, "AUTHORIZED")
          assert.strictEqual((yield* moves).length, 2)
        })
      )
      yield* SessionManager.use(({ stop }) => stop(key))
      const exported = yield* called("auth.exportAuthorization")
      yield* Effect.scoped(client)
      // It is known where it lives.
      assert.strictEqual(yield* called("auth.exportAuthorization"), exported)
    })
  )

  lives("is left as it is when its account moved and the other data centre has trouble", (telegram) =>
    Effect.gen(function* () {
      const session = yield* client
      yield* telegram.refuse("auth.importAuthorization", { code: 420, text: "FLOOD_WAIT_600" })
      yield* telegram.move(ada.id, 4)
      assert.strictEqual((yield* Effect.flip(session.me))._tag, "FloodWait")
      assert.strictEqual(yield* state, "STALE")
      assert.include(yield* secrets, key.app)
      assert.strictEqual(yield* refusal, "RateLimited")
    })
  )

  lives("that is over while a file of another data centre is fetched ends like any other", (telegram) =>
    Effect.gen(function* () {
      const session = yield* client
      const file = yield* telegram.addFile({
        name: "big.bin",
        mime: "application/octet-stream",
        size: 10,
        dc: 4
      })
      yield* telegram.say(ada.id, { text: "a file", media: telegram.attachment(file) })
      const [message] = yield* Stream.runCollect(session.history("saved", { since: 0 }))
      const [attachment] = message!.attachments
      assert.isTrue(attachment !== undefined && "file" in attachment)
      yield* telegram.endSessions(ada.id)
      if (attachment !== undefined && "file" in attachment)
        yield* Effect.flip(Stream.runDrain(session.download(attachment.file)))
      yield* Effect.flip(session.me)
      assert.strictEqual((yield* Effect.flip(session.ended))._tag, "NotAuthorized")
      assert.strictEqual(yield* state, "ABSENT")
    })
  )

  lives("waits out a short flood wait, and for a long one says until when", (telegram, manager) =>
    Effect.gen(function* () {
      const session = yield* client
      yield* telegram.refuse("users.getUsers", { code: 420, text: "FLOOD_WAIT_1" })
      yield* session.me
      assert.strictEqual(yield* state, "AUTHORIZED")
      yield* telegram.refuse("users.getUsers", { code: 420, text: "FLOOD_WAIT_600" })
      assert.strictEqual((yield* Effect.flip(session.me))._tag, "FloodWait")
      const asked = yield* called("users.getUsers")
      assert.strictEqual(yield* refusal, "RateLimited")
      assert.strictEqual(yield* called("users.getUsers"), asked)
      assert.deepInclude(yield* manager.status(key), { state: "STALE", nextTryBecause: "flood" })
    })
  )
})

/** A process that lives for a moment: what was due when it began it has looked at. */
const looked = (holds: string) =>
  Effect.gen(function* () {
    const { status } = Context.get(yield* Layer.build(process), SessionManager)
    return yield* eventually(status(key), (info) => info.state === holds)
  }).pipe(Effect.scoped)

const due = Effect.flatMap(TenantScope, ({ transaction }) =>
  transaction(
    key.tenant,
    (sql) =>
      sql`UPDATE sessions SET last_activity = now() - interval '10 minutes',
            next_try = CASE WHEN next_try IS NULL THEN NULL ELSE now() - interval '1 second' END`
  )
)

describe("an idle session", () => {
  it.live("is looked at when it is due: stale when that fails, well again, gone when it is", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(withoutPassword)
      yield* Effect.andThen(added(), loggedIn()).pipe(Effect.provide(process))
      yield* due
      yield* telegram.refuse("users.getUsers", { code: 500, text: "INTERNAL", times: 100 })
      const { nextTry, lastError } = yield* looked("STALE")
      assert.isDefined(nextTry)
      assert.match(lastError ?? "", /Telegram has trouble/)
      yield* telegram.refuse("users.getUsers", { code: 500, text: "INTERNAL" })
      yield* due
      yield* looked("AUTHORIZED")
      yield* due
      yield* telegram.endSessions(ada.id)
      yield* looked("ABSENT")
      const reasons = yield* moves.pipe(Effect.provide(process))
      assert.deepStrictEqual(reasons.slice(-3), [
        "validation_failed STALE",
        "validation_success AUTHORIZED",
        "session_expired ABSENT"
      ])
      assert.strictEqual(yield* telegram.connections, 0)
    }).pipe(Effect.provide(beneath))
  )
})

describe("the updates of a session", () => {
  lives("end when it is over while they are followed", (telegram) =>
    Effect.gen(function* () {
      const session = yield* client
      const followed = yield* Effect.forkScoped(Effect.flip(Stream.runDrain(session.updates(["saved"]))))
      yield* eventually(called("updates.getDifference"), (times) => times > 0)
      yield* telegram.refuseKeys(ada.id, { code: 401, text: "SESSION_REVOKED" })
      yield* telegram.cut
      assert.strictEqual((yield* Fiber.join(followed))._tag, "SessionRevoked")
      assert.strictEqual((yield* Effect.flip(session.ended))._tag, "Revoked")
      assert.strictEqual(yield* state, "REVOKED")
    })
  )
})
