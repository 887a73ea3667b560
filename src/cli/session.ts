/** `zapiska session`: who is logged in at Telegram. Codes and passwords are read from the input and never printed. */
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { LoginView } from "../app/admin/SessionViews.ts"
import { UserId } from "../domain/Ids.ts"
import { app, tenant } from "./Arguments.ts"
import { ask, asking, confirm, readSecret, show, showRows, yes } from "./Asking.ts"
import { CommandRefused } from "./Connection.ts"
import { followCommands } from "./follow.ts"

const where = { tenant, app }

const time = (millis: number | undefined) =>
  millis === undefined ? "" : new Date(millis).toISOString().slice(0, 19).replace("T", " ")

const list = Command.make(
  "list",
  { tenant: Argument.optional(tenant) },
  Effect.fnUntraced(function* (input) {
    const found = yield* ask((client) =>
      Option.isSome(input.tenant)
        ? client.sessions.list({ params: { tenant: input.tenant.value } })
        : client.sessions.all()
    )
    yield* showRows(found, {
      columns: ["tenant", "app", "kind", "state", "account", "owner", "active", "next try", "error"],
      row: ({ tenant, app, kind, state, account, owner, lastActivity, nextTry, lastError }) => ({
        tenant,
        app,
        kind,
        state,
        account: account === undefined ? "" : `${account.name} (${account.id})`,
        owner: owner ?? "",
        active: time(lastActivity),
        "next try": time(nextTry),
        error: lastError ?? ""
      }),
      none: "There are no sessions"
    })
  })
).pipe(Command.withDescription("The sessions of one tenant or of all"))

const add = Command.make(
  "add",
  {
    ...where,
    apiId: Flag.Int("api-id").pipe(Flag.withDescription("Of https://my.telegram.org")),
    user: Flag.optional(
      Flag.Int("user").pipe(Flag.withDescription("The Telegram id of its person; another account is refused"))
    )
  },
  Effect.fnUntraced(function* ({ tenant, app, apiId, user }) {
    const apiHash = yield* readSecret("The API hash of https://my.telegram.org")
    const expected = Option.isSome(user) ? { expected: UserId.make(user.value) } : {}
    const payload = { app, apiId, apiHash, ...expected }
    const added = yield* ask((client) => client.sessions.add({ params: { tenant }, payload }))
    yield* show(added, `${tenant}/${app} is added; log in with: zapiska session login ${tenant} ${app}`)
  })
).pipe(
  Command.withDescription(
    "Add the session of a person's account; its API hash is read from the standard input"
  )
)

const status = Command.make(
  "status",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.sessions.status({ params }))
    yield* showRows(found.history, {
      columns: ["at", "from", "to", "reason", "actor"],
      row: ({ at, from, to, reason, actor }) => ({ at: time(at), from, to, reason, actor }),
      none: `${params.tenant}/${params.app} is ${found.session.state}; it has made no move yet`
    })
  })
).pipe(Command.withDescription("What became of a session, the newest move first"))

/** A step as it is said; nothing for what says nothing new. */
const said = (view: Exclude<LoginView, { readonly _tag: "Ended" }>): Effect.Effect<string> => {
  switch (view._tag) {
    case "Qr":
      return Effect.map(
        Effect.promise(() => import("../app/QrPicture.ts")),
        ({ qrText }) =>
          `${qrText(view.url)}\nScan it with Telegram on your phone: Settings → Devices → Link Desktop Device`
      )
    case "Scanned":
      return Effect.succeed("It was scanned; confirm it on the phone")
    case "CodeSent":
      return Effect.succeed(`Telegram sent a code (${view.via}); ${view.triesLeft} tries`)
    case "PasswordNeeded":
      return Effect.succeed(
        `The account has a two-step password${view.hint === undefined ? "" : `; its hint: ${view.hint}`}; ${view.triesLeft} tries`
      )
    case "Authorized":
      return Effect.succeed(`Logged in as ${view.account.name} (${view.account.id})`)
    case "Starting":
      return Effect.succeed("Connecting to Telegram…")
  }
}

const login = Command.make(
  "login",
  {
    ...where,
    phone: Flag.Boolean("phone").pipe(
      Flag.withDescription("By a code that Telegram sends to a phone number, which is read from the input"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ tenant, app, phone }) {
    const params = { tenant, app }
    const payload = phone ? { phone: yield* readSecret("The phone number, as +49 170 1234567") } : {}
    yield* ask((client) =>
      Effect.gen(function* () {
        let last = ""
        let view: LoginView = yield* client.sessions.login({ params, payload })
        while (true) {
          if (view._tag === "Ended") return yield* new CommandRefused({ message: view.message })
          const now = JSON.stringify(view)
          if (now !== last) yield* Console.log(yield* said(view))
          last = now
          if (view._tag === "Authorized") return
          const answered =
            view._tag === "CodeSent"
              ? client.sessions.code({ params, payload: { code: yield* readSecret("The code") } })
              : view._tag === "PasswordNeeded"
                ? client.sessions.password({
                    params,
                    payload: { password: yield* readSecret("The password") }
                  })
                : Effect.delay(client.sessions.loginState({ params }), "1 second")
          // A wrong answer: how many tries are left is asked for again.
          view = yield* answered.pipe(
            Effect.catchTag("Conflict", ({ message }) =>
              Effect.andThen(Console.log(message), client.sessions.loginState({ params }))
            )
          )
        }
      })
    )
  })
).pipe(
  Command.withDescription("Log a person's account in, by a QR code in the terminal or a code Telegram sends")
)

const link = Command.make(
  "link",
  where,
  Effect.fnUntraced(function* (params) {
    const made = yield* ask((client) => client.sessions.link({ params }))
    const until = `Whoever opens it logs in as ${params.tenant}/${params.app}. It works once, until ${time(made.expires)} UTC`
    yield* show(made, `${made.url}\n${until}`)
  })
).pipe(Command.withDescription("Make a link to a page on which somebody logs their own account in"))

const validate = Command.make(
  "validate",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.sessions.validate({ params }))
    yield* show(found, `${params.tenant}/${params.app} is ${found.state}`)
  })
).pipe(Command.withDescription("Ask Telegram whether a session lives"))

const revoke = Command.make(
  "revoke",
  { ...where, yes },
  Effect.fnUntraced(function* ({ tenant, app, yes }) {
    yield* confirm({ yes, what: `The session ${tenant}/${app} will be logged out`, name: app })
    const ended = yield* ask((client) => client.sessions.revoke({ params: { tenant, app } }))
    yield* show(
      ended,
      `${tenant}/${app} is logged out${ended.problem === undefined ? "" : `, but ${ended.problem}`}`
    )
  })
).pipe(Command.withDescription("Log out at Telegram, and keep nothing of the session"))

export const sessions = Command.make("session").pipe(
  Command.withDescription(
    "Telegram sessions: list, add, status, login, link, validate, revoke; and chats, following, follow, unfollow"
  ),
  Command.withSubcommands([list, add, status, login, link, validate, revoke, ...followCommands]),
  Command.withGlobalFlags(asking)
)
