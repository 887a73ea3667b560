/** The cluster engine of one process: durable mailboxes in SQL, every shard owned here. */
import { Layer } from "effect"
import { RunnerHealth, RunnerStorage, Runners, Sharding, ShardingConfig } from "effect/cluster"
import { Digest } from "effect/crypto"
import * as ClusterStorage from "../store/ClusterStorage.ts"
import { EngineSql } from "../store/EngineSql.ts"

/** `effect/cluster`'s `SingleRunner` with our batching storage in the place of its own. */
export const layerSingle = Sharding.layer.pipe(
  Layer.provideMerge(Runners.layerNoop),
  Layer.provideMerge(ClusterStorage.layer),
  Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
  Layer.provide(
    ShardingConfig.layer({
      // What is stored here is handed over directly; polling only finds what a crash left behind.
      entityMessagePollInterval: "1 second",
      entityMailboxCapacity: "unbounded",
      // Its default of 10,000 holds messages back without a word.
      maxResidentEntities: "unbounded"
    })
  ),
  Layer.provide(EngineSql.layerSqlClient),
  Layer.provide(Digest.layerWebCrypto)
)
