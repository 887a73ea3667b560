import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as GroupCommit from "../../src/store/GroupCommit.ts"

/** A store that takes a second for a batch and refuses those that hold a refused item. */
const world = Effect.fnUntraced(function* (options: {
  readonly batch: number
  readonly parallel: number | "in order"
  readonly refused?: number
}) {
  const batches: Array<ReadonlyArray<number>> = []
  const write = yield* GroupCommit.make({
    ...options,
    write: (items: ReadonlyArray<number>) =>
      Effect.gen(function* () {
        batches.push(items)
        yield* Effect.sleep("1 second")
        if (options.refused !== undefined && items.includes(options.refused))
          return yield* Effect.fail("refused")
        return items.map((item) => item * 10)
      })
  })
  return { batches, write: (item: number) => Effect.forkChild(write(item), { startImmediately: true }) }
})

describe("GroupCommit", () => {
  it.effect("what comes while a batch is written is one batch, and each gets its own answer", () =>
    Effect.gen(function* () {
      const { batches, write } = yield* world({ batch: 10, parallel: 1 })
      const first = yield* write(1)
      yield* TestClock.adjust(0)
      const rest = yield* Effect.forEach([2, 3, 4], write)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(batches, [[1], [2, 3, 4]])
      assert.deepStrictEqual(yield* Effect.forEach([first, ...rest], Fiber.join), [10, 20, 30, 40])
    })
  )

  it.effect("a batch that fails leaves the others alone", () =>
    Effect.gen(function* () {
      const { write } = yield* world({ batch: 2, parallel: 1, refused: 1 })
      const fibers = yield* Effect.forEach([1, 2, 3, 4], write)
      yield* TestClock.adjust("2 seconds")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, false, true, true])
    })
  )

  it.effect(
    "in order, a batch that fails takes those behind it with it, and what comes later is written",
    () =>
      Effect.gen(function* () {
        const { batches, write } = yield* world({ batch: 2, parallel: "in order", refused: 1 })
        const fibers = yield* Effect.forEach([1, 2, 3, 4], write)
        yield* TestClock.adjust("1 second")
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, false, false, false])
        const later = yield* write(5)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(later), 50)
        assert.deepStrictEqual(batches, [[1, 2], [5]])
      })
  )

  it.effect(
    "what belongs to different owners is written apart, fails apart, and in the trace of who asked",
    () =>
      Effect.gen(function* () {
        const written: Array<[traced: string, items: ReadonlyArray<string>]> = []
        const write = yield* GroupCommit.make({
          batch: 10,
          parallel: 1,
          of: (item: string) => item.slice(0, 1),
          write: (items: ReadonlyArray<string>) =>
            Effect.gen(function* () {
              written.push([(yield* Effect.currentSpan).name, items])
              if (items.includes("b2")) return yield* Effect.fail("refused")
              return items
            }).pipe(Effect.orDie)
        })
        const exits = yield* Effect.forEach(
          ["a1", "b1", "a2", "b2", "c1"],
          (item) => Effect.exit(Effect.withSpan(write(item), item, { root: true })),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(written, [
          ["a1", ["a1", "a2"]],
          ["b1", ["b1", "b2"]],
          ["c1", ["c1"]]
        ])
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, false, true])
      })
  )

  it.effect("whoever still waits when the scope closes is interrupted, not left waiting", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { write } = yield* world({ batch: 1, parallel: 1 }).pipe(Scope.provide(scope))
      const fibers = yield* Effect.forEach([1, 2, 3], write)
      yield* TestClock.adjust(0)
      yield* Scope.close(scope, Exit.void)
      for (const fiber of [...fibers, yield* write(4)])
        assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    })
  )

  it.effect("whoever is interrupted while waiting holds up nobody", () =>
    Effect.gen(function* () {
      const { write } = yield* world({ batch: 1, parallel: 1 })
      const [gone, stays] = yield* Effect.forEach([1, 2], write)
      const told = yield* Deferred.make<number>()
      yield* Effect.forkChild(Effect.flatMap(Fiber.join(stays!), (answer) => Deferred.succeed(told, answer)))
      yield* Fiber.interrupt(gone!)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Deferred.await(told), 20)
    })
  )

  it.effect("whoever is interrupted at any step on the way in holds up nobody who comes after", () =>
    Effect.gen(function* () {
      for (let steps = 0; steps < 30; steps++) {
        const write = yield* GroupCommit.make({
          batch: 10,
          parallel: 1,
          write: (items: ReadonlyArray<number>) => Effect.succeed(items)
        })
        const gone = yield* Effect.forkChild(Effect.provideService(write(1), Scheduler.MaxOpsBeforeYield, 3))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        yield* Fiber.interrupt(gone)
        const after = yield* Effect.forkChild(write(2))
        yield* Effect.repeat(Effect.yieldNow, { times: 50 })
        assert.deepStrictEqual(after.pollUnsafe(), Exit.succeed(2), `after ${steps} steps`)
      }
    })
  )
})
