/** Several processes that want one session, over one database and one Telegram. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, Redacted, Result, Scope, Stream } from "effect"
import type { LockStore } from "../../src/lock/Leasing.ts"
import { LocksUnavailable } from "../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { canary, code, type FakeTelegram, makeFakeTelegram } from "./FakeTelegram.ts"
import { locksOf, process } from "./process.ts"
import { added, ann, apiHash, beneath, bob, by, eventually, key, watching } from "./support.ts"

const login = Effect.fnUntraced(function* (manager: SessionManager["Service"]) {
  const { ended, next } = yield* watching(manager.loginByCode(key, Redacted.make(ann.phone), by))
  // The row says so a moment before a code is taken.
  yield* next("CodeSent")
  yield* manager.submitCode(key, Redacted.make(code))
  yield* ended
})

/** Two processes, and what the second is told of where locks are. */
const two = Effect.fnUntraced(function* (users: ReturnType<typeof makeFakeTelegram>["layer"]) {
  const store = yield* makeMemoryStore
  const cut = { first: false }
  const unreachable = Effect.fail(new LocksUnavailable({ key: "session", reason: "away" }))
  const first: LockStore = {
    ...store,
    owner: "first",
    renew: (...args) => Effect.suspend(() => (cut.first ? unreachable : store.renew(...args))),
    release: (...args) => Effect.suspend(() => (cut.first ? unreachable : store.release(...args)))
  }
  const started = (owner: string, lockStore: LockStore) =>
    Effect.map(
      Layer.build(process(users, { replica: owner, locks: locksOf(lockStore) }).pipe(Layer.fresh)),
      Context.get(SessionManager)
    )
  const scope = yield* Scope.make()
  const one = yield* Scope.provide(started("first", first), scope)
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const other = yield* started("second", { ...store, owner: "second" })
  return { one, other, cut, end: Scope.close(scope, Exit.void) }
})

const test = (
  name: string,
  body: (
    telegram: FakeTelegram,
    processes: Effect.Success<ReturnType<typeof two>>
  ) => Effect.Effect<void, unknown, TenantScope | Scope.Scope>
) =>
  it.live(name, () => {
    const { layer, world } = makeFakeTelegram([ann, bob])
    return Effect.gen(function* () {
      const processes = yield* two(layer)
      yield* added().pipe(Effect.provide(process(layer)))
      yield* login(processes.one)
      yield* body(world, processes)
      assert.strictEqual(world.mostAtOnce, 1)
    }).pipe(Effect.scoped, Effect.provide(beneath))
  })

test("one process has the client, the other is told who, and has it when that process ends", (_, {
  end,
  one,
  other
}) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* one.client(key)
        const refused = yield* Effect.flip(Effect.scoped(other.client(key)))
        assert.deepInclude(refused, { _tag: "HeldElsewhere", owner: "first" })
      })
    )
    yield* end
    yield* Effect.scoped(Effect.flatMap(other.client(key), ({ me }) => me))
    assert.strictEqual((yield* other.status(key)).owner, "second")
  }))

test("who loses the lease writes nothing more, and the next has a client of its own", (telegram, {
  cut,
  one,
  other
}) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const session = yield* one.client(key)
        cut.first = true
        assert.strictEqual((yield* Effect.flip(session.ended))._tag, "HeldElsewhere")
        const { asked } = telegram
        assert.strictEqual((yield* Effect.flip(session.me))._tag, "OwnershipEnded")
        assert.strictEqual(telegram.asked, asked)
        yield* eventually(Effect.result(Effect.scoped(other.client(key))), ({ _tag }) => _tag === "Success")
      })
    )
  }))

test("revoking it in one process takes it from the other", (telegram, { one, other }) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const session = yield* one.client(key)
        assert.deepStrictEqual(yield* other.revoke(key, "admin"), {})
        yield* Effect.flip(session.ended)
      })
    )
    assert.strictEqual(telegram.valid(), 0)
    assert.strictEqual((yield* Effect.flip(Effect.scoped(one.client(key))))._tag, "Revoked")
  }))

test("a login is answered where it runs: elsewhere it is said where that is", (_, { one, other }) =>
  Effect.gen(function* () {
    yield* one.revoke(key, "admin")
    assert.notProperty(yield* Effect.flip(other.submitCode(key, Redacted.make(code))), "owner")
    const { ended, next } = yield* watching(one.loginByCode(key, Redacted.make(ann.phone), by))
    yield* next("CodeSent")
    for (const answer of [other.submitCode, other.submitPassword]) {
      const refused = yield* Effect.flip(answer(key, Redacted.make(code)))
      assert.deepInclude(refused, { _tag: "NoLogin", owner: "first" })
      assert.include(refused.message, "at first; answer there")
    }
    assert.deepInclude(yield* Effect.flip(Stream.runDrain(other.login(key))), { owner: "first" })
    assert.deepStrictEqual(yield* other.revoke(key, "admin"), {})
    assert.deepInclude(Result.getOrThrow(Result.flip(yield* ended)), { _tag: "LoginCancelled" })
    assert.strictEqual((yield* one.status(key)).state, "ABSENT")
  }))

it.live("nothing of a session is in any line of the log, nor readable in the database", () => {
  const { layer, world } = makeFakeTelegram([ann, bob])
  const lines: Array<string> = []
  const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
  return Effect.gen(function* () {
    yield* added()
    const manager = yield* SessionManager
    const done = yield* Stream.runDrain(manager.loginByQr(key, by)).pipe(
      Effect.forkChild({ startImmediately: true })
    )
    yield* eventually(manager.status(key), ({ state }) => state === "PENDING_QR")
    yield* world.scan(world.qr(1))
    yield* world.scan({ _tag: "Accepted", account: bob.id })
    yield* eventually(manager.status(key), ({ state }) => state === "PENDING_PASSWORD")
    yield* eventually(
      Effect.result(manager.submitPassword(key, Redacted.make(`${canary}-wrong`))),
      (result) => result._tag === "Failure" && result.failure._tag === "PasswordRefused"
    )
    yield* manager.submitPassword(key, Redacted.make(bob.password))
    yield* Fiber.join(done)
    yield* Effect.scoped(manager.client(key))
    yield* manager.validate(key)
    const { transaction } = yield* TenantScope
    const rows = yield* transaction(key.tenant, (sql) =>
      Effect.forEach(["sessions", "session_transitions", "vault_secrets", "vault_quarantine"], (table) =>
        sql.unsafe(`SELECT t::text AS row FROM ${table} t`)
      )
    )
    const hex = (text: string) => Buffer.from(text).toString("hex")
    const dump = JSON.stringify(rows)
    assert.isAbove(lines.length, 2)
    for (const secret of [canary, apiHash, hex(canary), hex(apiHash)]) {
      assert.notInclude(dump, secret)
      assert.notInclude(lines.join("\n"), secret)
    }
  }).pipe(
    Effect.provide(
      process(layer).pipe(Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, logger)))
    )
  )
})
