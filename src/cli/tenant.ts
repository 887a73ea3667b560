/** `zapiska tenant`: whom the installation serves. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Name } from "../app/admin/Name.ts"
import { flag, tenant } from "./Arguments.ts"
import { ask, asking, confirm, show, showRows, yes } from "./Asking.ts"

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function* () {
    const tenants = yield* ask((client) => client.tenants.list())
    yield* showRows(tenants, {
      columns: ["tenant", "name", "state", "since"],
      row: ({ id, name, createdAt, disabledAt }) => ({
        tenant: id,
        name,
        state: disabledAt === undefined ? "enabled" : "disabled",
        since: disabledAt ?? createdAt
      }),
      none: "There are no tenants"
    })
  })
).pipe(Command.withDescription("All tenants"))

const add = Command.make(
  "add",
  {
    tenant,
    name: flag("name", Name, "What people call it; by default its id").pipe(Flag.optional)
  },
  Effect.fnUntraced(function* ({ tenant, name }) {
    const added = yield* ask((client) =>
      client.tenants.add({ payload: { tenant, ...(name._tag === "Some" ? { name: name.value } : {}) } })
    )
    yield* show(added, `Tenant ${tenant} is added. Give it a bot: zapiska app add ${tenant} <app>`)
  })
).pipe(Command.withDescription("Add a tenant; it has notes, people and bots of its own"))

const disable = Command.make(
  "disable",
  { tenant },
  Effect.fnUntraced(function* ({ tenant }) {
    const found = yield* ask((client) => client.tenants.disable({ params: { tenant } }))
    yield* show(found, `Tenant ${tenant} is disabled: its bots are silent, and nothing of it is deleted`)
  })
).pipe(Command.withDescription("Silence all bots of a tenant; nothing is deleted"))

const enable = Command.make(
  "enable",
  { tenant },
  Effect.fnUntraced(function* ({ tenant }) {
    const found = yield* ask((client) => client.tenants.enable({ params: { tenant } }))
    yield* show(found, `Tenant ${tenant} is enabled: its bots go on with what they were sent meanwhile`)
  })
).pipe(Command.withDescription("The opposite of disable"))

const remove = Command.make(
  "remove",
  { tenant, yes },
  Effect.fnUntraced(function* ({ tenant, yes }) {
    const what = `All notes, people, bots and secrets of tenant ${tenant} will be deleted`
    yield* confirm({ yes, what, name: tenant })
    const removed = yield* ask((client) => client.tenants.remove({ params: { tenant } }))
    const rows = Object.values(removed.rows).reduce((sum, some) => sum + some, 0)
    yield* show(removed, `Tenant ${tenant} is removed, with ${rows} rows. Its name is not given again`)
  })
).pipe(Command.withDescription("Delete a tenant with everything it has"))

export const tenants = Command.make("tenant").pipe(
  Command.withDescription("Tenants: add, list, disable, enable, remove"),
  Command.withSubcommands([list, add, disable, enable, remove]),
  Command.withGlobalFlags(asking)
)
