import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId } from "../../src/domain/Ids.ts"
import {
  Ambiguous,
  type BotPortError,
  BotUnknown,
  CircuitOpen,
  Migrated,
  RateLimited,
  Refused,
  TargetGone,
  TooLarge,
  Unauthorized,
  Unavailable,
  Unreachable
} from "../../src/telegram/BotPort.ts"
import {
  backoff,
  doubt,
  isSuspicious,
  killed,
  planOf,
  type Settlement,
  settle
} from "../../src/telegram/Settlement.ts"

const content = { _tag: "Text", text: plain("x") } as const
const send = { _tag: "Send", content } as const
const edit = { _tag: "Edit", message: MessageId.make(1), content } as const
const method = "sendMessage"
const reason = "because"
const now = 1_000_000
const options = { now, spread: 1 }
const row = { delivery: "result", doubted: false, attempts: 0 } as const

const table: ReadonlyArray<readonly [BotPortError, Settlement["_tag"], Settlement["_tag"]]> = [
  [new RateLimited({ method, until: now + 9_000 }), "Back", "Back"],
  [new CircuitOpen({ method, until: now + 9_000 }), "Back", "Back"],
  [new Unavailable({ method, reason }), "Back", "Back"],
  [new Ambiguous({ method, reason }), "Back", "Back"],
  [new TargetGone({ method, reason }), "Dead", "Back"],
  [new Migrated({ method, to: ChatId.make(-1) }), "ChatMoved", "ChatMoved"],
  [new Unreachable({ method, reason }), "ChatDead", "ChatDead"],
  [new Unauthorized({ method }), "BotStopped", "BotStopped"],
  [new BotUnknown({ app: "default" }), "BotStopped", "BotStopped"],
  [new Refused({ method, code: 400, reason }), "Dead", "Dead"],
  [new TooLarge({ what: "The text", size: 5_000, limit: 4_096 }), "Dead", "Dead"]
]

describe("Settlement", () => {
  describe.each(table)("after %s", (error, sent, edited) => {
    it(`a message is ${sent}`, () => assert.strictEqual(settle(row, send, error, options)._tag, sent))
    it(`an edit is ${edited}`, () => assert.strictEqual(settle(row, edit, error, options)._tag, edited))
  })

  it("sends a result again after each kill, until it looks like the cause of them", () => {
    const again = (attempts: number, doubted: boolean) => killed({ ...row, attempts, doubted }, now)._tag
    assert.deepStrictEqual(
      [again(0, false), again(1, true), again(4, true), again(5, true), again(90, false)],
      ["Back", "Back", "Back", "Unknown", "Back"]
    )
    assert.strictEqual(killed({ ...row, delivery: "chatter" }, now)._tag, "Unknown")
  })

  it("waits as long as Telegram asked, without counting a try", () => {
    const settlement = settle(row, send, new RateLimited({ method, until: now + 9_000 }), options)
    assert.deepInclude(settlement, { notBefore: now + 9_000, tried: false, doubted: false })
  })

  it("doubts a result once, then leaves it unknown; chatter at once", () => {
    const lost = new Ambiguous({ method, reason })
    assert.deepInclude(settle(row, send, lost, options), { _tag: "Back", doubted: true })
    assert.deepInclude(settle({ ...row, doubted: true }, send, lost, options), { _tag: "Unknown" })
    assert.deepInclude(settle({ ...row, delivery: "chatter" }, send, lost, options), { _tag: "Unknown" })
    assert.deepInclude(settle({ ...row, delivery: "chatter" }, edit, lost, options), {
      _tag: "Back",
      doubted: false
    })
    assert.strictEqual(doubt({ delivery: "chatter", doubted: false }, reason, now)._tag, "Unknown")
  })

  it("sends an edit anew when its message is gone", () => {
    const settlement = settle(row, edit, new TargetGone({ method, reason }), options)
    assert.deepInclude(settlement, { action: { _tag: "Send", content } })
  })

  it("edits the status message only when it is known to be there", () => {
    const action = { _tag: "Resolve", status: "s", content } as const
    const messageId = MessageId.make(7)
    assert.deepStrictEqual(planOf(action, { state: "sent", messageId }), {
      _tag: "Edit",
      message: messageId,
      content
    })
    assert.deepStrictEqual(planOf(action, { state: "sending" }), { _tag: "Hold" })
    for (const status of [undefined, { state: "unknown" }, { state: "dead", messageId }, { state: "sent" }])
      assert.deepStrictEqual(planOf(action, status), { _tag: "Send", content })
  })

  it("suspects Telegram after failures of the network or its servers, never after a refusal", () => {
    const suspicious = table.map(([error]) => error).filter(isSuspicious)
    assert.deepStrictEqual(
      suspicious.map(({ _tag }) => _tag),
      ["CircuitOpen", "Unavailable", "Ambiguous"]
    )
  })

  it("waits longer from try to try, from half a second to half a minute", () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, spread) => {
        assert.isAtLeast(backoff(attempts, spread), 500)
        assert.isAtMost(backoff(attempts, spread), 30_000)
        assert.isAtMost(backoff(attempts, spread), backoff(attempts + 1, spread))
      })
    )
  })
})
