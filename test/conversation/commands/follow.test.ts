import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { pageOf } from "../../../src/conversation/ChatChoice.ts"
import { choiceIn } from "../../../src/conversation/commands/follow.ts"
import { ChatName } from "../../../src/domain/ChatName.ts"

describe("what follows /follow", () => {
  const named = (chat: string) => ({ chat: ChatName.make(chat) })
  const january = Date.UTC(2026, 0, 31) / 1000
  it.each<[string, ReturnType<typeof choiceIn>]>([
    ["saved", named("saved")],
    [" Saved ", named("saved")],
    ["@news", named("@news")],
    ["t.me/news", named("@news")],
    ["https://t.me/news/ 2026-01-31", { ...named("@news"), since: january }],
    ["-1001500 2026-01-31", { ...named("-1001500"), since: january }],
    ["news", undefined],
    ["@news yesterday", undefined],
    ["@news 2026-13-01", undefined],
    ["@news 2026-02-30", undefined],
    ["@news 2026-01-31 2026-02-01", undefined],
    ["https://t.me/+AbCdEf", undefined]
  ])("%s", (argument, choice) => {
    assert.deepStrictEqual(choiceIn(argument), choice)
  })
})

it.prop(
  "turning the pages shows each chat once, in order, and any button of an older list leads somewhere",
  {
    chats: Schema.Array(Schema.Int).check(Schema.isMaxLength(100)),
    anywhere: Schema.Int.check(Schema.isBetween({ minimum: -200, maximum: 200 }))
  },
  ({ anywhere, chats }) => {
    const turned: Array<number> = []
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page: ReturnType<typeof pageOf<number>> = pageOf(chats, from)
      assert.strictEqual(page.begin, from)
      assert.strictEqual(page.before === undefined, from === 0)
      turned.push(...page.shown)
      from = page.after
    }
    assert.deepStrictEqual(turned, [...chats])
    const { begin, shown } = pageOf(chats, anywhere)
    assert.deepStrictEqual(shown, chats.slice(begin, begin + 20))
    assert.isTrue(chats.length === 0 || shown.length > 0)
  }
)
