/**
 * The cluster engine of many processes: each owns a part of the shards by locks of its database session, and what
 * is for a shard of another is stored and that one told over a socket. A killed owner's session ends with it, a
 * frozen one's when it has been silent for `shardLockExpiration`; the others then have its shards.
 *
 * Only the clock of the database counts. Whoever reaches the port may speak to the engine: it is for the replicas.
 */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import { Effect, Layer, Option, Schedule, SubscriptionRef } from "effect"
import {
  RunnerAddress,
  RunnerHealth,
  RunnerStorage,
  Runners,
  ShardingConfig,
  SocketRunner
} from "effect/cluster"
import { RpcSerialization } from "effect/rpc"
import { Replicas } from "../session/Replicas.ts"
import * as ClusterStorage from "../store/ClusterStorage.ts"
import { ShardLocks } from "../store/ShardLocks.ts"
import * as Engine from "./Engine.ts"

export interface ReplicaAddress {
  /** What the other replicas reach this one at, and what it listens on. */
  readonly host: string
  readonly port: number
}

/** Within ten seconds what a dead replica owned is owned by others, whatever way it died. */
const takeover = {
  // A replica that is not heard of for so long is dead, and its locks are free.
  shardLockExpiration: "6 seconds",
  shardLockRefreshInterval: "2 seconds",
  refreshAssignmentsInterval: "1 second",
  runnerHealthCheckInterval: "3 seconds"
} as const

const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))

const nameOf = ({ host, port }: ReplicaAddress) => `${host}:${port}`

/** The replicas the engine holds to be alive, in one order everywhere. */
const replicas = (self: ReplicaAddress) =>
  Layer.effect(
    Replicas,
    Effect.gen(function* () {
      const storage = yield* RunnerStorage.RunnerStorage
      const live = yield* SubscriptionRef.make<ReadonlyArray<string>>([])
      const look = Effect.gen(function* () {
        const runners = yield* storage.getRunners
        const now = runners.flatMap(([{ address }, healthy]) => (healthy ? [nameOf(address)] : [])).sort()
        const before = yield* SubscriptionRef.get(live)
        if (now.join() !== before.join()) yield* SubscriptionRef.set(live, now)
      })
      yield* look.pipe(
        // What was known is held on to: without its database a replica can run no bot anyhow.
        Effect.catch((error) => Effect.logDebug("The replicas that live are not known", error)),
        Effect.repeat(Schedule.spaced(takeover.refreshAssignmentsInterval)),
        Effect.forkScoped
      )
      return Replicas.of({ self: nameOf(self), live })
    })
  )

export const layer = ({ host, port }: ReplicaAddress) =>
  Layer.merge(SocketRunner.layer, replicas({ host, port })).pipe(
    Layer.provide(health),
    Layer.provide([NodeClusterSocket.layerSocketServer, NodeClusterSocket.layerClientProtocol]),
    Layer.provideMerge(ClusterStorage.layer),
    Layer.provideMerge(ShardLocks.layerSql),
    Layer.provide(
      ShardingConfig.layer({
        ...Engine.settings,
        ...takeover,
        runnerAddress: Option.some(RunnerAddress.make(host, port))
      })
    ),
    Layer.provide(RpcSerialization.layerSchemaBinary()),
    Layer.provide(Engine.beneath)
  )
