/**
 * The HTTP server as the configuration wants it: its port, the operator's routes and those the profile adds.
 */
import { Effect, Layer } from "effect"
import type { HttpRouter } from "effect/http"
import { AdminToken } from "../ops/HttpApi.ts"
import { listen, serve } from "../ops/HttpServer.ts"
import { opsRoutes, type PageLink } from "../ops/OpsRoutes.ts"
import { webhookRoot } from "../telegram/WebhookRules.ts"
import { adminLink, adminRoutes } from "./AdminApi.ts"
import { AppConfig } from "./AppConfig.ts"
import * as LoginPages from "./login/LoginPages.ts"
import { Secrets } from "./Secrets.ts"
import * as SessionsPage from "./sessions/SessionsPage.ts"
import { sessionsLink } from "./sessions/SessionsPage.ts"

/** Tried only where nobody chose a port and nothing outside expects one. */
const sandboxAlternatives = 20

/** The port of the process, or why it cannot be had. */
export const port = Layer.unwrap(
  Effect.map(AppConfig, ({ http, telegram }) =>
    listen({
      ...http,
      alternatives: telegram.botToken === undefined && !http.portChosen ? sandboxAlternatives : 0
    })
  )
)

const adminToken = Layer.effect(
  AdminToken,
  Effect.map(Secrets, ({ adminToken }) => adminToken)
)

/** What is served on it. `links`: the pages among `more` a person may want to open. */
export const routes = <E, R>(
  more: Layer.Layer<never, E, R | HttpRouter.HttpRouter>,
  links: ReadonlyArray<PageLink>
) =>
  Layer.unwrap(
    Effect.map(AppConfig, ({ http, telegram: { webhook } }) =>
      serve(
        Layer.mergeAll(
          opsRoutes([...links, sessionsLink, adminLink]),
          adminRoutes,
          SessionsPage.layer,
          LoginPages.layer,
          more
        ),
        [http.host, ...http.names],
        [
          ...guest(webhook?.url, webhookRoot),
          // Who logs their account in comes by the public name; operators need not.
          ...guest(http.publicUrl, LoginPages.root)
        ],
        [LoginPages.root]
      )
    )
  ).pipe(Layer.provide(adminToken))

const guest = (url: string | undefined, below: string) =>
  url === undefined ? [] : [{ name: new URL(url).hostname, below }]
