import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chosenSeed, prove, signals } from "./Harness.ts"

describe("interrupted by SIGTERM while messages arrive", () => {
  it.live(
    "exits within five seconds, and nobody sees anything twice",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("terminated", {
          seed: yield* chosenSeed,
          updates: 120,
          places: 10,
          doubts: "none",
          ends: signals("SIGTERM", 4)
        })
        assert.isAbove(figures.notes, 15)
      }),
    300_000
  )
})
