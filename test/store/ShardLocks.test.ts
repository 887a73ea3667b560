import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
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

  it.effect(
    "those that ask for a shard at once are told together, each of its own, of what is asked after them",
    () =>
      Effect.gen(function* () {
        const memory = yield* RunnerStorage.makeMemory
        const asked: Array<ReadonlyArray<string>> = []
        let held: ReadonlyArray<number> = [1, 2, 3]
        const slow = RunnerStorage.RunnerStorage.of({
          ...memory,
          refresh: (_address, some) =>
            Effect.suspend(() => {
              const ids = [...some]
              asked.push(ids.map(String))
              const ours = ids.filter(({ id }) => held.includes(id))
              return Effect.delay(Effect.succeed(ours), "1 second")
            })
        })
        const layer = ShardLocks.layer.pipe(
          Layer.provide([
            Layer.succeed(RunnerStorage.RunnerStorage, slow),
            ShardingConfig.layer({ shardLockExpiration: "6 seconds" })
          ])
        )
        yield* Effect.gen(function* () {
          const storage = yield* RunnerStorage.RunnerStorage
          const ask = (id: number) =>
            Effect.forkChild(storage.refresh(us, [ShardId.make("default", id)]), { startImmediately: true })
          const first = yield* ask(1)
          yield* TestClock.adjust("500 millis")
          held = [3]
          const others = yield* Effect.forEach([1, 2, 3], ask)
          yield* TestClock.adjust("2 seconds")
          const answers = yield* Effect.forEach([first, ...others], Fiber.join)
          assert.deepStrictEqual(
            answers.map((shards) => shards.map(String)),
            [["default:1"], [], [], ["default:3"]]
          )
          assert.deepStrictEqual(asked, [["default:1"], ["default:1", "default:2", "default:3"]])
        }).pipe(Effect.provide(layer))
      })
  )
})
