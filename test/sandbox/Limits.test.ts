import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Ledger, type Pace, prune, spend } from "../../src/sandbox/Limits.ts"

describe("spend", () => {
  const pace: Pace = { period: 1_000, burst: 3 }

  it("never lets more through than a burst and one a period, and what it says to wait suffices", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_500 }), { maxLength: 60 }), (pauses) => {
        let ledger: Ledger = new Map()
        let now = 0
        const passed: Array<number> = []
        for (const pause of pauses) {
          now += pause
          const spent = spend(ledger, now, [["chat", pace]], 1)
          ledger = spent.ledger
          if (spent.retryAfter === 0) passed.push(now)
          else {
            const later = now + spent.retryAfter * 1_000
            assert.strictEqual(spend(ledger, later, [["chat", pace]], 1).retryAfter, 0)
          }
        }
        for (const [index, at] of passed.entries()) {
          const window = passed.slice(index).filter((each) => each < at + 10_000)
          assert.isAtMost(window.length, 3 + 10)
        }
      })
    )
  })

  it("of several budgets spends all or none", () => {
    const strict: Pace = { period: 1_000, burst: 1 }
    const first = spend(
      new Map(),
      0,
      [
        ["a", pace],
        ["b", strict]
      ],
      1
    )
    const second = spend(
      first.ledger,
      0,
      [
        ["a", pace],
        ["b", strict]
      ],
      1
    )
    assert.strictEqual(second.retryAfter, 1)
    assert.strictEqual(second.ledger, first.ledger)
  })

  it("lets an album larger than a burst pass on a full budget and makes the next wait longer", () => {
    const album = spend(new Map(), 0, [["a", pace]], 10)
    assert.strictEqual(album.retryAfter, 0)
    assert.strictEqual(spend(album.ledger, 0, [["a", pace]], 1).retryAfter, 8)
  })

  it("forgets budgets that are whole", () => {
    const { ledger } = spend(new Map(), 0, [["a", pace]], 1)
    assert.strictEqual(prune(ledger, 999).size, 1)
    assert.strictEqual(prune(ledger, 1_000).size, 0)
  })
})
