/** What holds of any Markdown, as properties to be run as often as there is time. */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import fc from "fast-check"
import type { FormattedText } from "../../../src/domain/FormattedText.ts"
import { richOf } from "../../../src/sandbox/RichMessage.ts"
import {
  fromMarkdown,
  messageLimits,
  type RichBlock,
  richFromMarkdown,
  split
} from "../../../src/telegram/RichText.ts"
import { checkEntities, visible } from "./entities.ts"
import { hostileMarkdown, longMarkdown, type Wordy, wordyMarkdown } from "./markdown.ts"

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

const checkParts = (value: FormattedText) => {
  const parts = split(value)
  assert.strictEqual(parts.map(({ text }) => text).join(""), value.text)
  assert.deepStrictEqual(parts.flatMap(visible), visible(value))
  let at = 0
  const all = graphemes.segment(value.text)
  for (const part of parts) {
    assert.isAtMost(part.text.length, messageLimits.units)
    assert.isAtMost(part.entities.length, messageLimits.entities)
    assert.notStrictEqual(part.text.trim(), "")
    assert.strictEqual(all.containing(at)?.index ?? at, at, "no part begins inside a grapheme")
    checkEntities(part)
    at += part.text.length
  }
}

const checkWords = ({ text }: FormattedText, { words }: Wordy) => {
  assert.deepStrictEqual(text.match(/w\d+q/g) ?? [], [...words])
  assert.notInclude(text, "hidden")
}

export const hostileStaysValid = (numRuns: number): void =>
  fc.assert(
    fc.property(hostileMarkdown, (markdown) => {
      const value = fromMarkdown(markdown)
      checkEntities(value)
      assert.isTrue(value.text.isWellFormed())
      assert.strictEqual(value.text.trimEnd(), value.text)
      checkParts(value)
    }),
    { numRuns }
  )

export const wordsAreKept = (numRuns: number): void =>
  fc.assert(
    fc.property(wordyMarkdown, (wordy) => {
      const value = fromMarkdown(wordy.markdown)
      checkEntities(value)
      checkWords(value, wordy)
    }),
    { numRuns }
  )

/** The emulator reads it with rules of its own. */
const isTaken = (blocks: ReadonlyArray<RichBlock>) => {
  const answer = richOf({ values: { rich_message: JSON.stringify({ blocks }) }, uploads: new Map() })
  assert.deepStrictEqual(answer, Result.succeed(blocks) as never)
}

export const richIsTaken = (numRuns: number): void =>
  fc.assert(
    fc.property(
      fc.oneof(
        hostileMarkdown,
        wordyMarkdown.map(({ markdown }) => markdown)
      ),
      (markdown) => {
        const blocks = richFromMarkdown(markdown)
        if (blocks !== undefined) isTaken(blocks)
      }
    ),
    { numRuns, endOnFailure: true }
  )

export const longIsSplit = (numRuns: number): void =>
  fc.assert(
    fc.property(longMarkdown, (wordy) => {
      const value = fromMarkdown(wordy.markdown)
      checkEntities(value)
      checkWords(value, wordy)
      checkParts(value)
    }),
    { numRuns, endOnFailure: true }
  )
