/** What operators see of the outbox: how many rows are open, how old they are, and how rows end. */
import { Effect, Metric } from "effect"
import { TenantScope } from "../store/TenantScope.ts"
import { outboxOldest, outboxRows, outboxSettled } from "./metrics.ts"
import * as Rows from "./OutboxRows.ts"
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

export const census = (owner: Rows.Owner) =>
  TenantScope.use((scope) => scope.transaction(owner.tenant, (sql) => Rows.census(sql, owner))).pipe(
    Effect.flatMap((open) =>
      Effect.andThen(
        Effect.forEach(["pending", "sending"] as const, (state) =>
          Metric.update(
            Metric.withAttributes(outboxRows, { state }),
            open.find((row) => row.state === state)?.count ?? 0
          )
        ),
        Metric.update(outboxOldest, Math.max(0, ...open.map(({ age }) => age)))
      )
    ),
    // The rounds say so when the database is away.
    Effect.ignore
  )
