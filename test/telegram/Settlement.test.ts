import { assert, describe, it } from "@effect/vitest"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, ChatId, MessageId } from "../../src/domain/Ids.ts"
import {
  Ambiguous,
  type BotPortError,
  BotUnknown,
  CircuitOpen,
  FileUnreadable,
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
  doubt,
  enough,
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
const hash = BlobHash.make("a".repeat(64))
const now = 1_000_000
const options = { now, spread: 1, others: "not served" } as const
const chat = ChatId.make(1)
const row = { delivery: "result", doubted: false, attempts: 0, chat, created: now } as const

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
  [new TooLarge({ what: "The text", size: 5_000, limit: 4_096 }), "Dead", "Dead"],
  [new FileUnreadable({ hash, reason, again: "never" }), "Dead", "Dead"],
  [new FileUnreadable({ hash, reason, again: "later" }), "Back", "Back"]
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
    assert.deepInclude(settlement, { notBefore: now + 9_000, tried: false, doubted: false, parked: true })
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
    assert.deepStrictEqual(planOf(action, row, { state: "sent", chat, messageId }), {
      _tag: "Edit",
      message: messageId,
      content
    })
    assert.deepStrictEqual(planOf(action, row, { state: "sending", chat }), { _tag: "Hold" })
    const elsewhere = { state: "sent", chat: ChatId.make(2), messageId }
    for (const status of [
      undefined,
      { state: "unknown", chat },
      { state: "dead", chat, messageId },
      { state: "sent", chat },
      elsewhere
    ])
      assert.deepStrictEqual(planOf(action, row, status), { _tag: "Send", content })
  })

  it("uses no message's id in a group that moved, for it is another message's there", () => {
    const moved = { chat, movedFrom: ChatId.make(-5) }
    const message = MessageId.make(7)
    assert.deepStrictEqual(planOf({ _tag: "Edit", message, content }, moved, undefined), send)
    assert.deepStrictEqual(planOf({ _tag: "Send", replyTo: message, content }, moved, undefined), send)
    assert.deepStrictEqual(planOf({ _tag: "Send", replyTo: message, content }, { chat }, undefined), {
      ...send,
      replyTo: message
    })
  })

  it("follows a group once", () => {
    const error = new Migrated({ method, to: ChatId.make(-100) })
    assert.deepInclude(settle(row, send, error, options), { _tag: "ChatMoved", to: ChatId.make(-100) })
    assert.strictEqual(settle({ ...row, movedFrom: ChatId.make(-5) }, send, error, options)._tag, "Dead")
  })

  it("ends what fails for ever while others are served, and nothing in an outage of hours", () => {
    const error = new Unavailable({ method, reason })
    const tried = (attempts: number, others: "served" | "not served", age = 0) =>
      settle({ ...row, attempts, created: now - age }, send, error, { ...options, others })
    assert.strictEqual(tried(enough.tries - 2, "served")._tag, "Back")
    const dead = tried(enough.tries - 1, "served")
    assert.deepInclude(dead, { _tag: "Dead" })
    assert.include("reason" in dead ? dead.reason : "", "20 tries")
    assert.strictEqual(tried(1_000, "not served", enough.lonely - 1)._tag, "Back")
    assert.strictEqual(tried(1, "not served", 30 * enough.lonely)._tag, "Back")
    assert.strictEqual(tried(enough.tries - 1, "not served", enough.lonely)._tag, "Dead")
  })

  it("suspects Telegram after failures of the network or its servers, never after a refusal", () => {
    const suspicious = table.map(([error]) => error).filter(isSuspicious)
    assert.deepStrictEqual(
      suspicious.map(({ _tag }) => _tag),
      ["CircuitOpen", "Unavailable", "Ambiguous"]
    )
  })
})
