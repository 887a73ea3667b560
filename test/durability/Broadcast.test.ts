import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { prove } from "./Broadcast.ts"
import { chosenSeed } from "./Harness.ts"

describe("killed with -9 during a broadcast", () => {
  it.live(
    "every row ends, and Telegram's journal agrees with it",
    () => Effect.flatMap(chosenSeed, (seed) => prove({ seed, rows: 300, chats: 60, kills: 4 })),
    600_000
  )
})
