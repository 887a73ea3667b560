import { assert, it } from "@effect/vitest"
import { displayWidth } from "../../../src/telegram/richtext/DisplayWidth.ts"

it("East Asian letters and emoji take two columns, joined marks none", () => {
  const widths: ReadonlyArray<readonly [string, number]> = [
    ["", 0],
    ["plain text", 10],
    ["кофе", 4],
    ["漢字かな한글", 12],
    ["ﾊﾝｶｸ", 4],
    ["ＡＢ、。", 8],
    ["e\u0301a\u200Bb", 3],
    ["😀👨‍👩‍👧🇩🇪", 6],
    ["❤️❤", 3],
    ["1️⃣", 2],
    ["│─•–", 4]
  ]
  for (const [text, width] of widths) assert.strictEqual(displayWidth(text), width, text)
})
