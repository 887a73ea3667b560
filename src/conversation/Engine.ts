/** The cluster engine: durable mailboxes in SQL, each with one owner. Here of one process, which owns every shard. */
import { Layer } from "effect"
import { RunnerHealth, RunnerStorage, Runners, Sharding, ShardingConfig } from "effect/cluster"
import { Digest } from "effect/crypto"
import * as ClusterStorage from "../store/ClusterStorage.ts"
import { EngineSql } from "../store/EngineSql.ts"
import { ShardLocks } from "../store/ShardLocks.ts"

/** What holds however many processes there are. */
export const settings = {
  // What is stored here is handed over directly; polling only finds what a crash left behind.
  entityMessagePollInterval: "1 second",
  entityMailboxCapacity: "unbounded",
  // Its default of 10,000 holds messages back without a word.
  maxResidentEntities: "unbounded"
} as const

/** What the engine's Layers stand on: its own role and tables. */
export const beneath = Layer.merge(EngineSql.layerSqlClient, Digest.layerWebCrypto)

/** `effect/cluster`'s `SingleRunner` with our batching storage in the place of its own. */
export const layerSingle = Sharding.layer.pipe(
  Layer.provideMerge(Runners.layerNoop),
  Layer.provideMerge(ClusterStorage.layer),
  Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop, ShardLocks.layerSole]),
  Layer.provide(ShardingConfig.layer(settings)),
  Layer.provide(beneath)
)
