import { it } from "@effect/vitest"
import { hostileStaysValid, longIsSplit, richIsTaken, wordsAreKept } from "./support/richTextProperties.ts"

it("5,000 fuzzed inputs become text with entities Telegram takes", () => {
  hostileStaysValid(5_000)
})

it("5,000 documents keep every word a reader sees", () => {
  wordsAreKept(5_000)
})

it("5,000 fuzzed inputs become rich messages a strict server takes", () => {
  richIsTaken(5_000)
})

it("1,000 long ones are split into parts that hold", () => {
  longIsSplit(1_000)
})
