/** What the routes of the login page give to whom, asked as a program asks them. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Audit } from "../../../src/store/Audit.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { key, state } from "../../session/support.ts"
import { eventually } from "../../support/Application.ts"
import { newLink, site } from "../../support/loginPage.ts"
import { live } from "../../support/loginSocket.ts"

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

it.live("the page, and the one of a link that has ended, speak the language of the browser", () =>
  Effect.gen(function* () {
    const url = yield* newLink()
    const said: Array<string> = []
    for (const [languages, heading, gone] of [
      ["ru-RU,ru;q=0.9,en;q=0.8", "Вход в ваш аккаунт Telegram", "Эта ссылка больше не работает"],
      ["de-DE,de;q=0.9", "Log your Telegram account in", "This link works no longer"]
    ] as const) {
      const asked = (of: string) => ask(of, "GET", { "accept-language": languages })
      const page = yield* asked(url)
      const ended = yield* asked(`${url.slice(0, -1)}!`)
      assert.include(page.text, `<h1>${heading}</h1>`)
      assert.include(ended.text, `<h1>${gone}</h1>`)
      for (const { text } of [page, ended]) assert.notInclude(text, "{{")
      said.push(page.text.slice(page.text.indexOf("<main"), page.text.indexOf("</main>")))
    }
    // Of what a person reads nothing is left in English, but the example of a number and the name of the session.
    const read = said[0]!.replace(/<[^>]*>|<code>.*?<\/code>/gs, " ")
    assert.deepStrictEqual(
      (read.match(/[a-z]{4,}/gi) ?? []).filter(
        (word) =>
          !/^(default|mine|Telegram|JavaScript|follow|unfollow|saved|login|zapiska|session|link)$/.test(word)
      ),
      []
    )
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
      /^zapiska_login=[\w-]{43}; Path=\/login\/default\.[\w-]{43}; HttpOnly; Secure; SameSite=Lax$/
    )
    const [ticket = ""] = cookie.split(";")
    assert.strictEqual((yield* ask(`${url}/live`, "GET", { cookie: `${ticket}x` })).status, 403)
    // With it there would be a socket, had we asked for one.
    assert.notStrictEqual((yield* ask(`${url}/live`, "GET", { cookie: ticket })).status, 403)
    assert.include((yield* ask(url, "GET", { cookie: ticket })).text, 'data-opened="yes"')
  }).pipe(Effect.provide(site()))
)

const opened = Effect.gen(function* () {
  const url = yield* newLink()
  const [ticket = ""] = cookieOf(yield* ask(url, "POST")).split(";")
  return { url, ticket }
})
const join = JSON.stringify({ _tag: "Join" })

it.live("a page that stays open does nothing more once its link has ended", () =>
  Effect.gen(function* () {
    const { ticket, url } = yield* opened
    const { closed, socket, told } = yield* live(url, ticket)
    socket.send(join)
    yield* eventually(
      "an answer",
      Effect.sync(() => told.length === 1)
    )
    yield* TenantScope.use(({ transaction }) =>
      transaction(key.tenant, (sql) => sql`UPDATE login_links SET expires_at = now()`)
    )
    socket.send(JSON.stringify({ _tag: "Begin", anew: true }))
    assert.strictEqual(yield* closed, 1008)
    assert.deepStrictEqual(
      told.map((text) => JSON.parse(text)._tag),
      ["Idle"]
    )
    assert.strictEqual(yield* state, "ABSENT")
    assert.notInclude(
      (yield* Audit.use(({ list }) => list(key.tenant))).map(({ action }) => action),
      "session.login_asked"
    )
  }).pipe(Effect.scoped, Effect.provide(site()))
)

it.live("what no page says closes the socket, and more than any page says is not even read", () =>
  Effect.gen(function* () {
    const { ticket, url } = yield* opened
    const closedBy = (text: string) =>
      Effect.gen(function* () {
        const { closed, socket } = yield* live(url, ticket)
        socket.send(text)
        return yield* closed
      }).pipe(Effect.scoped)
    for (const text of ["", "{", '{"_tag":"Format"}', "x".repeat(5_000)])
      assert.strictEqual(yield* closedBy(text), 1008, text.slice(0, 20))
    assert.strictEqual(yield* closedBy("x".repeat(100_000)), 1009)
  }).pipe(Effect.provide(site()))
)
