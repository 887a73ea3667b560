import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type FormattedText, plain, type TextEntity } from "../../src/domain/FormattedText.ts"
import { messageLimits, type PartLimits, split } from "../../src/telegram/RichText.ts"

const words = fc.constantFrom(
  "слово",
  "word",
  "👩‍👩‍👧‍👦",
  "é",
  "🇩🇪",
  "\r\n",
  "\n\n",
  "\n",
  ". ",
  "! ",
  " ",
  "a\u0301",
  "\u0301",
  "-",
  "𝕏"
)
const text = fc.array(words, { maxLength: 400 }).map((parts) => parts.join(""))
const kinds = fc.constantFrom("bold", "italic", "pre", "text_link", "spoiler")
const limits: fc.Arbitrary<PartLimits> = fc.record({
  units: fc.integer({ min: 20, max: 120 }),
  entities: fc.integer({ min: 3, max: 10 })
})
const formatted: fc.Arbitrary<FormattedText> = text.chain((value) =>
  fc.record({
    text: fc.constant(value),
    entities: fc
      .uniqueArray(
        fc.record({ type: kinds, offset: fc.nat(value.length), length: fc.integer({ min: 1, max: 200 }) }),
        { maxLength: 40, selector: ({ offset }) => offset }
      )
      .map(
        (entities): ReadonlyArray<TextEntity> =>
          entities
            .map((entity) => ({ ...entity, length: Math.min(entity.length, value.length - entity.offset) }))
            .filter(({ length }) => length > 0)
      )
  })
)

const boundaries = (value: string) => {
  const found = new Set([value.length])
  for (const { index } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(value))
    found.add(index)
  return found
}

describe("RichText.split", () => {
  it("gives parts within the limits that put together are the text", () => {
    fc.assert(
      fc.property(formatted, limits, (value, most) => {
        const parts = split(value, most)
        assert.strictEqual(parts.map((part) => part.text).join(""), value.text)
        for (const part of parts) {
          assert.isAbove(part.text.length, 0)
          assert.isAtMost(part.text.length, most.units)
          assert.isAtMost(part.entities.length, most.entities)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("never cuts inside a grapheme or a surrogate pair", () => {
    fc.assert(
      fc.property(formatted, limits, (value, most) => {
        const allowed = boundaries(value.text)
        let at = 0
        for (const part of split(value, most)) {
          at += part.text.length
          assert.isTrue(allowed.has(at), `cut at ${at}`)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("keeps every formatted character formatted, with entities inside their part", () => {
    // Fewer entities than a part may hold: none has to be left out.
    fc.assert(
      fc.property(formatted, fc.integer({ min: 20, max: 120 }), (value, units) => {
        const covered = (entities: ReadonlyArray<TextEntity>, shift: number) =>
          entities.flatMap(({ type, offset, length }) =>
            Array.from({ length }, (_, index) => `${type}@${shift + offset + index}`)
          )
        const expected = new Set(covered(value.entities, 0))
        const seen = new Set<string>()
        let at = 0
        for (const part of split(value, { units, entities: 100 })) {
          for (const { offset, length } of part.entities) {
            assert.isAtLeast(offset, 0)
            assert.isAbove(length, 0)
            assert.isAtMost(offset + length, part.text.length)
          }
          for (const key of covered(part.entities, at)) seen.add(key)
          at += part.text.length
        }
        assert.deepStrictEqual(seen, expected)
      })
    )
  })

  it("returns what fits as it is, and nothing for nothing", () => {
    const value: FormattedText = { text: "hello", entities: [{ type: "bold", offset: 0, length: 5 }] }
    assert.deepStrictEqual(split(value), [value])
    assert.deepStrictEqual(split(plain("")), [])
    assert.lengthOf(split(plain("x".repeat(messageLimits.units))), 1)
  })

  it("prefers the end of a paragraph, then of a line, a sentence, a word", () => {
    const most = { units: 20, entities: 100 }
    const first = (value: string) => split(plain(value), most)[0]?.text
    assert.strictEqual(first("one two. three\n\nfour five six"), "one two. three\n\n")
    assert.strictEqual(first("one two. three\nfour five six"), "one two. three\n")
    assert.strictEqual(first("one two three. four five six"), "one two three. ")
    assert.strictEqual(first("one two three four five six"), "one two three four ")
    assert.strictEqual(first("x".repeat(30)), "x".repeat(20))
  })

  it("gets on with a grapheme longer than a message", () => {
    const value = `a${"\u0301".repeat(100)}`
    const parts = split(plain(value), { units: 20, entities: 10 })
    assert.strictEqual(parts.map((part) => part.text).join(""), value)
  })

  it("splits 1,000,000 characters in a moment", () => {
    const parts = split(plain("Довольно длинное предложение. ".repeat(33_334)))
    assert.isAbove(parts.length, 240)
  })
})
