/**
 * The process that `sessions.ts` measures: it has all the sessions it is told of and sends what it finds. One of three
 * runs: `alone` (locks of its own), `shared` (locks in Redis), `hold` (as it is told, step by step).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Config, Effect, Layer, Queue, Redacted, References, Schema, Scope } from "effect"
import { AppId, defaultTenant } from "../src/domain/Ids.ts"
import { Fences } from "../src/lock/Fences.ts"
import { makeLocks } from "../src/lock/Leasing.ts"
import { Locks, lockName } from "../src/lock/Locks.ts"
import { makeMemoryStore } from "../src/lock/LocksMemory.ts"
import { makeRedisStore } from "../src/lock/LocksRedis.ts"
import { leaseOf } from "../src/session/SessionLife.ts"
import { SessionManager } from "../src/session/SessionManager.ts"
import { Vault } from "../src/session/Vault.ts"
import { sessionsOfEnvironment } from "../test/session/mtproto/ofEnvironment.ts"
import { authorized, locksOf } from "../test/session/process.ts"
import { apiHash, clientTo } from "../test/support/mtproto/accounts.ts"
import type { World } from "../test/support/mtproto/loopbackProcess.ts"

const Sizes = Schema.fromJsonString(Schema.Struct({ cold: Schema.Int, warm: Schema.Int, losses: Schema.Int }))

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const begun = yield* now
    yield* effect
    return (yield* now) - begun
  })
const send = (message: unknown) => Effect.sync(() => void process.send?.(message))

const keyOf = (account: number) => ({ tenant: defaultTenant, app: AppId.make(`account-${account}`) })

/** When the last renewal that was acknowledged was sent, by lock; milliseconds. */
const renewals = new Map<string, number>()

const redisLocks = (url: Redacted.Redacted<string>) =>
  Layer.effect(
    Locks,
    Effect.gen(function* () {
      const store = yield* makeRedisStore({ url })
      const renew: typeof store.renew = (name, token, ttl) =>
        Effect.flatMap(now, (sent) =>
          Effect.tap(store.renew(name, token, ttl), (renewed) =>
            Effect.sync(() => void (renewed && renewals.set(name, sent)))
          )
        )
      return yield* makeLocks({ ...store, renew }, yield* Fences)
    })
  )

const prepare = Effect.fnUntraced(function* ({ id, session }: World["accounts"][number]) {
  yield* (yield* SessionManager).add(keyOf(id), { kind: "user", apiKeyAlias: "main" })
  yield* authorized(keyOf(id), id, Redacted.make(session))
})

const run = Effect.fnUntraced(function* (world: World, sizes: typeof Sizes.Type) {
  const { client } = yield* SessionManager
  const scope = yield* Scope.Scope
  const ids = world.accounts.map(({ id }) => id)
  const open = (id: number) => Scope.provide(client(keyOf(id)), scope)

  if (process.argv[2] !== "hold") {
    const cold = yield* Effect.forEach(ids.slice(0, sizes.cold), (id) => took(open(id)))
    const again = Effect.scoped(client(keyOf(ids[0]!)))
    yield* Effect.replicateEffect(again, 1_000)
    const warm = yield* Effect.replicateEffect(took(again), sizes.warm)
    return yield* send({ cold, warm })
  }

  const told = yield* Queue.unbounded<unknown>()
  process.on("message", (message) => void Queue.offerUnsafe(told, message))
  // What all share is loaded with the first.
  yield* open(ids[0]!)
  yield* send({ is: "idle" })
  yield* Queue.take(told)
  const live = yield* took(Effect.forEach(ids, open, { concurrency: "unbounded", discard: true }))
  yield* send({ is: "live", seconds: live / 1_000 })
  yield* Queue.take(told)
  const lost = Effect.fnUntraced(function* (id: number) {
    const session = yield* open(id)
    const asking = Effect.forever(Effect.andThen(Effect.ignore(session.ping), Effect.sleep("50 millis")))
    yield* Effect.ignore(Effect.raceFirst(session.ended, asking))
    return { account: id, renewed: renewals.get(lockName(leaseOf(keyOf(id)))) ?? 0 }
  })
  yield* send({
    is: "lost",
    losses: yield* Effect.forEach(ids.slice(0, sizes.losses), lost, { concurrency: "unbounded" })
  })
})

/** Its first message is the world, which is prepared by whoever comes first. */
const program = Effect.gen(function* () {
  const world = yield* Effect.callback<World>((resume) => {
    process.once("message", (message) => resume(Effect.succeed(message as World)))
    process.send?.({ is: "there" })
  })
  const sizes = yield* Schema.decodeUnknownEffect(Sizes)(yield* Config.String("SIZES"))
  const locks =
    process.argv[2] === "alone" ? () => Layer.unwrap(Effect.map(makeMemoryStore, locksOf)) : redisLocks
  yield* Effect.gen(function* () {
    if (process.argv[2] === "alone") {
      const { put } = yield* Vault
      yield* put(defaultTenant, { kind: "api-key", alias: "main" }, Redacted.make(`4242:${apiHash}`))
      yield* Effect.forEach(world.accounts, prepare, { discard: true })
    }
    yield* run(world, sizes)
  }).pipe(Effect.scoped, Effect.provide(sessionsOfEnvironment(clientTo(world.dataCentre), locks)))
  process.disconnect?.()
})

// That leases are lost is what is measured.
NodeRuntime.runMain(Effect.provideService(program, References.MinimumLogLevel, "Error"))
