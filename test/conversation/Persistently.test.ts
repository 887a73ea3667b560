import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger } from "effect"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import { outlasting, persistently } from "../../src/conversation/Persistently.ts"
import { UpdateId } from "../../src/domain/Ids.ts"
import { AlreadyHandled } from "../../src/store/HandledUpdates.ts"

const away = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: new Error("gone"), message: "gone", operation: "test" })
})
class Broken extends Error {}

/** Fails `times` times, with `error`; counts how often it was run. */
const failing = (times: number, error: unknown) => {
  const attempt = { runs: 0 }
  const effect = Effect.suspend(() => (++attempt.runs <= times ? Effect.fail(error) : Effect.void))
  return { attempt, effect }
}

/** Everything that is said while it runs. */
const listening = <A, E, R>(body: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel} ${String(message)}`)
    })
    return Effect.provide(body(lines), Logger.layer([logger]))
  })

describe("persistently", () => {
  it.effect("an outage is held against nobody: tried until it is over, however long that takes", () =>
    Effect.gen(function* () {
      const { attempt, effect } = failing(200, away)
      const given = failing(0, away)
      const fiber = yield* Effect.forkChild(persistently("Saving", effect, given.effect))
      yield* TestClock.adjust("3 hours")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.deepStrictEqual([attempt.runs, given.attempt.runs], [201, 0])
    })
  )

  it.effect("five failures of its own and it is given up, its way out tried until that is done", () =>
    Effect.gen(function* () {
      const { attempt, effect } = failing(Number.POSITIVE_INFINITY, new Broken("no"))
      const otherwise = failing(7, new Broken("nor this"))
      const fiber = yield* Effect.forkChild(persistently("Saving", effect, otherwise.effect))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(fiber), "given up")
      assert.deepStrictEqual([attempt.runs, otherwise.attempt.runs], [5, 8])
    })
  )

  it.effect("outages between its failures do not count among them", () =>
    Effect.gen(function* () {
      let runs = 0
      const effect = Effect.suspend(() => {
        runs += 1
        if (runs > 12) return Effect.void
        return Effect.fail(runs % 3 === 0 ? new Broken("no") : away)
      })
      const fiber = yield* Effect.forkChild(persistently("Saving", effect, Effect.die("given up")))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(runs, 13)
    })
  )

  it.effect("what was handled before is done, at once and without a word", () =>
    listening((lines) =>
      Effect.gen(function* () {
        const { attempt, effect } = failing(1, new AlreadyHandled({ updates: [UpdateId.make(1)] }))
        assert.strictEqual(yield* persistently("Saving", effect, Effect.die("given up")), "done")
        assert.strictEqual(attempt.runs, 1)
        assert.deepStrictEqual(lines, [])
      })
    )
  )

  it.effect("interrupted it stops at once, and is neither done nor given up", () =>
    Effect.gen(function* () {
      const otherwise = failing(0, away)
      const waiting = yield* Effect.forkChild(
        persistently("Saving", Effect.fail(new Broken("no")), otherwise.effect)
      )
      const working = yield* Effect.forkChild(persistently("Saving", Effect.never, otherwise.effect))
      yield* TestClock.adjust("100 millis")
      for (const fiber of [waiting, working]) {
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(otherwise.attempt.runs, 0)
    })
  )
})

describe("outlasting", () => {
  it.effect("a long outage is said now and then, with what waits and how long; a short one is not", () =>
    listening((lines) =>
      Effect.gen(function* () {
        let over = false
        const asked = Effect.suspend(() => (over ? Effect.succeed(7) : Effect.fail(away)))
        const fiber = yield* Effect.forkChild(outlasting("Asking", asked))
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("590 seconds")
        assert.isAtLeast(lines.length, 5)
        assert.isAtMost(lines.length, 11)
        assert.match(lines.at(-1)!, /^Warn Asking has failed for [789]m .*is tried again/)
        over = true
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Fiber.join(fiber), 7)
      })
    )
  )
})
