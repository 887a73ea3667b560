/**
 * The HTTP server as the configuration wants it: the operator's routes and those the profile adds.
 */
import { Effect, Layer } from "effect"
import type { HttpRouter } from "effect/http"
import { AdminToken } from "../ops/HttpApi.ts"
import { serveHttp } from "../ops/HttpServer.ts"
import { opsRoutes, type PageLink } from "../ops/OpsRoutes.ts"
import { AppConfig } from "./AppConfig.ts"
import { Secrets } from "./Secrets.ts"

/** Tried only where nobody chose a port and nothing outside expects one. */
const sandboxAlternatives = 20

/** `links`: the pages among `routes` a person may want to open. */
export const http = <E, R>(
  routes: Layer.Layer<never, E, R | HttpRouter.HttpRouter>,
  links: ReadonlyArray<PageLink>
) =>
  Layer.unwrap(
    Effect.map(AppConfig, ({ http, telegram }) =>
      serveHttp(Layer.merge(opsRoutes(links), routes), {
        ...http,
        alternatives: telegram.botToken === undefined && !http.portChosen ? sandboxAlternatives : 0
      })
    )
  ).pipe(
    Layer.provide(
      Layer.effect(
        AdminToken,
        Effect.map(Secrets, ({ adminToken }) => adminToken)
      )
    )
  )
