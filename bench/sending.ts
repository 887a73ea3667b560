/** Sending: against the limits, against the peers, through faults, beside a broadcast; and what it costs. */
import { join } from "node:path"
import { Console, Effect, Layer } from "effect"
import { temporaryDirectory } from "../test/support/Application.ts"
import { emulatorProcessLayer } from "../test/support/emulator.ts"
import { contest } from "./sending/Contest.ts"
import { cost } from "./sending/cost.ts"
import { costFigures, faultFigures, paceFigures, replyFigures } from "./sending/figures.ts"
import { replies } from "./sending/replies.ts"

/** A process of its own, with Telegram's limits; its durability is not ours to measure. */
const emulator = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    emulatorProcessLayer({
      file: join(directory, "emulator.sqlite"),
      rates: "telegram",
      durability: "relaxed"
    })
  )
)

const full = { messages: 3_000, chats: 600, busyChat: 60, busyGroup: 40, cap: "5 minutes" } as const
/** A fifth of it. */
const short = { messages: 600, chats: 120, busyChat: 12, busyGroup: 18, cap: "90 seconds" } as const

/** `few`: fewer messages, as for the other parts. */
export const sending = Effect.fn("bench.sending")(function* (few: boolean) {
  const shape = few ? short : full
  yield* Console.error("  what it costs")
  const costs = yield* cost({ sends: few ? 3_000 : 10_000, chats: 100_000 })
  yield* Console.error("  the same messages for everybody")
  const pace = yield* contest({ ...shape, faults: "none" })
  yield* Console.error("  the same through faults")
  const faults = yield* contest({ ...shape, faults: "some" })
  yield* Console.error("  replies beside a broadcast")
  const beside = yield* replies(few ? { broadcast: 1_000, apart: 250 } : { broadcast: 10_000, apart: 500 })
  return [...paceFigures(pace), ...faultFigures(faults), ...replyFigures(beside), ...costFigures(costs)]
}, Effect.provide(emulator))
