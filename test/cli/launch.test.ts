import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { launch } from "../../src/cli/launch.ts"

const closing = (finalizer: Effect.Effect<unknown>) =>
  Layer.effectDiscard(Effect.addFinalizer(() => finalizer))

describe("launch", () => {
  it.effect("whoever stops it waits until everything is closed", () =>
    Effect.gen(function* () {
      let closed = false
      const slow = Effect.delay(
        Effect.sync(() => {
          closed = true
        }),
        "3 seconds"
      )
      const running = yield* Effect.forkChild(launch(closing(slow)), { startImmediately: true })
      const stopped = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(stopped.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopped)
      assert.isTrue(closed)
    })
  )

  it.effect("what hangs when it is stopped does not keep it", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(launch(closing(Effect.never)), { startImmediately: true })
      const stopped = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      assert.isUndefined(stopped.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stopped)
    })
  )

  it.effect("what cannot start is told", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(launch(Layer.effectDiscard(Effect.fail("no database"))))
      assert.deepStrictEqual(exit, Exit.fail("no database"))
    })
  )

  it.effect("what cannot go on is closed and told", () =>
    Effect.gen(function* () {
      let closed = false
      const closes = Effect.sync(() => {
        closed = true
      })
      const exit = yield* Effect.exit(launch(closing(closes), () => Effect.fail("lost")))
      assert.deepStrictEqual(exit, Exit.fail("lost"))
      assert.isTrue(closed)
    })
  )
})
