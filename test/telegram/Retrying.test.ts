import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { called, delayOf, freshBudget, repeated } from "../../src/telegram/Retrying.ts"

describe("Retrying", () => {
  it("waits with full jitter, under half a second at first and half a minute at most", () => {
    assert.strictEqual(delayOf(1, 1), 500)
    assert.strictEqual(delayOf(2, 1), 1_000)
    assert.strictEqual(delayOf(3, 0.5), 1_000)
    assert.strictEqual(delayOf(1_000_000, 1), 30_000)
    fc.assert(
      fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, spread) => {
        assert.isAtLeast(delayOf(attempt, spread), 0)
        assert.isAtMost(delayOf(attempt, spread), 30_000)
        assert.isAtMost(delayOf(attempt, spread), delayOf(attempt + 1, spread))
      })
    )
  })

  it("repeats at most a fifth of the calls and one a second, ten more at once, and says when there is room", () => {
    const step = fc.record({ after: fc.integer({ min: 0, max: 1_500 }), call: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        let budget = freshBudget
        let now = 1_000_000
        const calls: Array<number> = []
        const repeats: Array<number> = []
        for (const { after, call } of steps) {
          now += after
          if (call) {
            budget = called(budget, now)
            calls.push(now)
            continue
          }
          const result = repeated(budget, now)
          if (result._tag === "Refused") {
            assert.isAbove(result.at, now)
            assert.strictEqual(repeated(budget, result.at)._tag, "Granted")
            continue
          }
          budget = result.budget
          repeats.push(now)
          for (const start of repeats) {
            const lately = (times: ReadonlyArray<number>) => times.filter((at) => at >= start).length
            assert.isAtMost(lately(repeats), 10.001 + 0.2 * lately(calls) + (now - start) / 1_000)
          }
        }
      })
    )
  })

  it("forgets credit that nobody used", () => {
    let budget = freshBudget
    for (let nth = 0; nth < 1_000; nth++) budget = called(budget, 0)
    let granted = 0
    for (let nth = 0; nth < 100; nth++) {
      const result = repeated(budget, 20_000)
      if (result._tag === "Refused") continue
      granted++
      budget = result.budget
    }
    assert.strictEqual(granted, 10)
  })
})
