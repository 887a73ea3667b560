import { describe, it } from "@effect/vitest"
import { delaysNobody, holds } from "./interleavings/properties.ts"

const runs = Number(process.env.RUNS ?? 2_000)

describe("what the bot says", () => {
  it.live(
    "arrives once, in order, never before a park ends, whatever Telegram, the network and kills do",
    () => holds({ runs })
  )

  it.live("waits for no other chat that is parked", () => delaysNobody({ runs: Math.ceil(runs / 4) }))
})
