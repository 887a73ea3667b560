import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { Health, NotReady } from "../../src/ops/Health.ts"

const test = (name: string, body: (health: Health["Service"]) => Effect.Effect<unknown>) =>
  it.effect(name, () => Health.use(body).pipe(Effect.provide(Health.layer)))

describe("Health", () => {
  test("without checks the process is ready", (health) =>
    Effect.gen(function* () {
      assert.isTrue((yield* health.ready).ready)
    }))

  test("one failing check makes it not ready, with the reason; others are still told", (health) =>
    Effect.scoped(
      Effect.gen(function* () {
        const broken = yield* Ref.make(true)
        yield* health.register("database", Effect.void)
        yield* health.register(
          "poll",
          Effect.flatMap(Ref.get(broken), (is) =>
            is ? new NotReady({ reason: "the last poll was 90 s ago" }) : Effect.void
          )
        )
        const report = yield* health.ready
        assert.isFalse(report.ready)
        assert.deepStrictEqual(report.checks, [
          { name: "database", ready: true },
          { name: "poll", ready: false, reason: "the last poll was 90 s ago" },
          { name: "accepting", ready: true }
        ])
        yield* Ref.set(broken, false)
        assert.isTrue((yield* health.ready).ready)
      })
    ))

  test("a trouble for which nobody has to stay away is told, and leaves it ready", (health) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* health.register("telegram", Effect.succeed("12 updates wait"))
        const report = yield* health.ready
        assert.isTrue(report.ready)
        assert.deepInclude(report.checks, { name: "telegram", ready: true, reason: "12 updates wait" })
      })
    ))

  test("going down is known to whoever takes work in", (health) =>
    Effect.gen(function* () {
      assert.isFalse(yield* health.draining)
      yield* health.drain
      assert.isTrue(yield* health.draining)
    }))

  test("a check that does not answer counts as failed after two seconds", (health) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* health.register("database", Effect.never)
        const asking = yield* Effect.forkChild(health.ready)
        yield* TestClock.adjust("2 seconds")
        const report = yield* Fiber.join(asking)
        assert.deepStrictEqual(report.checks[0], {
          name: "database",
          ready: false,
          reason: "no answer within 2s"
        })
      })
    ))

  test("a check that dies counts as failed and takes nobody with it", (health) =>
    Effect.scoped(
      Effect.gen(function* () {
        yield* health.register("bug", Effect.die(new Error("secret detail")))
        const report = yield* health.ready
        assert.isFalse(report.ready)
        assert.notInclude(JSON.stringify(report), "secret detail")
      })
    ))

  test("a check is asked no longer than its scope lives", (health) =>
    Effect.gen(function* () {
      yield* Effect.scoped(health.register("gone", new NotReady({ reason: "x" })))
      assert.isTrue((yield* health.ready).ready)
    }))

  test("draining is not ready", (health) =>
    Effect.gen(function* () {
      yield* health.drain
      assert.deepStrictEqual(yield* health.ready, {
        ready: false,
        checks: [{ name: "accepting", ready: false, reason: "the process is going down" }]
      })
    }))
})
