/** Sessions as one process has them, beside others or alone; for tests of it and for processes that are one. */
import { randomBytes } from "node:crypto"
import { Effect, Layer, Redacted } from "effect"
import { defaultTenant, type TenantId, UserId } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import { type LockStore, makeLocks } from "../../src/lock/Leasing.ts"
import { Lease, Locks } from "../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../src/lock/LocksMemory.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { SessionEvents, type SessionKey } from "../../src/session/SessionEvents.ts"
import { leaseOf } from "../../src/session/SessionLife.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { SessionSecrets } from "../../src/session/SessionSecrets.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import type { UserClient } from "../../src/telegram/UserClient.ts"

/** Of all processes of a test, unless they are processes of the machine. */
export const masterKey = Redacted.make(new Uint8Array(randomBytes(32)))

/** The locks of one process, over a store several may share. */
export const locksOf = (store: LockStore) =>
  Layer.effect(
    Locks,
    Effect.flatMap(Fences, (fences) => makeLocks(store, fences))
  ).pipe(Layer.provide(Fences.layer))

const soleLocks = Layer.unwrap(Effect.map(makeMemoryStore, locksOf))

/** One process. What it stands on is given apart, for several may stand on the same. */
export const process = (
  users: Layer.Layer<UserClient>,
  options: {
    /** Those that are served. */
    readonly tenants?: Effect.Effect<ReadonlyArray<TenantId>>
    readonly replica?: string
    readonly locks?: typeof soleLocks
    readonly masterKey?: typeof masterKey
  } = {}
) =>
  SessionManager.layer({ tenants: options.tenants ?? Effect.succeed([defaultTenant]) }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(FollowStore.layer, SessionSecrets.layer, SessionEvents.layer, TaskManager.layer)
    ),
    Layer.provideMerge(
      Layer.mergeAll(
        Audit.layer,
        SessionStore.layer({ replica: options.replica ?? "one" }),
        Vault.layer({ masterKey: options.masterKey ?? masterKey }),
        users,
        options.locks ?? soleLocks
      )
    )
  )

/** Leaves a session as a login of this account would have, without one. */
export const authorized = Effect.fnUntraced(function* (
  key: SessionKey,
  account: number,
  session: Redacted.Redacted<string>
) {
  const { move } = yield* SessionStore
  const { keep } = yield* SessionSecrets
  const authorize = Effect.gen(function* () {
    const by = { actor: "admin", fence: (yield* Lease).fence }
    yield* move(key, "code_sent", by)
    const who = { id: UserId.make(account), name: "Ada" }
    yield* move(key, "authorization_success", by, { account: who }, keep(key, { session }))
  })
  yield* (yield* Locks).withLease(leaseOf(key))(authorize)
})
