import { assert, it } from "@effect/vitest"
import { Duration } from "effect"
import fc from "fast-check"
import { advice, backoff, failureOf, waitAfter } from "../../src/telegram/PollRules.ts"

const seconds = (duration: Duration.Duration) => Duration.toSeconds(duration)

it("a conflict waits longer and longer, up to 5 minutes, and says which kind it is", () => {
  const conflict = { _tag: "Conflict", by: "poller" } as const
  assert.deepStrictEqual(
    [0, 1, 2, 3, 4, 5, 6, 99].map((nth) => seconds(waitAfter(conflict, nth, 0.7))),
    [5, 10, 15, 30, 60, 120, 300, 300]
  )
  assert.include(advice(conflict), "Another program")
  assert.include(advice({ ...conflict, by: "webhook" }), "A webhook is set")
})

it("a 429 waits at least as long as Telegram asked", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (asked, random) => {
        assert.isAtLeast(seconds(waitAfter({ _tag: "Wait", seconds: asked }, 0, random)), asked)
      }
    )
  )
})

it("a refused token waits about a minute, doubling to about an hour, and never two bots alike", () => {
  const wait = (nth: number, random: number) => seconds(waitAfter({ _tag: "Unauthorized" }, nth, random))
  assert.deepStrictEqual(
    [0, 1, 2, 5, 6, 99].map((nth) => wait(nth, 0.5)),
    [60, 120, 240, 1_920, 3_600, 3_600]
  )
  assert.deepStrictEqual([wait(0, 0), wait(0, 1)], [48, 72])
})

it("an outage waits longer and longer, never over 30 seconds, never not at all", () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (nth, random) => {
      const wait = seconds(backoff(nth, random))
      assert.isAtLeast(wait, 0.25)
      assert.isAtMost(wait, 30)
      assert.isAtLeast(seconds(backoff(nth + 2, random)), wait)
    })
  )
})

it("outcomes of the Bot API: a token that leads nowhere is as bad as a refused one", () => {
  assert.strictEqual(failureOf({ _tag: "Unauthorized" })._tag, "Unauthorized")
  assert.strictEqual(failureOf({ _tag: "FileExpired", reason: "Not Found" })._tag, "Unauthorized")
  assert.strictEqual(failureOf({ _tag: "Retry", reason: "502", limit: 5, cause: "server" })._tag, "Outage")
  assert.strictEqual(failureOf({ _tag: "Refused", code: 400, reason: "x" })._tag, "Refused")
})
