import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { parse, shift, split, unparse } from "../../../src/sandbox/page/markup.js"

const marked = (source: string) => {
  const { text, entities } = parse(source)
  return [text, ...entities.map((one) => `${one.type}:${text.slice(one.offset, one.offset + one.length)}`)]
}

describe("what is typed into the sandbox's page", () => {
  it("becomes the entities Telegram's clients make of it", () => {
    assert.deepStrictEqual(marked("a **b** __c__ ~~d~~ ||e|| ++f++"), [
      "a b c d e f",
      "bold:b",
      "italic:c",
      "strikethrough:d",
      "spoiler:e",
      "underline:f"
    ])
    assert.deepStrictEqual(marked("**a __b__**"), ["a b", "bold:a b", "italic:b"])
    assert.deepStrictEqual(marked("`**x**` and ```ts\nlet a\n```"), [
      "**x** and let a",
      "code:**x**",
      "pre:let a"
    ])
    assert.deepStrictEqual(marked("> one\n> **two**\nthree"), [
      "one\ntwo\nthree",
      "blockquote:one\ntwo",
      "bold:two"
    ])
    assert.deepStrictEqual(marked("[a](https://example.org)"), ["a", "text_link:a"])
    assert.strictEqual(parse("```ts\nlet a\n```").entities[0]?.language, "ts")
  })

  it("stays as it is where the marks mean something else", () => {
    for (const plain of [
      "2 ** 3 ** 4",
      "C++ and C++",
      "snake__case__name",
      "a || b || c",
      "**",
      "**open",
      "[a](javascript:x)",
      "```",
      "a > b",
      "****"
    ]) {
      assert.deepStrictEqual(parse(plain), { text: plain, entities: [] }, plain)
    }
  })

  it("comes back as it was typed when it is edited, or says that it cannot", () => {
    const piece = fc.constantFrom(
      "**",
      "__",
      "~~",
      "||",
      "++",
      "`",
      "```",
      "\n",
      "> ",
      "[a](https://b.c)",
      " ",
      "word",
      "ы",
      "😀"
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const once = parse(pieces.join(""))
        for (const { offset, length } of once.entities) {
          assert.isTrue(offset >= 0 && length > 0 && offset + length <= once.text.length)
        }
        const source = unparse(once.text, once.entities)
        if (source === undefined) return
        const again = parse(source)
        assert.strictEqual(again.text, once.text)
        assert.sameDeepMembers([...again.entities], [...once.entities])
      })
    )
  })

  it("keeps formatting that cannot be typed around the words that changed", () => {
    const bold = [{ type: "bold", offset: 4, length: 3 }]
    assert.deepStrictEqual(shift("one two three", "ones two three", bold), [
      { type: "bold", offset: 5, length: 3 }
    ])
    assert.deepStrictEqual(shift("one two three", "one two", bold), bold)
    assert.deepStrictEqual(shift("one two three", "", bold), [])
  })

  it("is cut into messages Telegram takes, losing nothing and no half of a character", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 3 }),
        fc.integer({ min: 1, max: 6000 }),
        (unit, times) => {
          const text = unit.repeat(times)
          const parts = split({ text, entities: [{ type: "bold", offset: 0, length: text.length }] })
          assert.strictEqual(parts.map((part) => part.text).join(""), text)
          for (const part of parts) {
            assert.isAtMost(part.text.length, 4096)
            assert.isTrue(part.text.isWellFormed())
            assert.strictEqual(part.entities[0]?.length ?? 0, part.text.length)
          }
        }
      ),
      { numRuns: 40 }
    )
  })
})
