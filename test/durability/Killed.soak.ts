import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { failpoints } from "../../src/ops/Failpoint.ts"
import { chosenSeed, prove, signals } from "./Harness.ts"
import type { End } from "./Lives.ts"

describe("killed with -9 while messages arrive", () => {
  it.live(
    "at each named place and at 50 random instants: every message in one note, every result once",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("killed", {
          seed: yield* chosenSeed,
          updates: 1000,
          places: 40,
          doubts: "allowed",
          ends: Effect.gen(function* () {
            const named = yield* Effect.forEach(failpoints, (name) =>
              Effect.map(
                Random.nextIntBetween(1, 6),
                (count) => ({ _tag: "Failpoint", name, count }) satisfies End
              )
            )
            return yield* Random.shuffle<End>([...named, ...(yield* signals("SIGKILL", 50))])
          })
        })
        // Vacuous if nothing was under way.
        assert.isAbove(figures.notes, 150)
        assert.isAbove(figures.messages, 700)
      }),
    1_800_000
  )
})
