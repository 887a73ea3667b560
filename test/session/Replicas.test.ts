import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { LockHeld } from "../../src/lock/Locks.ts"
import { inTurn, preferred, Replicas } from "../../src/session/Replicas.ts"

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 })
const botNames = Array.from({ length: 300 }, (_, index) => `tenant/bot-${index}`)

describe("the preferred replica", () => {
  it("is the same in whatever order they are known, and one of them", () => {
    fc.assert(
      fc.property(fc.string(), names, (bot, live) => {
        const chosen = preferred(bot, live)
        assert.include(live, chosen)
        assert.strictEqual(preferred(bot, live.toReversed()), chosen)
      })
    )
    assert.isUndefined(preferred("tenant/bot", []))
  })

  it("of a bot changes only when it goes, or for the one that comes", () => {
    fc.assert(
      fc.property(fc.string(), names, fc.nat(), (bot, live, at) => {
        const gone = live[at % live.length]!
        const before = preferred(bot, live)
        const after = preferred(
          bot,
          live.filter((one) => one !== gone)
        )
        if (before !== gone) assert.strictEqual(after, before)
      })
    )
  })

  it("has its share of the bots", () => {
    const live = ["10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"]
    const shares = live.map((one) => botNames.filter((bot) => preferred(bot, live) === one).length)
    // Fixed names: 100 each would be even.
    for (const share of shares) assert.isAbove(share, 70)
  })
})

/** A bot whose first and second choice are known. */
const bot = botNames.find((one) => preferred(one, ["us", "them"]) === "us")!
const theirs = botNames.find((one) => preferred(one, ["us", "them"]) === "them")!

const scene = Effect.fnUntraced(function* (name: string, live: ReadonlyArray<string>) {
  const ref = yield* SubscriptionRef.make(live)
  const happened: Array<string> = []
  const world = { held: false }
  const run = (how: string) =>
    Effect.sync(() => happened.push(how)).pipe(
      Effect.andThen(Effect.never),
      Effect.ensuring(Effect.sync(() => happened.push(`${how} ends`)))
    )
  yield* inTurn(name, {
    inLine: run("in line"),
    ifFree: Effect.suspend(() =>
      world.held ? Effect.fail(new LockHeld({ key: name, owner: "them", expiresIn: 1 })) : run("stands in")
    )
  }).pipe(
    Effect.provide(Layer.succeed(Replicas, { self: "us", live: ref })),
    Effect.forkScoped({ startImmediately: true })
  )
  yield* TestClock.adjust("1 second")
  const become = (all: ReadonlyArray<string>) =>
    Effect.andThen(SubscriptionRef.set(ref, all), TestClock.adjust("1 second"))
  return { happened, world, become }
})

describe("in turn", () => {
  it.effect("a bot of ours is held, whoever else comes or goes, until it is another's", () =>
    Effect.gen(function* () {
      const { become, happened } = yield* scene(bot, ["us"])
      assert.deepStrictEqual(happened, ["in line"])
      yield* become(["them", "us"])
      assert.deepStrictEqual(happened, ["in line"])
      yield* become(["them"])
      assert.deepStrictEqual(happened, ["in line", "in line ends"])
    })
  )

  it.effect("a bot of another is left to it while it lives and had when it does not", () =>
    Effect.gen(function* () {
      const { become, happened, world } = yield* scene(theirs, ["them", "us"])
      world.held = true
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(happened, [])
      yield* become(["us"])
      assert.deepStrictEqual(happened, ["in line"])
      yield* become(["them", "us"])
      assert.deepStrictEqual(happened, ["in line", "in line ends"])
    })
  )

  it.effect("a bot its live owner does not take is stood in for, and offered to it every minute", () =>
    Effect.gen(function* () {
      const { happened, world } = yield* scene(theirs, ["them", "us"])
      yield* TestClock.adjust("18 seconds")
      assert.deepStrictEqual(happened, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(happened, ["stands in"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(happened, ["stands in", "stands in ends", "stands in"])
      world.held = true
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(happened, ["stands in", "stands in ends", "stands in", "stands in ends"])
    })
  )
})
