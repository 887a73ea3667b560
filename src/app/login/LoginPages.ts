/**
 * The page a login link opens. Looking at it does nothing, for Telegram and others look at links by themselves: who
 * presses its button opens it, and from then on a cookie of that browser is what goes on with the login.
 */
import { type Duration, Effect, Option, Redacted } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { SqlError } from "effect/sql"
import { type Language, languageOf } from "../../domain/Language.ts"
import { filesOf } from "../../sandbox/PageAssets.ts"
import { LoginLinks } from "../../session/LoginLinks.ts"
import type { SessionManager } from "../../session/SessionManager.ts"
import type { Audit } from "../../store/Audit.ts"
import { converse } from "./Conversing.ts"
import { put } from "./Words.ts"

/** Below it a path is a token: no trace has it. */
export const root = "/login/"

const cookie = "zapiska_login"

const away = (error: SqlError.SqlError) =>
  Effect.as(
    Effect.logWarning(`A login link could not be looked up: ${error.message}`),
    HttpServerResponse.text("The database cannot be reached; try again in a minute\n", { status: 503 })
  )

/** No copy of it stays anywhere, and what is asked for next is not told where from. */
const unkept = HttpServerResponse.setHeader("cache-control", "no-store")

/** What came over HTTPS goes over nothing else. */
const isHttps = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  headers.origin?.startsWith("https:") === true

/** The first that their browser asks for. */
const spokenBy = ({ headers }: HttpServerRequest.HttpServerRequest): Language =>
  languageOf(headers["accept-language"]?.split(/[,;]/)[0]?.trim())

/** `within`: a whole login, as the sessions mean it. `GET` and `POST /login/<token>`, `GET /login/<token>/live`, `GET /login/assets/<file>`. */
export const layerWith = (options: { readonly within?: Duration.Input }) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const links = yield* LoginLinks
      const services = yield* Effect.context<SessionManager | Audit>()
      const file = yield* filesOf(new URL("../page/", import.meta.url), new URL("./page/", import.meta.url))

      const token = Effect.map(HttpRouter.params, ({ token = "" }) => token)
      const gone = (language: Language) =>
        unkept(HttpServerResponse.setStatus(file("gone.html", put(language)), 404))
      /** What this browser opened. */
      const resumed = Effect.gen(function* () {
        const { cookies } = yield* HttpServerRequest.HttpServerRequest
        return yield* links.resume(yield* token, cookies[cookie] ?? "")
      })

      const page = Effect.gen(function* () {
        const mine = yield* resumed
        const link = Option.isSome(mine) ? mine : yield* links.find(yield* token)
        const language = spokenBy(yield* HttpServerRequest.HttpServerRequest)
        if (Option.isNone(link)) return gone(language)
        const { app, tenant } = link.value.key
        const opened = Option.isSome(mine) ? "yes" : "no"
        return unkept(file("index.html", { ...put(language), name: `${tenant}/${app}`, opened }))
      })

      const open = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const given = yield* token
        const link = yield* links.open(given)
        if (Option.isNone(link)) return HttpServerResponse.empty({ status: 404 })
        return HttpServerResponse.setCookieUnsafe(
          HttpServerResponse.empty({ status: 204 }),
          cookie,
          Redacted.value(link.value.ticket),
          // Lax: whoever presses the same link again, in a chat of Telegram's web page, comes from another site. All
          // that comes with a ticket then is a look; acts come over the socket, for which no other site has one.
          { path: `${root}${given}`, httpOnly: true, sameSite: "lax", secure: isHttps(request) }
        )
      })

      const live = Effect.gen(function* () {
        const link = yield* resumed
        if (Option.isNone(link)) return HttpServerResponse.empty({ status: 403 })
        const request = yield* HttpServerRequest.HttpServerRequest
        const works = Effect.map(resumed, Option.isSome)
        yield* Effect.flatMap(request.upgrade, (socket) => converse(socket, link.value, works, options)).pipe(
          Effect.scoped,
          Effect.provideContext(services),
          // However it ends: the page comes back if it wants to. The message would have the path in it.
          Effect.catchTag(["SocketError", "HttpServerError"], (error) =>
            Effect.logDebug(`A login page went away (${error.reason._tag})`)
          )
        )
        return HttpServerResponse.empty()
      })

      const path = `${root}:token` as const
      const answering = <R>(
        answer: Effect.Effect<HttpServerResponse.HttpServerResponse, SqlError.SqlError, R>
      ) => Effect.catchTag(answer, "SqlError", away)
      yield* router.add("GET", path, answering(page))
      yield* router.add("POST", path, answering(open))
      yield* router.add("GET", `${path}/live`, answering(live))
      yield* router.add(
        "GET",
        `${root}assets/:name`,
        Effect.map(HttpRouter.params, ({ name = "" }) => file(name.replace(/\.html$/, "")))
      )
    })
  )

export const layer = layerWith({})
