/**
 * What the engine's locks on its shards are worth right now. The database ends a session of locks that has been
 * silent for their lifetime, so that others may have the shards of a frozen process; that one learns of it only when
 * it asks again. Until then it must take nothing for granted.
 */
import { Clock, Context, Duration, Effect, Layer } from "effect"
import {
  type RunnerAddress,
  RunnerStorage,
  type ShardId,
  ShardingConfig,
  SqlRunnerStorage
} from "effect/cluster"
import * as GroupCommit from "./GroupCommit.ts"

export class ShardLocks extends Context.Service<
  ShardLocks,
  {
    /** Whether the shards that were ours when they were last asked about are ours still. */
    readonly trusted: Effect.Effect<boolean>
  }
>()("zapiska/store/ShardLocks") {
  /** One process has every shard for good. */
  static readonly layerSole = Layer.succeed(ShardLocks, { trusted: Effect.succeed(true) })

  /** A storage of runners, with the time of its last answer about locks. */
  static readonly layer = Layer.effectContext(Effect.suspend(() => make))

  /** With the engine's own storage. */
  static readonly layerSql = ShardLocks.layer.pipe(Layer.provide(SqlRunnerStorage.layerStorage({})))
}

const make = Effect.gen(function* () {
  const storage = yield* RunnerStorage.RunnerStorage
  const { shardLockExpiration } = yield* ShardingConfig.ShardingConfig
  const lifetime = Duration.toNanosUnsafe(Duration.fromInputUnsafe(shardLockExpiration))
  let confirmed: bigint | undefined

  /** From before it was sent: the session was not silent after that. */
  const confirming = <A extends ReadonlyArray<unknown>, E>(ask: Effect.Effect<A, E>) =>
    Effect.flatMap(Clock.monotonicTimeNanos, (sent) =>
      Effect.tap(ask, (held) =>
        Effect.sync(() => {
          if (held.length > 0) confirmed = sent
        })
      )
    )

  const refresh = (address: RunnerAddress.RunnerAddress, shards: ReadonlyArray<ShardId.ShardId>) =>
    confirming(storage.refresh(address, shards))
  /**
   * Before each reply the engine asks whether its shard is ours still. The database answers for all shards at once, so
   * those that ask while it answers are told together, of what is asked after they did.
   */
  const refreshOne = yield* GroupCommit.make({
    batch: 300,
    parallel: 1,
    write: (asked: ReadonlyArray<{ address: RunnerAddress.RunnerAddress; shard: ShardId.ShardId }>) =>
      Effect.map(refresh(asked[0]!.address, [...new Set(asked.map(({ shard }) => shard))]), (held) => {
        const ours = new Set(held)
        return asked.map(({ shard }) => ours.has(shard))
      })
  })

  return Context.make(
    RunnerStorage.RunnerStorage,
    RunnerStorage.RunnerStorage.of({
      ...storage,
      acquire: (address, shards) => confirming(storage.acquire(address, shards)),
      refresh: (address, shards) => {
        const asked = [...shards]
        const [shard] = asked
        return shard === undefined || asked.length > 1
          ? refresh(address, asked)
          : Effect.map(refreshOne({ address, shard }), (ours) => (ours ? [shard] : []))
      }
    })
  ).pipe(
    Context.add(ShardLocks, {
      trusted: Effect.map(
        Clock.monotonicTimeNanos,
        (now) => confirmed !== undefined && now - confirmed < lifetime
      )
    })
  )
})
