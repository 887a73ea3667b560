/** What operators see of the outbox: how many rows are open, how old they are, and how rows end. */
import { Effect, Metric } from "effect"
import { outboxOldest, outboxRows, outboxSettled } from "./metrics.ts"
import type * as Rows from "./OutboxRows.ts"
import type { Settlement } from "./Settlement.ts"

/** The state an operator sees counted. A result that is sent once more was unknown all the same. */
const countedAs = (settlement: Settlement): string | undefined => {
  switch (settlement._tag) {
    case "Sent":
      return "sent"
    case "Unknown":
      return "unknown"
    case "Dead":
    case "ChatDead":
      return "dead"
    case "Back":
      return settlement.doubted ? "unknown" : undefined
    default:
      return undefined
  }
}

export const count = (all: ReadonlyArray<Rows.Settled>) =>
  Effect.forEach(
    all,
    ({ settlement }) => {
      const state = countedAs(settlement)
      return state === undefined
        ? Effect.void
        : Metric.update(Metric.withAttributes(outboxSettled, { state }), 1)
    },
    { discard: true }
  )

/** Of all bots whose dispatchers are in this process. */
export const census = (open: ReadonlyArray<Rows.Open>) =>
  Effect.andThen(
    Effect.forEach(["pending", "sending"] as const, (state) =>
      Metric.update(
        Metric.withAttributes(outboxRows, { state }),
        open.reduce((sum, row) => (row.state === state ? sum + row.count : sum), 0)
      )
    ),
    Metric.update(
      outboxOldest,
      open.reduce((oldest, { age }) => Math.max(oldest, age), 0)
    )
  )
