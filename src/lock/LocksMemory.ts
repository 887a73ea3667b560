/** Locks of one process: for the embedded profile and for tests. Leases run out here as they do anywhere. */
import { Clock, Effect, Layer } from "effect"
import { Fences } from "./Fences.ts"
import { type Attempt, type LockStore, makeCalls, makeLocks, ownerOf, placeKept } from "./Leasing.ts"
import { Locks } from "./Locks.ts"

interface Lock {
  holder: { readonly token: string; until: number } | undefined
  /** Who waits, in the order they came, and until when they are believed to. */
  readonly line: Map<string, number>
}

export const makeMemoryStore = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const locks = new Map<string, Lock>()
  const calls = makeCalls()
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

  const current = (name: string) => {
    const time = now()
    const lock = locks.get(name) ?? { holder: undefined, line: new Map<string, number>() }
    if (lock.holder !== undefined && lock.holder.until <= time) lock.holder = undefined
    for (const [token, until] of lock.line) if (until <= time) lock.line.delete(token)
    return { lock, time }
  }
  const kept = (name: string, lock: Lock) => {
    if (lock.holder === undefined && lock.line.size === 0) locks.delete(name)
    else locks.set(name, lock)
  }
  const wakeNext = (lock: Lock) => {
    const [next] = lock.line.keys()
    if (next !== undefined) calls.wake(next)
  }

  const acquire: LockStore["acquire"] = (name, token, { ttl, turn }) =>
    Effect.sync((): Attempt => {
      const { lock, time } = current(name)
      const [head] = lock.line.keys()
      const free = lock.holder === undefined || lock.holder.token === token
      if (free && (head === undefined || head === token)) {
        lock.line.delete(token)
        lock.holder = { token, until: time + ttl }
        kept(name, lock)
        return { _tag: "Taken" }
      }
      if (turn === "wait") lock.line.set(token, time + placeKept)
      if (lock.holder === undefined) wakeNext(lock)
      kept(name, lock)
      return {
        _tag: "Held",
        owner: ownerOf(lock.holder?.token ?? head ?? ""),
        expiresIn: lock.holder === undefined ? 0 : lock.holder.until - time
      }
    })

  return {
    owner: "this process",
    acquire,
    renew: (name, token, ttl) =>
      Effect.sync(() => {
        const { lock, time } = current(name)
        if (lock.holder?.token !== token) return false
        lock.holder.until = time + ttl
        return true
      }),
    release: (name, token) =>
      Effect.sync(() => {
        const { lock } = current(name)
        if (lock.holder?.token === token) lock.holder = undefined
        lock.line.delete(token)
        if (lock.holder === undefined) wakeNext(lock)
        kept(name, lock)
      }),
    calls: calls.of
  } satisfies LockStore
})

export const layer: Layer.Layer<Locks, never, Fences> = Layer.effect(
  Locks,
  Effect.gen(function* () {
    return yield* makeLocks(yield* makeMemoryStore, yield* Fences)
  })
)
