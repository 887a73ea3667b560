import { assert, describe, it } from "@effect/vitest"
import { arm, type FaultRule, strike } from "../../src/sandbox/Fault.ts"

const hits = (rule: FaultRule, calls: number) => {
  let rules = [arm(1, rule)] as ReturnType<typeof strike>["rules"]
  return Array.from({ length: calls }, () => {
    const struck = strike(rules, { method: "sendMessage", bot: 1, chat: 5 })
    rules = struck.rules
    return struck.effect !== undefined
  })
}

describe("strike", () => {
  const effect = { _tag: "DropBefore" } as const

  it("acts as many times as told, after as many as skipped", () => {
    assert.deepStrictEqual(hits({ effect, skip: 2, times: 2 }, 6), [false, false, true, true, false, false])
  })

  it("with a probability acts alike for the same seed, otherwise for another, about as often as told", () => {
    const one = hits({ effect, probability: 0.3, seed: 7 }, 2_000)
    assert.deepStrictEqual(hits({ effect, probability: 0.3, seed: 7 }, 2_000), one)
    assert.notDeepEqual(hits({ effect, probability: 0.3, seed: 8 }, 2_000), one)
    const share = one.filter(Boolean).length / one.length
    assert.isTrue(share > 0.25 && share < 0.35)
  })

  it("takes the first rule that hits and leaves the others as they were", () => {
    const rules = [arm(1, { effect, chat: 6 }), arm(2, { effect, times: 1 }), arm(3, { effect, times: 1 })]
    const struck = strike(rules, { method: "sendMessage", bot: 1, chat: 5 })
    assert.deepStrictEqual(
      struck.rules.map(({ id }) => id),
      [1, 3]
    )
  })
})
