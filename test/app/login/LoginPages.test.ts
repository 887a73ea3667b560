/** What the routes of the login page give to whom, asked as a program asks them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { key } from "../../session/support.ts"
import { newLink, site } from "../../support/loginPage.ts"

const ask = (url: string, method = "GET", headers: Record<string, string> = {}) =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { method, headers, signal })
    return { response, status: response.status, text: await response.text() }
  })

const cookieOf = ({ response }: { readonly response: Response }) => response.headers.get("set-cookie") ?? ""

it.live("looking at a link changes nothing, and its page runs nothing but its own files", () =>
  Effect.gen(function* () {
    const url = yield* newLink()
    for (const method of ["GET", "HEAD", "GET"]) {
      const looked = yield* ask(url, method)
      assert.strictEqual(looked.status, 200)
      assert.strictEqual(cookieOf(looked), "")
      assert.strictEqual(looked.response.headers.get("cache-control"), "no-store")
      assert.include(looked.response.headers.get("content-security-policy"), "default-src 'none'")
    }
    const page = yield* ask(url)
    assert.include(page.text, "default/mine")
    assert.notMatch(page.text, /<script(?![^>]*src=)|style=|https?:\/\/|\{\{/)
    assert.strictEqual((yield* ask(new URL("assets/login.js", url).href)).status, 200)
    for (const name of ["index.html", "none.js", "..%2FFrames.ts"])
      assert.strictEqual((yield* ask(new URL(`assets/${name}`, url).href)).status, 404, name)
    assert.strictEqual((yield* ask(url, "POST")).status, 204)
  }).pipe(Effect.provide(site()))
)

it.live("links that were used, have expired or never were get the same page", () =>
  Effect.gen(function* () {
    const used = yield* newLink()
    yield* ask(used, "POST")
    const gone = yield* ask(used)
    assert.strictEqual(gone.status, 404)
    assert.include(gone.text, "This link works no longer")
    yield* TenantScope.use(({ transaction }) =>
      transaction(key.tenant, (sql) => sql`UPDATE login_links SET ticket = NULL, expires_at = now()`)
    )
    const never = [used.slice(0, -1), used.replace("default.", "acme."), new URL("/login/nothing", used).href]
    for (const url of [used, ...never]) {
      const answer = yield* ask(url)
      assert.strictEqual(answer.status, 404, url)
      assert.strictEqual(answer.text, gone.text, url)
      assert.strictEqual((yield* ask(url, "POST")).status, 404, url)
    }
  }).pipe(Effect.provide(site()))
)

it.live("another site's page opens no link, and whoever has no ticket gets no socket", () =>
  Effect.gen(function* () {
    const url = yield* newLink()
    assert.strictEqual((yield* ask(url, "POST", { origin: "https://elsewhere.example" })).status, 403)
    assert.strictEqual((yield* ask(`${url}/live`)).status, 403)
    const { host } = new URL(url)
    const opened = yield* ask(url, "POST", { origin: `https://${host}` })
    assert.strictEqual(opened.status, 204)
    const cookie = cookieOf(opened)
    // It came over HTTPS, as far as the browser knows.
    assert.match(
      cookie,
      /^zapiska_login=[\w-]{43}; Path=\/login\/default\.[\w-]{43}; HttpOnly; Secure; SameSite=Strict$/
    )
    const [ticket = ""] = cookie.split(";")
    assert.strictEqual((yield* ask(`${url}/live`, "GET", { cookie: `${ticket}x` })).status, 403)
    // With it there would be a socket, had we asked for one.
    assert.notStrictEqual((yield* ask(`${url}/live`, "GET", { cookie: ticket })).status, 403)
    assert.include((yield* ask(url, "GET", { cookie: ticket })).text, 'data-opened="yes"')
  }).pipe(Effect.provide(site()))
)
