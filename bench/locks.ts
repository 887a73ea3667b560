/**
 * Acquiring and releasing a lock in Redis, beside the peers on the same server: one after the other on a free
 * lock, and fifty at once on the same one. Ours without and with the fence, which is a committed row.
 */
import { Clock, Effect, Layer, Redacted } from "effect"
import { Redis } from "ioredis"
import { Mutex } from "redis-semaphore"
import Redlock from "redlock"
import { defaultTenant } from "../src/domain/Ids.ts"
import { Fences } from "../src/lock/Fences.ts"
import { makeLocks } from "../src/lock/Leasing.ts"
import { makeRedisStore } from "../src/lock/LocksRedis.ts"
import { TestRedis } from "../test/support/redis.ts"
import { median, quantile } from "./Report.ts"

export interface LockFigures {
  readonly name: string
  /** Uncontended, one a round; the rounds of all took turns. */
  readonly rounds: ReadonlyArray<number>
  /** Milliseconds from asking until the lock was given back, uncontended. */
  readonly p50: number
  readonly p99: number
  /** Milliseconds from asking until it was held, fifty at once. */
  readonly contendedP50: number
  readonly contendedP99: number
  readonly contendedPerSecond: number
}

/** Acquires `name`, tells so, and gives it back. */
type Cycle = (name: string, held: Effect.Effect<void>) => Effect.Effect<void, unknown>

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const atOnce = 50

/** So many cycles in a row are one round; the rounds take turns, so that what else the machine does meets all. */
const inARound = 50
const warmUp = 2_000

const uncontended = (cycle: Cycle, cycles: number) =>
  Effect.gen(function* () {
    const began = yield* now
    const each = yield* Effect.replicateEffect(
      Effect.gen(function* () {
        const begin = yield* now
        yield* cycle("free", Effect.void)
        return (yield* now) - begin
      }),
      cycles
    )
    return { each, perSecond: (cycles * 1000) / ((yield* now) - began) }
  })

const contended = (cycle: Cycle, each: number) =>
  Effect.gen(function* () {
    const waits: Array<number> = []
    const wanted = yield* now
    const one = Effect.gen(function* () {
      const begin = yield* now
      yield* cycle(
        "wanted",
        Effect.map(now, (time) => void waits.push(time - begin))
      )
    })
    yield* Effect.all(
      Array.from({ length: atOnce }, () => Effect.replicateEffect(one, each)),
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    return { waits, perSecond: (waits.length * 1000) / ((yield* now) - wanted) }
  })

const ours = Effect.fnUntraced(function* (fences: Fences["Service"] | undefined) {
  const { url } = yield* TestRedis
  const locks = yield* makeLocks(yield* makeRedisStore({ url }), fences)
  return (name: string, held: Effect.Effect<void>) => locks.withLease({ tenant: defaultTenant, name })(held)
})

const client = Effect.flatMap(TestRedis, ({ url }) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(Redacted.value(url))),
    (redis) => Effect.sync(() => redis.disconnect())
  )
)

const redlock = Effect.map(client, (redis): Cycle => {
  // Its types are those of an ioredis of long ago.
  const locks = new Redlock([redis as unknown as Redlock.CompatibleRedisClient], { retryCount: -1 })
  return (name, held) =>
    Effect.acquireUseRelease(
      Effect.tryPromise(() => Promise.resolve(locks.lock(`redlock:${name}`, 15_000))),
      () => held,
      (lock) => Effect.promise(() => Promise.resolve(lock.unlock()))
    )
})

const semaphore = Effect.map(
  client,
  (redis): Cycle =>
    (name, held) =>
      Effect.suspend(() => {
        const mutex = new Mutex(redis, name, { acquireTimeout: 600_000, lockTimeout: 15_000 })
        return Effect.acquireUseRelease(
          Effect.tryPromise(() => mutex.acquire()),
          () => held,
          () => Effect.promise(() => mutex.release())
        )
      })
)

export const locks = Effect.fn("bench.locks")(function* (options: {
  readonly cycles: number
  readonly each: number
}) {
  const fences = yield* Fences
  const cycles = [
    ["ours, without the fence", yield* ours(undefined)],
    ["ours, with the fence", yield* ours(fences)],
    ["`redlock`", yield* redlock],
    ["`redis-semaphore`", yield* semaphore]
  ] as const satisfies ReadonlyArray<readonly [string, Cycle]>
  yield* Effect.forEach(cycles, ([, cycle]) => uncontended(cycle, warmUp), { discard: true })
  const rounds = yield* Effect.replicateEffect(
    Effect.forEach(cycles, ([, cycle]) => uncontended(cycle, inARound)),
    options.cycles / inARound
  )
  return yield* Effect.forEach(cycles, ([name, cycle], which) =>
    Effect.map(contended(cycle, options.each), ({ perSecond, waits }) => {
      const mine = rounds.map((round) => round[which]!)
      const free = mine.flatMap(({ each }) => each)
      return {
        name,
        rounds: mine.map((round) => round.perSecond),
        p50: median(free),
        p99: quantile(free, 0.99),
        contendedP50: median(waits),
        contendedP99: quantile(waits, 0.99),
        contendedPerSecond: perSecond
      } satisfies LockFigures
    })
  )
}, Effect.scoped)

export const lockServers = TestRedis.layer.pipe(Layer.provideMerge(Fences.layer))
