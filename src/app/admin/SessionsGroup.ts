/** What the admin API does with Telegram sessions. Codes, passwords and API hashes come in and never go out. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { AppId, TenantId } from "../../domain/Ids.ts"
import { SessionInfo, SessionTransition } from "../../session/SessionRow.ts"
import { Conflict, Invalid, Missing } from "./Refusals.ts"
import { LoginView, NewAccount, NewLink } from "./SessionViews.ts"

const params = { tenant: TenantId, app: AppId }
const path = "/tenants/:tenant/sessions"
const words = (summary: string, description: string) => OpenApi.annotations({ summary, description })

/** Without a label: one would be wanted of the clients' values too. */
const secret = Schema.RedactedFromValue(Schema.NonEmptyString)

export class SessionsGroup extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.get("all", "/sessions", { success: Schema.Array(SessionInfo) }).annotateMerge(
      words("The sessions of all tenants", "Tenant after tenant")
    ),
    HttpApiEndpoint.get("list", path, {
      params: { tenant: TenantId },
      success: Schema.Array(SessionInfo),
      error: Missing
    }).annotateMerge(words("The sessions of a tenant", "Bots that run, and accounts that were added")),
    HttpApiEndpoint.post("add", path, {
      params: { tenant: TenantId },
      payload: NewAccount,
      success: SessionInfo.pipe(HttpApiSchema.status(201)),
      error: [Invalid, Missing, Conflict]
    }).annotateMerge(
      words("Add the session of a person's account", "With the API id and hash of https://my.telegram.org")
    ),
    HttpApiEndpoint.get("status", `${path}/:app`, {
      params,
      success: Schema.Struct({ session: SessionInfo, history: Schema.Array(SessionTransition) }),
      error: Missing
    }).annotateMerge(words("A session", "With its last 50 moves, the newest first")),
    HttpApiEndpoint.delete("remove", `${path}/:app`, { params, error: [Missing, Conflict] }).annotateMerge(
      words(
        "Remove the session of an account",
        "Nobody may be logged in. Its history, its followed chats and its API id and hash go; the notes stay"
      )
    ),
    HttpApiEndpoint.post("login", `${path}/:app/login`, {
      params,
      payload: Schema.Struct({
        phone: Schema.optionalKey(secret).annotateKey({
          description: "Telegram sends it a code. Without it a QR code is shown"
        })
      }),
      success: LoginView,
      error: [Missing, Conflict]
    }).annotateMerge(words("Begin a login", "Or look at the one by QR code that is under way")),
    HttpApiEndpoint.get("loginState", `${path}/:app/login`, {
      params,
      success: LoginView,
      error: Missing
    }).annotateMerge(words("How the login goes", "In this process; ask again every second")),
    HttpApiEndpoint.post("code", `${path}/:app/login/code`, {
      params,
      payload: Schema.Struct({ code: secret }),
      success: LoginView,
      error: [Missing, Conflict]
    }).annotateMerge(words("Answer with the code", "That Telegram sent")),
    HttpApiEndpoint.post("password", `${path}/:app/login/password`, {
      params,
      payload: Schema.Struct({ password: secret }),
      success: LoginView,
      error: [Missing, Conflict]
    }).annotateMerge(words("Answer with the password", "Of the account's two-step verification")),
    HttpApiEndpoint.delete("cancel", `${path}/:app/login`, { params, error: Missing }).annotateMerge(
      words("Cancel the login", "Nothing of it is kept")
    ),
    HttpApiEndpoint.post("link", `${path}/:app/link`, {
      params,
      success: NewLink.pipe(HttpApiSchema.status(201)),
      error: [Missing, Conflict]
    }).annotateMerge(
      words(
        "Make a link to a login page",
        "It works once, for ten minutes; one before it that nobody opened stops working"
      )
    ),
    HttpApiEndpoint.post("validate", `${path}/:app/validate`, {
      params,
      success: SessionInfo,
      error: [Missing, Conflict]
    }).annotateMerge(words("Ask Telegram whether the session lives", "And move it accordingly")),
    HttpApiEndpoint.post("revoke", `${path}/:app/revoke`, {
      params,
      success: Schema.Struct({ session: SessionInfo, problem: Schema.optionalKey(Schema.String) }),
      error: [Missing, Conflict]
    }).annotateMerge(
      words("Log out", "At Telegram, as far as it can be reached; nothing is kept here in any case")
    )
  )
  .annotateMerge(
    OpenApi.annotations({ description: "Who is logged in at Telegram, and how somebody gets to be" })
  ) {}
