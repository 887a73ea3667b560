/** What a connection survives, when it ends, and that nothing of it is told to anyone. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Redacted, References, Scope, Stream } from "effect"
import { ada, apiHash, connect, connectAs, layer } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"

const { password: _, ...person } = ada

/** How often bytes came. */
const bytes = Effect.map(
  LoopbackTelegram.use(({ received }) => received),
  (all) => all.filter(({ what }) => what === "bytes").length
)
/** Nothing has come for a while: what was written has arrived. */
const quiet = Effect.gen(function* () {
  let before = -1
  for (let now = yield* bytes; now !== before; now = yield* bytes) {
    before = now
    yield* Effect.sleep("400 millis")
  }
})

describe("a connection", () => {
  it.live("answers a call whose sockets were cut under it", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      const session = yield* connectAs(ada.id)
      const silent = yield* Scope.make()
      yield* telegram.silence("users.getUsers").pipe(Scope.provide(silent))
      const call = yield* Effect.forkScoped(session.me)
      yield* Effect.repeat(Effect.sleep("10 millis"), {
        until: () =>
          Effect.runSync(telegram.received).filter(({ name }) => name === "users.getUsers").length >= 2
      })
      yield* Scope.close(silent, Exit.void)
      yield* telegram.cut
      assert.strictEqual((yield* Fiber.join(call)).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("writes not one byte more once it may not, though calls and pings are due", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      let owned = true
      const mayWrite = Effect.suspend(() => (owned ? Effect.void : Effect.fail("over")))
      const session = yield* connectAs(ada.id, { mayWrite })
      yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(session.updates(["saved"]))))
      yield* session.me
      owned = false
      yield* quiet
      const before = yield* bytes
      assert.strictEqual((yield* Effect.flip(session.me))._tag, "OwnershipEnded")
      // An update asks for an acknowledgement, a cut for a new connection: neither is given.
      yield* telegram.say(ada.id, { text: "still there?" })
      yield* telegram.cut
      assert.strictEqual((yield* Effect.flip(session.ping))._tag, "OwnershipEnded")
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(yield* bytes, before)
      assert.strictEqual(yield* telegram.connections, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("is not even opened where it may not write", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      const error = yield* Effect.flip(connectAs(ada.id, { mayWrite: Effect.fail("not mine") }))
      assert.strictEqual(error._tag, "OwnershipEnded")
      assert.deepStrictEqual(yield* telegram.received, [])
    }).pipe(Effect.provide(layer))
  )

  it.live("waits out a short flood wait, and tells a long one", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      const session = yield* connectAs(ada.id)
      yield* telegram.refuse("users.getUsers", { code: 420, text: "FLOOD_WAIT_1" })
      assert.strictEqual((yield* session.me).id, ada.id)
      yield* telegram.refuse("users.getUsers", { code: 420, text: "FLOOD_WAIT_3600" })
      const error = yield* Effect.flip(session.me)
      assert(error._tag === "FloodWait")
      assert.isAtLeast(error.seconds, 3599)
    }).pipe(Effect.provide(layer))
  )

  it.live("says when Telegram cannot be reached", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      const session = yield* connectAs(ada.id)
      yield* telegram.setReachable(false)
      const error = yield* Effect.flip(session.me)
      assert.include(["NetworkDown", "Timeout"], error._tag)
      yield* telegram.setReachable(true)
      assert.strictEqual((yield* session.me).id, ada.id)
    }).pipe(Effect.provide(layer))
  )

  it.live("ends with its scope: no socket, no more bytes", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(person)
      const scope = yield* Scope.make()
      const session = yield* connectAs(ada.id).pipe(Scope.provide(scope))
      yield* Effect.forkIn(Effect.ignore(Stream.runDrain(session.updates(["saved"]))), scope)
      yield* session.me
      yield* Scope.close(scope, Exit.void)
      yield* Effect.repeat(Effect.sleep("10 millis"), {
        until: () => Effect.runSync(telegram.connections) === 0
      })
      const before = yield* bytes
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* bytes, before)
    }).pipe(Effect.provide(layer))
  )

  it.live("is one of many in a process, each its own account's", () =>
    Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      const ids = Array.from({ length: 60 }, (_each, nth) => 8_000 + nth)
      for (const id of ids) yield* telegram.addAccount({ id, phone: `49170${id}` })
      const sessions = yield* Effect.forEach(ids, (id) => connectAs(id), { concurrency: "unbounded" })
      const found = yield* Effect.forEach(sessions, ({ me }) => me, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        found.map(({ id }) => Number(id)),
        ids
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("secrets", () => {
  it.live("are in no error, no log and no span, whichever way one looks at them", () => {
    const lines: Array<string> = []
    const listening = Layer.merge(
      Logger.layer([Logger.make((entry) => void lines.push(inspect(entry, { depth: 10 })))]),
      Layer.succeed(References.MinimumLogLevel, "Trace")
    )
    return Effect.gen(function* () {
      const telegram = yield* LoopbackTelegram
      yield* telegram.addAccount(ada)
      const session = yield* connect()
      const failures: Array<unknown> = []
      const fail = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.andThen(Effect.exit(effect), (exit) =>
          Effect.andThen(
            Effect.sync(() => {
              if (Exit.isFailure(exit))
                failures.push(exit.cause, Cause.pretty(exit.cause), Cause.squash(exit.cause))
            }),
            Exit.isFailure(exit) ? Effect.logError("failed", exit.cause) : Effect.void
          )
        )
      yield* session.sendCode(Redacted.make(ada.phone))
      yield* telegram.refuse("auth.signIn", { code: 400, text: "PHONE_CODE_INVALID" })
      yield* fail(session.signIn(Redacted.make(ada.code)))
      yield* fail(session.signIn(Redacted.make(ada.code)))
      yield* telegram.refuse("auth.checkPassword", { code: 400, text: "PASSWORD_HASH_INVALID" })
      yield* fail(session.checkPassword(Redacted.make(ada.password)))
      yield* telegram.refuse("auth.sendCode", { code: 420, text: "FLOOD_WAIT_99" })
      yield* fail(session.sendCode(Redacted.make(ada.phone)))
      yield* telegram.setReachable(false)
      yield* fail(Effect.timeout(session.me, "200 millis"))
      yield* telegram.setReachable(true)
      const kept = yield* session.exportSession
      const key = Redacted.value(kept).slice(20, 60)
      const printed = [
        ...failures.flatMap((failure) => [
          String(failure),
          inspect(failure, { depth: 20, showHidden: true }),
          JSON.stringify(failure)
        ]),
        ...lines,
        inspect(session, { depth: 6 }),
        JSON.stringify({ kept })
      ].join("\n")
      assert.isAtLeast(failures.length, 12)
      for (const secret of [ada.phone, ada.code, ada.password, apiHash, key])
        assert.notInclude(printed, secret)
    }).pipe(Effect.provide([layer, listening]))
  })
})
