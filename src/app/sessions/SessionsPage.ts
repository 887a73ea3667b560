/** The page of all sessions, for operators. It holds nothing itself: what it shows and does, it asks of the admin API. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import { filesOf } from "../../sandbox/PageAssets.ts"

/** `GET /sessions`, `GET /sessions/assets/<file>`. */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const file = yield* filesOf(new URL("../page/", import.meta.url), new URL("./page/", import.meta.url))
    yield* router.add("GET", "/sessions", Effect.succeed(file("index.html")))
    yield* router.add(
      "GET",
      "/sessions/assets/:name",
      Effect.map(HttpRouter.params, ({ name = "" }) => file(name))
    )
  })
)

export const sessionsLink = {
  path: "/sessions",
  words: "Sessions: who is logged in, and how it goes"
} as const
