import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { prove } from "./Broadcast.ts"
import { chosenSeed } from "./Harness.ts"

describe("killed with -9 fifty times during a broadcast", () => {
  it.live(
    "every row ends, and Telegram's journal agrees with it",
    () => Effect.flatMap(chosenSeed, (seed) => prove({ seed, rows: 5_000, chats: 600, kills: 50 })),
    3_600_000
  )
})
