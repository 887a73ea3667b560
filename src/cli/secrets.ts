/** `zapiska secrets`, `zapiska audit`: what keeps an installation safe, and who changed what in it. */
import { Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { auditPage } from "../domain/AuditRow.ts"
import { tenant } from "./Arguments.ts"
import { ask, asking, ofEach, show, showRows } from "./Asking.ts"

const some = { tenant: Argument.optional(tenant) }

const rotate = Command.make(
  "rotate",
  some,
  Effect.fnUntraced(function* (input) {
    const done = yield* ask((client) =>
      ofEach(client, input.tenant, (tenant) => client.secrets.rotate({ params: { tenant } }))
    )
    yield* show(
      done,
      done
        .map(
          ({ tenant, sealed }) =>
            `Tenant ${tenant}: ${sealed === 1 ? "1 secret is" : `${sealed} secrets are`} sealed under a new key`
        )
        .join("\n")
    )
  })
).pipe(Command.withDescription("Seal the secrets of one tenant, or of all, under new keys"))

export const secrets = Command.make("secrets").pipe(
  Command.withDescription("Keys that seal bot tokens and other credentials: rotate"),
  Command.withSubcommands([rotate]),
  Command.withGlobalFlags(asking)
)

export const audit = Command.make(
  "audit",
  {
    ...some,
    before: Flag.Int("before").pipe(Flag.withDescription("Go on below this id"), Flag.optional)
  },
  Effect.fnUntraced(function* (input) {
    const query = input.before._tag === "Some" ? { before: input.before.value } : {}
    const found = yield* ask((client) =>
      ofEach(client, input.tenant, (tenant) => client.audit.list({ params: { tenant }, query }))
    )
    const rows = found
      .flat()
      .sort((a, b) => b.id - a.id)
      .slice(0, auditPage)
    yield* showRows(rows, {
      columns: ["id", "at", "tenant", "actor", "action", "subject", "details"],
      row: ({ id, details, ...row }) => ({
        ...row,
        id: String(id),
        details: Object.entries(details)
          .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
          .join(" ")
      }),
      none: "Nothing is on record"
    })
  })
).pipe(
  Command.withDescription(
    "Who changed what, the newest first; of a tenant that was removed too, by its name"
  ),
  Command.withGlobalFlags(asking)
)
