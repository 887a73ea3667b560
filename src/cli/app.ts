/** `zapiska app`: the bots of tenants. A token is read from the input and never printed. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Alias, type AppKept } from "../app/admin/AppsGroup.ts"
import { app, flag, tenant } from "./Arguments.ts"
import { ask, asking, confirm, ofEach, readSecret, show, showRows, yes } from "./Asking.ts"

const where = { tenant, app }

const list = Command.make(
  "list",
  { tenant: Argument.optional(tenant) },
  Effect.fnUntraced(function* (input) {
    const apps = yield* ask((client) =>
      ofEach(client, input.tenant, (tenant) => client.apps.list({ params: { tenant } }))
    )
    yield* showRows(apps.flat(), {
      columns: ["tenant", "app", "bot", "credential", "state", "since", "rotated"],
      row: ({ tenant, app, botId, alias, createdAt, rotatedAt, disabledAt }) => ({
        tenant,
        app,
        bot: botId === undefined ? "" : String(botId),
        credential: alias,
        state: disabledAt === undefined ? "enabled" : "disabled",
        since: disabledAt ?? createdAt,
        rotated: rotatedAt
      }),
      none: "No bots were added; the one of TELEGRAM_BOT_TOKEN is not listed"
    })
  })
).pipe(Command.withDescription("The bots that were added, of one tenant or of all"))

/** `accepted`: what is said where Telegram knows the bot. */
const introduced = (
  { app: { app, tenant }, telegram, username }: AppKept,
  accepted: (bot: string) => string
) =>
  telegram === "accepted"
    ? `${tenant}/${app} ${accepted(`@${username}`)}`
    : `${tenant}/${app} has its token; Telegram could not be asked whether it works: zapiska session status ${tenant} ${app}`

const add = Command.make(
  "add",
  {
    ...where,
    alias: flag("alias", Alias, "The name its credential is kept under; by default that of the app").pipe(
      Flag.optional
    ),
    stored: Flag.Boolean("stored").pipe(
      Flag.withDescription("Take the credential that is kept under the alias already, and read no token"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ tenant, app, alias, stored }) {
    const given = {
      app,
      ...(stored ? {} : { token: yield* readSecret("The bot's token, as @BotFather gave it") }),
      ...(Option.isSome(alias) ? { alias: alias.value } : {})
    }
    const { added, people } = yield* ask((client) =>
      Effect.all({
        added: client.apps.add({ params: { tenant }, payload: given }),
        people: client.users.list({ params: { tenant } })
      })
    )
    yield* show(
      added,
      [
        introduced(added, (bot) => `is ${bot}, and answers from now on`),
        ...(people.length === 0
          ? [
              `Nobody may use it yet: zapiska user add ${tenant} <user> owner, or zapiska invite create ${tenant}`
            ]
          : [])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Add a bot; its token is read from the standard input"),
  Command.withExamples([
    { command: "zapiska app add acme support", description: "Asks for the token" },
    { command: "zapiska app add acme support < token.txt", description: "In a script" }
  ])
)

const rotate = Command.make(
  "rotate",
  where,
  Effect.fnUntraced(function* (params) {
    const token = yield* readSecret("The bot's new token, as @BotFather gave it")
    const kept = yield* ask((client) => client.apps.rotate({ params, payload: { token } }))
    yield* show(
      kept,
      introduced(kept, (bot) => `goes on as ${bot} with its new token`)
    )
  })
).pipe(
  Command.withDescription(
    "Give a bot its new token, which is read from the standard input; it goes on without a restart"
  )
)

const disable = Command.make(
  "disable",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.apps.disable({ params }))
    yield* show(
      found,
      `${params.tenant}/${params.app} is silent; Telegram keeps what people send it for a day`
    )
  })
).pipe(Command.withDescription("Silence a bot; nothing is deleted"))

const enable = Command.make(
  "enable",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.apps.enable({ params }))
    yield* show(found, `${params.tenant}/${params.app} answers again`)
  })
).pipe(Command.withDescription("The opposite of disable"))

const remove = Command.make(
  "remove",
  { ...where, yes },
  Effect.fnUntraced(function* ({ tenant, app, yes }) {
    yield* confirm({ yes, what: `The bot ${tenant}/${app} and its token will be forgotten`, name: app })
    const removed = yield* ask((client) => client.apps.remove({ params: { tenant, app } }))
    yield* show(removed, `${tenant}/${app} is removed; the notes that were made through it stay`)
  })
).pipe(Command.withDescription("Forget a bot and its token; notes stay"))

export const apps = Command.make("app").pipe(
  Command.withDescription("Bots of tenants: add, list, rotate, disable, enable, remove"),
  Command.withSubcommands([list, add, rotate, disable, enable, remove]),
  Command.withGlobalFlags(asking)
)
