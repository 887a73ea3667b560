import { assert, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { defaultTenant, type TenantId } from "../../src/domain/Ids.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { makeFakeTelegram } from "./FakeTelegram.ts"
import { added, ann, beneath, by, eventually, key, moves, process, state, watching } from "./support.ts"

it.live("what is of a disabled tenant rests, with a reason, until the tenant is enabled again", () => {
  const { layer, world: telegram } = makeFakeTelegram([ann])
  let served: ReadonlyArray<TenantId> = [defaultTenant]
  const serve = (tenants: ReadonlyArray<TenantId>) =>
    Effect.gen(function* () {
      served = tenants
      const { transaction } = yield* TenantScope
      const { notify } = yield* Signals
      yield* transaction(key.tenant, (sql) => notify(sql, "zapiska_directory", key.tenant))
    })
  return Effect.gen(function* () {
    yield* added()
    const manager = yield* SessionManager
    const login = Effect.flatMap(watching(manager.loginByQr(key, by)), ({ ended }) => ended)
    const refusedLogin = Effect.map(login, (result) => Result.getOrThrow(Result.flip(result))._tag)
    yield* serve([])
    assert.strictEqual(yield* refusedLogin, "TenantDisabled")
    assert.strictEqual(yield* state, "ABSENT")
    yield* serve([defaultTenant])
    const { ended } = yield* watching(manager.loginByQr(key, by))
    yield* eventually(state, (now) => now === "PENDING_QR")
    yield* telegram.scan({ _tag: "Accepted", account: ann.id })
    yield* ended
    let working = 0
    yield* manager.start(key, () =>
      Effect.sync(() => working++).pipe(
        Effect.andThen(Effect.never),
        Effect.ensuring(Effect.sync(() => working--))
      )
    )
    yield* eventually(
      Effect.sync(() => working),
      (now) => now === 1
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const session = yield* manager.client(key)
        yield* serve([])
        assert.strictEqual((yield* Effect.flip(session.ended))._tag, "TenantDisabled")
      })
    )
    const refusal = Effect.map(Effect.flip(Effect.scoped(manager.client(key))), ({ _tag }) => _tag)
    assert.strictEqual(yield* refusal, "TenantDisabled")
    assert.strictEqual((yield* Effect.flip(manager.validate(key)))._tag, "TenantDisabled")
    assert.strictEqual(working, 0)
    // Nobody is logged out by it.
    assert.strictEqual(yield* state, "AUTHORIZED")
    assert.strictEqual(telegram.valid(), 1)
    yield* serve([defaultTenant])
    assert.strictEqual((yield* Effect.scoped(Effect.flatMap(manager.client(key), ({ me }) => me))).id, ann.id)
    yield* eventually(
      Effect.sync(() => working),
      (now) => now === 1
    )
  }).pipe(
    Effect.provide(process(layer, { tenants: Effect.sync(() => served) }).pipe(Layer.provideMerge(beneath)))
  )
})

it.live("a login under way ends when its tenant is disabled, and nothing of it is kept", () => {
  const { layer, world: telegram } = makeFakeTelegram([ann])
  let served: ReadonlyArray<TenantId> = [defaultTenant]
  return Effect.gen(function* () {
    yield* added()
    const manager = yield* SessionManager
    const { ended } = yield* watching(manager.loginByQr(key, by))
    yield* eventually(state, (now) => now === "PENDING_QR")
    served = []
    const { transaction } = yield* TenantScope
    const { notify } = yield* Signals
    yield* transaction(key.tenant, (sql) => notify(sql, "zapiska_directory", key.tenant))
    assert.strictEqual(Result.getOrThrow(Result.flip(yield* ended))._tag, "TenantDisabled")
    assert.strictEqual(yield* state, "ABSENT")
    assert.strictEqual((yield* moves).at(-1), "login_cancelled ABSENT")
    assert.strictEqual(telegram.valid(), 0)
  }).pipe(
    Effect.provide(process(layer, { tenants: Effect.sync(() => served) }).pipe(Layer.provideMerge(beneath)))
  )
})
