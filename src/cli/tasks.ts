/** `zapiska tasks`, `zapiska undelivered`: how the running process is doing. */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { tenant } from "./Arguments.ts"
import { ask, asking, showRows } from "./Asking.ts"

export const tasks = Command.make(
  "tasks",
  { tenant: Argument.optional(tenant) },
  Effect.fnUntraced(function* (input) {
    const found = yield* ask((client) =>
      Option.match(input.tenant, {
        onNone: () => client.tasks.list(),
        onSome: (one) => client.tasks.listOf({ params: { tenant: one } })
      })
    )
    yield* showRows(found, {
      columns: ["id", "status", "since", "restarts", "description"],
      row: (task) => ({
        id: task.id,
        status: task.status,
        since: new Date(task.ended ?? task.started).toISOString(),
        restarts: String(task.restarts),
        description: task.error ?? task.description
      }),
      none: "Nothing runs in the background"
    })
  })
).pipe(
  Command.withDescription("What runs in the background, of one tenant or of all"),
  Command.withGlobalFlags(asking)
)

export const undelivered = Command.make(
  "undelivered",
  { tenant },
  Effect.fnUntraced(function* (input) {
    const found = yield* ask((client) =>
      client.outbox.undeliveredOf({ params: { tenant: input.tenant }, query: {} })
    )
    yield* showRows(found, {
      columns: ["id", "app", "chat", "state", "ended", "reason"],
      row: (row) => ({
        id: String(row.id),
        app: row.app,
        chat: String(row.chat),
        state: row.state,
        ended: row.endedAt,
        reason: row.reason
      }),
      none: "Everything that was said has arrived"
    })
  })
).pipe(
  Command.withDescription(
    "The last messages of a tenant that may not have arrived (unknown), and those that did not (dead)"
  ),
  Command.withGlobalFlags(asking)
)
