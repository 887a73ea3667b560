/**
 * What an operator asks over HTTP: is it alive, is it ready, how is it going. Each of these is a Layer of
 * routes; other parts add theirs the same way and all are merged at the edge.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { Health } from "./Health.ts"
import { Scrubber } from "./Scrub.ts"

const healthRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const health = yield* Health
    const { text: scrub } = yield* Scrubber
    yield* router.add("GET", "/health/live", HttpServerResponse.jsonUnsafe({ live: true }))
    yield* router.add(
      "GET",
      "/health/ready",
      Effect.map(health.ready, (report) =>
        HttpServerResponse.text(scrub(JSON.stringify(report)), {
          status: report.ready ? 200 : 503,
          contentType: "application/json"
        })
      )
    )
  })
)

const metricsRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { text: scrub } = yield* Scrubber
    yield* router.add(
      "GET",
      "/metrics",
      Effect.map(PrometheusMetrics.format({ prefix: "zapiska" }), (text) =>
        HttpServerResponse.text(scrub(text), { contentType: "text/plain; version=0.0.4; charset=utf-8" })
      )
    )
  })
)

/** A page of this server, as the first page lists it. */
export interface PageLink {
  readonly path: `/${string}`
  readonly words: string
}

const opsLinks: ReadonlyArray<PageLink> = [
  { path: "/health/ready", words: "Is it ready?" },
  { path: "/metrics", words: "Metrics (Prometheus)" }
]

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")

const firstPage = (links: ReadonlyArray<PageLink>) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Zapiska</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
  body { max-width: 36rem; margin: 10vh auto; padding: 0 1rem; }
</style>
<h1>Zapiska</h1>
<p>What you send to your bot becomes notes you own. This process offers:</p>
<ul>
${links.map(({ path, words }) => `  <li><a href="${escape(path)}">${escape(words)}</a></li>`).join("\n")}
</ul>
</html>
`

/** Health, metrics and a first page that links to them and to `links`. */
export const opsRoutes = (links: ReadonlyArray<PageLink> = []) =>
  Layer.mergeAll(
    healthRoutes,
    metricsRoute,
    HttpRouter.add("GET", "/", HttpServerResponse.html(firstPage([...links, ...opsLinks])))
  )
