/** `zapiska user`, `zapiska invite`: who may use the bots of a tenant. */
import { Duration, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { InviteId, Lifetime, Uses } from "../app/admin/InvitesGroup.ts"
import { Name } from "../app/admin/Name.ts"
import { UserIdFromString } from "../app/admin/UsersGroup.ts"
import { defaultInviteLifetime, InviteRole } from "../domain/Invite.ts"
import { Role } from "../domain/Role.ts"
import { argument, flag, tenant } from "./Arguments.ts"
import { ask, asking, show, showRows } from "./Asking.ts"

const user = argument("user", UserIdFromString, "The number Telegram knows the person by")
const role = Argument.Literals("role", Role.literals).pipe(
  Argument.withDescription("A reader may look, a member may also write, an owner may also invite")
)

const list = Command.make(
  "list",
  { tenant },
  Effect.fnUntraced(function* ({ tenant }) {
    const found = yield* ask((client) => client.users.list({ params: { tenant } }))
    yield* showRows(found, {
      columns: ["user", "name", "role", "language", "since"],
      row: ({ user, name, role, language, since }) => ({
        user: String(user),
        name,
        role,
        language: language ?? "",
        since
      }),
      none: `Nobody may use the bots of ${tenant} yet: zapiska user add ${tenant} <user> owner`
    })
  })
).pipe(Command.withDescription("The people of a tenant"))

const add = Command.make(
  "add",
  {
    tenant,
    user,
    role,
    name: flag("name", Name, "Until they write for the first time").pipe(Flag.optional)
  },
  Effect.fnUntraced(function* ({ tenant, user, role, name }) {
    const payload = { user, role, ...(Option.isSome(name) ? { name: name.value } : {}) }
    const added = yield* ask((client) => client.users.add({ params: { tenant }, payload }))
    yield* show(added, `User ${user} is ${role} of ${tenant}`)
  })
).pipe(Command.withDescription("Let somebody use the bots of a tenant"))

const setRole = Command.make(
  "role",
  { tenant, user, role },
  Effect.fnUntraced(function* ({ tenant, user, role }) {
    const changed = yield* ask((client) =>
      client.users.setRole({ params: { tenant, user }, payload: { role } })
    )
    yield* show(changed, `User ${user} (${changed.name}) is ${role} of ${tenant}`)
  })
).pipe(Command.withDescription("Give somebody another role"))

const remove = Command.make(
  "remove",
  { tenant, user },
  Effect.fnUntraced(function* ({ tenant, user }) {
    yield* ask((client) => client.users.remove({ params: { tenant, user } }))
    yield* show({ tenant, user }, `User ${user} may not use the bots of ${tenant} any more; their notes stay`)
  })
).pipe(Command.withDescription("Take somebody's access away; what they wrote stays"))

export const users = Command.make("user").pipe(
  Command.withDescription("People of a tenant: list, add, role, remove"),
  Command.withSubcommands([list, add, setRole, remove]),
  Command.withGlobalFlags(asking)
)

const create = Command.make(
  "create",
  {
    tenant,
    role: Flag.Literals("role", InviteRole.literals).pipe(
      Flag.withDescription("What it makes of people"),
      Flag.withDefault("member" as const)
    ),
    uses: flag(
      "uses",
      Schema.FiniteFromString.pipe(Schema.decodeTo(Uses)),
      "How many people it lets in"
    ).pipe(Flag.withDefault(1)),
    lifetime: flag("for", Lifetime, "How long it works, such as `3 days`").pipe(
      Flag.withDefault(defaultInviteLifetime)
    )
  },
  Effect.fnUntraced(function* ({ tenant, ...payload }) {
    const made = yield* ask((client) => client.invites.create({ params: { tenant }, payload }))
    const people = payload.uses === 1 ? "one person" : `${payload.uses} people`
    yield* show(
      made,
      [
        `An invite for ${people}, for ${Duration.format(payload.lifetime)} (its id: ${made.invite.id}). It is shown this once:`,
        ...(made.links.length > 0
          ? made.links
          : [`/start ${made.code}`, "That is what they send to the bot of the tenant, once it has one"])
      ].join("\n")
    )
  })
).pipe(Command.withDescription("Make a link that lets people in"))

const listInvites = Command.make(
  "list",
  { tenant },
  Effect.fnUntraced(function* ({ tenant }) {
    const found = yield* ask((client) => client.invites.list({ params: { tenant } }))
    yield* showRows(found, {
      columns: ["invite", "role", "uses left", "expires", "by"],
      row: ({ id, role, usesLeft, expiresAt, createdBy }) => ({
        invite: id,
        role,
        "uses left": String(usesLeft),
        expires: expiresAt,
        by: createdBy
      }),
      none: `${tenant} has no open invites`
    })
  })
).pipe(Command.withDescription("The open invites of a tenant"))

const revoke = Command.make(
  "revoke",
  {
    tenant,
    invite: argument("invite", InviteId, "Its id, as the list shows it")
  },
  Effect.fnUntraced(function* ({ tenant, invite }) {
    yield* ask((client) => client.invites.revoke({ params: { tenant, invite } }))
    yield* show({ tenant, invite }, `The invite lets nobody in any more; those who came in by it stay`)
  })
).pipe(Command.withDescription("Close an invite"))

export const invites = Command.make("invite").pipe(
  Command.withDescription("Links that let people in: create, list, revoke"),
  Command.withSubcommands([create, listInvites, revoke]),
  Command.withGlobalFlags(asking)
)
