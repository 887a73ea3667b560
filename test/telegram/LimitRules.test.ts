import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { limitText, metersOf, needsRoom, sentAt, windowAt } from "../../src/telegram/LimitRules.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { messageUpdate } from "./updates.ts"

const instants = fc.integer({ min: 0, max: 4_102_444_800_000 })
const spans = fc.constantFrom("minute", "day" as const)
const lengths = { minute: 60_000, day: 86_400_000 }

describe("windows of limits", () => {
  it("every instant is in one, which begins and ends at a full minute or midnight of UTC", () => {
    fc.assert(
      fc.property(spans, instants, (span, at) => {
        const { nth, ends } = windowAt(span, at)
        assert.isTrue(ends - lengths[span] <= at && at < ends)
        assert.strictEqual(ends % lengths[span], 0)
        assert.deepStrictEqual(windowAt(span, ends - 1), { span, nth, ends })
        assert.strictEqual(windowAt(span, ends).nth, nth + 1)
      })
    )
  })

  it("a message counts when it was sent, an edit when it was edited, and nothing in the future", () => {
    const sent = (fields: object, now = 1e15) => sentAt(decodeUpdate(messageUpdate(1, fields)), now)
    assert.strictEqual(sent({ date: 1_700_000_000 }), 1_700_000_000_000)
    assert.strictEqual(sent({ date: 1_700_000_000 }, 5), 5)
    const { message } = messageUpdate(1, { date: 1_700_000_000, edit_date: 1_700_000_900 })
    assert.strictEqual(
      sentAt(decodeUpdate({ update_id: 1, edited_message: message }), 1e15),
      1_700_000_900_000
    )
    const press = { id: "1", from: message.from, data: "x", message, chat_instance: "1" }
    assert.isUndefined(sentAt(decodeUpdate({ update_id: 1, callback_query: press }), 5))
  })

  it("people have meters of their own, the tenant one for all; what has no limit is not counted", () => {
    const all = { userPerMinute: 1, userPerDay: 2, tenantPerMinute: 3, tenantPerDay: 4 }
    const [own, shared] = metersOf(all, defaultTenant, 7)
    assert.deepStrictEqual(
      [...own, ...shared].map(({ name, limit }) => `${name} ${limit}`),
      ["user_minute 1", "user_day 2", "tenant_minute 3", "tenant_day 4"]
    )
    const [others, same] = metersOf(all, defaultTenant, 8)
    assert.notStrictEqual(others[0]!.key, own[0]!.key)
    assert.deepStrictEqual(same, shared)
    assert.deepStrictEqual(metersOf({ storageBytes: 5 }, defaultTenant, 7), [[], []])
  })
})

describe("a full store", () => {
  it("stops what becomes a note, and no command but /note", () => {
    const needs = (fields: object) => needsRoom(decodeUpdate(messageUpdate(1, fields)))
    for (const text of ["text", "/ path", "/note text", "see /undo"]) assert.isTrue(needs({ text }), text)
    for (const text of ["/undo", "/status@bot", " /recent"]) assert.isFalse(needs({ text }), text)
    const photo = [{ file_id: "a", file_unique_id: "b", width: 1, height: 1 }]
    assert.isTrue(needs({ text: undefined, photo, caption: "/undo" }))
  })
})

describe("what is said about a limit", () => {
  it("is when it goes on: in so many seconds, at least one, or tomorrow", () => {
    fc.assert(
      fc.property(instants, fc.constantFrom("en" as const, "ru" as const), (now, language) => {
        const { ends } = windowAt("minute", now)
        const minute = limitText(language, "user_minute", { now, ends })
        const left = /(?:in|через) (one|\d+) /.exec(minute)?.[1]
        const seconds = left === "one" ? 1 : Number(left)
        assert.isTrue(seconds >= 1 && seconds <= 60, minute)
        assert.isTrue(now + seconds * 1000 >= ends)
        assert.match(limitText(language, "tenant_day", { now, ends }), /00:00 UTC/)
      })
    )
  })
})
