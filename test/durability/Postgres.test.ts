import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chosenSeed, postgresKills, prove } from "./Harness.ts"

describe("its PostgreSQL killed with -9 while messages arrive", () => {
  it.live(
    "goes on, loses nothing, and says nothing twice",
    () =>
      Effect.gen(function* () {
        const figures = yield* prove("postgres killed", {
          seed: yield* chosenSeed,
          updates: 160,
          places: 10,
          doubts: "none",
          ends: postgresKills(5)
        })
        assert.isAbove(figures.notes, 15)
      }),
    300_000
  )
})
