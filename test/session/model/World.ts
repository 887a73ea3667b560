/**
 * Two processes over one database, one Telegram and one lock store, on a clock that stands still unless time is
 * passed: what can befall them and the session they share, and what is known of it from outside.
 */
import { Clock, Context, Deferred, Effect, Exit, Layer, Queue, Redacted, Scope, Stream } from "effect"
import { AppId, defaultTenant } from "../../../src/domain/Ids.ts"
import type { LockStore } from "../../../src/lock/Leasing.ts"
import { Locks, lockName } from "../../../src/lock/Locks.ts"
import { makeMemoryStore } from "../../../src/lock/LocksMemory.ts"
import type { Scrubber } from "../../../src/ops/Scrub.ts"
import { type SessionEvent, SessionEvents } from "../../../src/session/SessionEvents.ts"
import { leaseOf } from "../../../src/session/SessionLife.ts"
import { SessionManager } from "../../../src/session/SessionManager.ts"
import { Vault } from "../../../src/session/Vault.ts"
import type { Signals } from "../../../src/store/Signals.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { mortal, scopeThrough } from "../../support/Mortal.ts"
import { makeVirtualClock } from "../../support/VirtualClock.ts"
import { makeFakeTelegram } from "../FakeTelegram.ts"
import { locksOf, process } from "../process.ts"
import { ann, apiHash, bob as withPassword } from "../support.ts"

export const bob = { ...withPassword, phone: "+4915550043" }
export { ann }
export const key = { tenant: defaultTenant, app: AppId.make("walked") }
export type Place = 0 | 1

/** Milliseconds a thief keeps the lease it took. */
export const stolenFor = 20_000

export const makeWorld = Effect.fnUntraced(function* (expected: boolean) {
  const { clock, call, statement, pass } = makeVirtualClock(1_900_000_000_000)
  const onClock = Effect.provideService(Clock.Clock, clock)
  const { layer: users, world: telegram } = makeFakeTelegram([ann, bob])
  const database = yield* TenantScope
  const vault = yield* Vault
  const scope = yield* Scope.Scope
  const services = yield* Effect.context<Signals | Scrubber>()
  const base = yield* onClock(makeMemoryStore)
  const tokens = new Map<string, string>()
  /** Nobody is refused a lock that is taken from its holder, but by the lock itself. */
  const storeOf = (
    owner: string,
    through: <A, E, R>(effect: Effect.Effect<A, E, R>) => typeof effect
  ): LockStore => ({
    ...base,
    owner,
    acquire: (name, token, options) =>
      through(
        Effect.tap(base.acquire(name, token, options), ({ _tag }) =>
          Effect.sync(() => _tag === "Taken" && tokens.set(name, token))
        )
      ),
    renew: (...args) => through(base.renew(...args)),
    release: (name, token) =>
      through(
        Effect.andThen(
          base.release(name, token),
          Effect.sync(() => tokens.get(name) === token && tokens.delete(name))
        )
      )
  })

  yield* database.transaction(key.tenant, (sql) =>
    Effect.andThen(sql`DELETE FROM sessions`, sql`DELETE FROM vault_secrets WHERE kind = 'session'`)
  )
  yield* vault.put(key.tenant, { kind: "api-key", alias: "main" }, Redacted.make(`12345:${apiHash}`))

  let begun = 0
  const begin = Effect.fnUntraced(function* (place: Place) {
    const own = yield* Scope.make()
    const dead = yield* Deferred.make<void>()
    const through = mortal(dead, call)
    const name = `${place}.${++begun}`
    const manager = yield* process(users, { replica: name, locks: locksOf(storeOf(name, through)) }).pipe(
      Layer.provide(Layer.succeed(TenantScope, scopeThrough(database, mortal(dead, statement)))),
      Layer.fresh,
      Layer.buildWithScope(own),
      Effect.map(Context.get(SessionManager)),
      onClock,
      Effect.provideContext(services)
    )
    return {
      manager,
      close: Effect.suspend(() => onClock(Scope.close(own, Exit.void))),
      // What it was about to tidy up it never does.
      kill: Effect.andThen(
        Deferred.succeed(dead, undefined),
        Effect.asVoid(Effect.forkDetach(onClock(Scope.close(own, Exit.void)), { startImmediately: true }))
      )
    }
  })
  const processes = [yield* begin(0), yield* begin(1)]
  yield* Effect.addFinalizer(() => Effect.forEach(processes, ({ kill }) => kill))

  const { changes } = yield* SessionEvents
  const heard = yield* Queue.unbounded<SessionEvent>()
  yield* Effect.forkScoped(
    Stream.runForEach(changes, (event) => (event.app === key.app ? Queue.offer(heard, event) : Effect.void)),
    { startImmediately: true }
  )
  yield* processes[0]!.manager
    .add(key, {
      kind: "user",
      apiKeyAlias: "main",
      ...(expected ? { expected: ann.id } : {})
    })
    .pipe(onClock)

  const thief = yield* onClock(
    Layer.buildWithScope(
      locksOf(storeOf("a thief", (effect) => effect)).pipe(
        Layer.provide(Layer.succeed(TenantScope, database)),
        Layer.fresh
      ),
      scope
    )
  )
  const leaseName = lockName(leaseOf(key))
  return {
    telegram,
    heard,
    onClock,
    now: () => clock.currentTimeMillisUnsafe(),
    pass,
    manager: (place: Place) => processes[place]!.manager,
    restart: Effect.fnUntraced(function* (place: Place, how: "close" | "kill") {
      yield* processes[place]![how]
      if (tokens.get(leaseName)?.startsWith(String(place))) tokens.delete(leaseName)
      yield* pass(0)
      processes[place] = yield* begin(place)
    }),
    /** Where a process is alive that holds the lease. */
    holder: (): Place | undefined => {
      const place = Number(tokens.get(leaseName)?.[0])
      return place === 0 || place === 1 ? place : undefined
    },
    /** Another takes the lease from whoever has it; false when nobody has. */
    steal: Effect.suspend(() => {
      const token = tokens.get(leaseName)
      if (token === undefined) return Effect.succeed(false)
      return Effect.andThen(
        base.release(leaseName, token),
        Effect.as(
          Context.get(thief, Locks)
            .tryLease(leaseOf(key))(Effect.sleep(stolenFor))
            .pipe(onClock, Effect.forkIn(scope, { startImmediately: true })),
          true
        )
      )
    }),
    /** A bit of what is kept is turned over. */
    tamper: (at: number) =>
      database.transaction(
        key.tenant,
        (sql) => sql`UPDATE vault_secrets SET sealed =
          set_byte(sealed, ${at}::int % length(sealed), get_byte(sealed, ${at}::int % length(sealed)) # 1)
          WHERE kind = 'session' AND alias = ${key.app}`
      ),
    kept: Effect.map(vault.names(key.tenant), (all) =>
      all.some(({ alias, kind }) => kind === "session" && alias === key.app)
    )
  }
})
export type World = Effect.Success<ReturnType<typeof makeWorld>>
