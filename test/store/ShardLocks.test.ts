import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RunnerAddress, RunnerStorage, ShardId, ShardingConfig } from "effect/cluster"
import { TestClock } from "effect/testing"
import { ShardLocks } from "../../src/store/ShardLocks.ts"

const layer = ShardLocks.layer.pipe(
  Layer.provide([RunnerStorage.layerMemory, ShardingConfig.layer({ shardLockExpiration: "6 seconds" })])
)

const us = RunnerAddress.make("here", 1)
const shards = [ShardId.make("default", 1)]

describe("ShardLocks", () => {
  it.effect(
    "locks are believed for as long as the database keeps a silent session of them, and no longer",
    () =>
      Effect.gen(function* () {
        const { trusted } = yield* ShardLocks
        const storage = yield* RunnerStorage.RunnerStorage
        assert.isFalse(yield* trusted)
        yield* storage.acquire(us, shards)
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(yield* trusted)
        yield* TestClock.adjust("1 second")
        assert.isFalse(yield* trusted)
        yield* storage.refresh(us, shards)
        assert.isTrue(yield* trusted)
      }).pipe(Effect.provide(layer))
  )

  it.effect("an answer that no lock is ours confirms nothing", () =>
    Effect.gen(function* () {
      const { trusted } = yield* ShardLocks
      const storage = yield* RunnerStorage.RunnerStorage
      yield* storage.refresh(us, [])
      assert.isFalse(yield* trusted)
    }).pipe(Effect.provide(layer))
  )
})
