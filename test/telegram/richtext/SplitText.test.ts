import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type FormattedText, plain, type TextEntity } from "../../../src/domain/FormattedText.ts"
import { messageLimits, type PartLimits, split } from "../../../src/telegram/RichText.ts"
import { checkEntities, visible } from "../support/entities.ts"

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

const isBlank = (value: string) => value.trim() === ""

/** The parts with where each begins; fails when anything but blanks is left out between them. */
const placed = (value: string, parts: ReadonlyArray<FormattedText>) => {
  let at = 0
  const found = parts.map((part) => {
    const start = value.indexOf(part.text, at)
    assert.isAtLeast(start, 0)
    assert.isTrue(isBlank(value.slice(at, start)), `left out ${JSON.stringify(value.slice(at, start))}`)
    at = start + part.text.length
    return { ...part, start }
  })
  assert.isTrue(isBlank(value.slice(at)))
  return found
}

const whole = (parts: ReadonlyArray<FormattedText>) => parts.map((part) => part.text).join("")
const blanks = (units: number) => " ".repeat(units)

describe("RichText.split", () => {
  it("gives parts within the limits that put together are the text", () => {
    fc.assert(
      fc.property(formatted, limits, (value, most) => {
        const parts = split(value, most)
        placed(value.text, parts)
        const longestBlank = Math.max(0, ...(value.text.match(/\s+/g) ?? []).map((run) => run.length))
        if (!isBlank(value.text) && value.entities.length === 0 && longestBlank < most.units - 11) {
          assert.strictEqual(whole(parts), value.text)
        }
        for (const part of parts) {
          assert.isTrue(/\S/.test(part.text), "no part is blank")
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
        for (const { start, text } of placed(value.text, split(value, most))) {
          assert.isTrue(allowed.has(start), `begins at ${start}`)
          assert.isTrue(allowed.has(start + text.length), `ends at ${start + text.length}`)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("keeps every formatted character formatted, with entities inside their part", () => {
    // Fewer entities than a part may hold: none has to be left out.
    fc.assert(
      fc.property(formatted, fc.integer({ min: 20, max: 120 }), (value, units) => {
        const parts = split(value, { units, entities: 100 })
        for (const part of parts) {
          for (const { offset, length } of part.entities) {
            assert.isAtLeast(offset, 0)
            assert.isAbove(length, 0)
            assert.isAtMost(offset + length, part.text.length)
          }
        }
        assert.deepStrictEqual(parts.flatMap(visible), visible(value))
      })
    )
  })

  it("returns what fits as it is, and nothing for nothing to see", () => {
    const value: FormattedText = { text: "hello", entities: [{ type: "bold", offset: 0, length: 5 }] }
    assert.deepStrictEqual(split(value), [value])
    assert.deepStrictEqual(split(plain("")), [])
    assert.deepStrictEqual(split(plain(" \n\u200B\u2800")), [])
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

  it("cuts beside a link rather than through it, at a lesser break", () => {
    const text = "one two three. four five six"
    const link: TextEntity = { type: "text_link", url: "https://a.org", offset: 8, length: 10 }
    assert.deepStrictEqual(split({ text, entities: [link] }, { units: 22, entities: 100 }), [
      { text: "one two three. four ", entities: [link] },
      plain("five six")
    ])
  })

  it("code across a cut is code of the same language on both sides, cut after a line", () => {
    const lines = Array.from({ length: 300 }, (_, index) => `  line(${index}) // of some words`).join("\n")
    const value: FormattedText = {
      text: `Look:\n\n${lines}\n\nDone.`,
      entities: [{ type: "pre", language: "ts", offset: 7, length: lines.length }]
    }
    const parts = split(value)
    assert.isAbove(parts.length, 2)
    assert.strictEqual(whole(parts), value.text)
    for (const part of parts) {
      checkEntities(part)
      assert.lengthOf(part.entities, 1)
      const [code] = part.entities
      assert.strictEqual(code?.language, "ts")
      assert.match(part.text.slice(code?.offset), /^ {2}line\(\d+\) [\s\S]*of some words/)
    }
  })

  it("a code block that fits into a message is not cut when a good part of one stands before it", () => {
    const before = "Words. ".repeat(400)
    const code = "line of code\n".repeat(150).trimEnd()
    const parts = split({
      text: `${before}\n\n${code}\n\nEnd.`,
      entities: [{ type: "pre", offset: before.length + 2, length: code.length }]
    })
    assert.deepStrictEqual(
      parts.map(({ text }) => text),
      [`${before}\n\n`, `${code}\n\nEnd.`]
    )
  })

  it("no part is blank: blanks too many for a message are left out, others go with a word", () => {
    assert.deepStrictEqual(split(plain(`${blanks(9_000)}word`)), [plain(`${blanks(9_000 % 4_096)}word`)])
    const between = split(plain(`one${blanks(9_000)}two`))
    assert.deepStrictEqual(
      between.map((part) => part.text.trim()),
      ["one", "two"]
    )
    const tail = `${"word ".repeat(820)}${blanks(300)}`
    assert.strictEqual(whole(split(plain(tail))), tail)
    const full = `${"x".repeat(4_096)}\n`
    assert.strictEqual(whole(split(plain(full))), full)
    assert.deepStrictEqual(split(plain(`x${blanks(9_000)}`)).length, 1)
  })

  it("gets on with a grapheme longer than a message", () => {
    const value = `a${"\u0301".repeat(100)}`
    const parts = split(plain(value), { units: 20, entities: 10 })
    assert.strictEqual(parts.map((part) => part.text).join(""), value)
  })

  it("splits 1,000,000 characters with 100,000 entities in a moment", () => {
    const sentence = "Довольно длинное предложение. "
    const entities = Array.from(
      { length: 100_000 },
      (_, index): TextEntity => ({
        type: "bold",
        offset: Math.floor(index / 3) * sentence.length + (index % 3),
        length: 1
      })
    )
    const parts = split({ text: sentence.repeat(33_334), entities })
    assert.isAbove(parts.length, 240)
    assert.strictEqual(parts.flatMap((part) => part.entities).length, 100_000)
  })
})
