import { describe, it } from "@effect/vitest"
import { delaysNobody, holds } from "./interleavings/properties.ts"

describe("what the bot says", () => {
  it.live(
    "arrives once, in order, never before a park ends, whatever Telegram, the network and kills do",
    () => holds({ runs: 30 }),
    180_000
  )

  it.live("waits for no other chat that is parked", () => delaysNobody({ runs: 15 }), 120_000)
})
