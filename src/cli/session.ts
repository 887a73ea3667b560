/** `zapiska session`: who is logged in at Telegram. Codes and passwords are read from the input and never printed. */
import { Effect, Option, Redacted, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ApiHash, ApiIdFromString, type LoginView, type SessionInfo } from "../app/admin/SessionViews.ts"
import { UserIdFromString } from "../app/admin/UsersGroup.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { flag, session, tenant } from "./Arguments.ts"
import { ask, asking, confirm, readSecret, secretLines, show, showRows, yes } from "./Asking.ts"
import { CommandRefused } from "./Connection.ts"
import { followCommands } from "./follow.ts"
import { table } from "./Table.ts"

const where = { tenant, app: session }

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
      row: ({
        tenantDisabled,
        tenant,
        app,
        kind,
        state,
        account,
        owner,
        lastActivity,
        nextTry,
        lastError
      }) => ({
        tenant,
        app,
        kind,
        state: tenantDisabled ? `${state}, tenant disabled` : state,
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

const isApiHash = Schema.is(ApiHash)

const add = Command.make(
  "add",
  {
    ...where,
    apiId: flag("api-id", ApiIdFromString, "Of https://my.telegram.org"),
    user: flag("user", UserIdFromString, "The Telegram id of its person; another account is refused").pipe(
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ tenant, app, apiId, user }) {
    const what = "The API hash of https://my.telegram.org"
    const apiHash = yield* readSecret(what)
    if (!isApiHash(Redacted.value(apiHash)))
      return yield* new CommandRefused({ message: `${what}: it is 32 digits and letters from a to f` })
    const expected = Option.isSome(user) ? { expected: user.value } : {}
    const payload = { app, apiId, apiHash, ...expected }
    const added = yield* ask((client) => client.sessions.add({ params: { tenant }, payload }))
    yield* show(added, `${tenant}/${app} is added; log in with: zapiska session login ${tenant} ${app}`)
  })
).pipe(
  Command.withDescription(
    "Add the session of a person's account; its API hash is read from the standard input"
  )
)

/** How it stands now, as a sentence and what is to be known with it. */
const standing = (session: SessionInfo, moved: boolean) => {
  const { account, app, lastError, nextTry, owner, state, tenant, tenantDisabled } = session
  const facts = [
    state,
    ...(tenantDisabled ? ["resting for its tenant is disabled"] : []),
    ...(account === undefined ? [] : [`logged in as ${account.name} (${account.id})`]),
    ...(owner === undefined ? [] : [`run by ${owner}`])
  ].join(", ")
  return [
    `${tenant}/${app} is ${facts}${moved ? "" : "; it has made no move yet"}`,
    ...(lastError === undefined ? [] : [`What went wrong last: ${lastError}`]),
    ...(nextTry === undefined ? [] : [`Next try: ${time(nextTry)} UTC`])
  ]
}

const status = Command.make(
  "status",
  where,
  Effect.fnUntraced(function* (params) {
    const found = yield* ask((client) => client.sessions.status({ params }))
    const moves = table(
      ["at", "from", "to", "reason", "actor"],
      found.history.map(({ at, from, to, reason, actor }) => ({ at: time(at), from, to, reason, actor }))
    )
    const moved = found.history.length > 0
    yield* show(found, [...standing(found.session, moved), ...(moved ? ["", moves] : [])].join("\n"))
  })
).pipe(Command.withDescription("How a session stands, and its last moves, the newest first"))

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

/** What becomes of the account's messages now that it is logged in. */
const flowing = (where: string, follows: ReadonlyArray<{ readonly source: unknown }>) =>
  follows.some(({ source }) => source === "saved")
    ? `Its Saved Messages become notes from now on. To stop that: zapiska session unfollow ${where} saved`
    : `Its Saved Messages do not become notes, for that was ended before. To have it again: zapiska session follow ${where} saved`

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
    const secret = yield* secretLines
    const payload = phone ? { phone: yield* secret("The phone number, as +49 170 1234567") } : {}
    yield* ask((client) =>
      Effect.gen(function* () {
        let last = ""
        let view: LoginView = yield* client.sessions.login({ params, payload })
        while (true) {
          if (view._tag === "Ended") return yield* new CommandRefused({ message: view.message })
          if (view._tag === "Authorized") {
            const { id } = view.account
            const follows = (yield* client.follows.list({ params })).filter(({ account }) => account === id)
            return yield* show(view, `${yield* said(view)}\n${flowing(`${tenant} ${app}`, follows)}`)
          }
          const now = JSON.stringify(view)
          if (now !== last) yield* show(view, yield* said(view))
          last = now
          const answered =
            view._tag === "CodeSent"
              ? client.sessions.code({ params, payload: { code: yield* secret("The code") } })
              : view._tag === "PasswordNeeded"
                ? client.sessions.password({
                    params,
                    payload: { password: yield* secret("The password") }
                  })
                : Effect.delay(client.sessions.loginState({ params }), "1 second")
          // A wrong answer: how many tries are left is asked for again.
          view = yield* answered.pipe(
            Effect.catchTag("Conflict", ({ message }) =>
              Effect.andThen(
                show({ _tag: "Refused", message }, message),
                client.sessions.loginState({ params })
              )
            )
          )
        }
      })
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Log a person's account in, by a QR code in the terminal or a code Telegram sends")
)

const link = Command.make(
  "link",
  where,
  Effect.fnUntraced(function* (params) {
    const made = yield* ask((client) => client.sessions.link({ params }))
    const until = `Whoever opens it logs in as ${params.tenant}/${params.app}. It works once, until ${time(made.expires)} UTC`
    const local = isLoopback(new URL(made.url).hostname.replace(/^\[|\]$/g, ""))
    yield* show(
      made,
      [
        made.url,
        until,
        ...(local ? ["Only the machine of the assistant can open it: PUBLIC_URL says where others do"] : [])
      ].join("\n")
    )
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

const remove = Command.make(
  "remove",
  { ...where, yes },
  Effect.fnUntraced(function* ({ tenant, app, yes }) {
    const what = `The session ${tenant}/${app}, its history and what it follows will be forgotten`
    yield* confirm({ yes, what, name: app })
    yield* ask((client) => client.sessions.remove({ params: { tenant, app } }))
    yield* show({ tenant, app }, `${tenant}/${app} is removed; the notes that were made of it stay`)
  })
).pipe(Command.withDescription("Forget a session nobody is logged in to; notes stay"))

export const sessions = Command.make("session").pipe(
  Command.withDescription(
    "Telegram sessions: list, add, status, login, link, validate, revoke, remove; and chats, following, follow, unfollow"
  ),
  Command.withSubcommands([list, add, status, login, link, validate, revoke, remove, ...followCommands]),
  Command.withGlobalFlags(asking)
)
