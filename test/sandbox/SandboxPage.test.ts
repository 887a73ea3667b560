import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { calling } from "../support/emulator.ts"
import { on } from "../support/pageDriver.ts"
import { pageUrl, Shelf } from "../support/sandboxPage.ts"

const ask = Effect.fnUntraced(function* (path: string, init: RequestInit = {}) {
  const url = new URL(path, yield* pageUrl)
  const response = yield* calling((signal) => fetch(url, { ...init, signal }))
  return { response, text: yield* calling(() => response.text()) }
})
const act = (action: string, input: unknown, headers: Record<string, string> = {}) =>
  ask(`/sandbox/api/actions/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(input)
  })

describe("the routes of the sandbox's page", () => {
  it.live("serve the page with a policy that runs nothing but its own files", () =>
    on(
      Effect.gen(function* () {
        const page = yield* ask("/sandbox")
        assert.include(
          page.response.headers.get("content-security-policy"),
          "default-src 'none'; script-src 'self'"
        )
        assert.notMatch(page.text, /<script(?![^>]*src=)|style=|https?:\/\//)
        assert.strictEqual((yield* ask("/sandbox/assets/app.js")).response.status, 200)
        for (const name of ["none.js", "..%2F..%2FControl.ts", "markup.d.ts"]) {
          assert.strictEqual((yield* ask(`/sandbox/assets/${name}`)).response.status, 404, name)
        }
      })
    )
  )

  it.live("let a page of another site do nothing, and nobody what only tests may", () =>
    on(
      Effect.gen(function* () {
        const user = { firstName: "Eve" }
        assert.strictEqual(
          (yield* act("createUser", user, { "sec-fetch-site": "cross-site" })).response.status,
          403
        )
        assert.strictEqual(
          (yield* act("createUser", user, { "content-type": "text/plain" })).response.status,
          403
        )
        for (const action of [
          "createBot",
          "bots",
          "revokeToken",
          "inject",
          "addFault",
          "journal",
          "toString"
        ]) {
          assert.strictEqual((yield* act(action, {})).response.status, 404, action)
        }
        assert.deepStrictEqual(yield* BotApiEmulator.use(({ users }) => users({})), [])
      })
    )
  )

  it.live("say what is wrong with a request, and never the bot's token", () =>
    on(
      Effect.gen(function* () {
        const { bot } = yield* BotApiEmulator
        const wrong = yield* act("sendText", { chat: "here", text: 5 })
        assert.strictEqual(wrong.response.status, 400)
        assert.include(wrong.text, "chat")
        const refused = yield* act("sendText", { chat: 42, text: "hi" })
        assert.strictEqual(refused.response.status, 400)
        assert.include(refused.text, "42")
        const state = yield* ask("/sandbox/api/state")
        assert.include(state.text, bot.username)
        assert.notInclude(state.text, bot.token)
        assert.strictEqual((yield* ask("/sandbox/api/events")).response.status, 400)
      })
    )
  )

  it.live("give bytes of people and notes a type that runs nowhere", () =>
    on(
      Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const shelf = yield* Shelf
        const { id } = yield* telegram.createUser({ firstName: "Ada" })
        yield* telegram.start({ user: id })
        const page = new TextEncoder().encode("<script>parent.owned = 1</script>")
        const sent = yield* telegram.sendFile({
          chat: id,
          file: { kind: "document", bytes: page, name: 'a".html', mime: "text/html" }
        })
        yield* shelf.put("media/x.html", page, "Add x")
        yield* shelf.put("media/x.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>", "Add x")
        const file = yield* ask(`/sandbox/api/file?id=${sent.media?.fileId}`)
        for (const { response } of [file, yield* ask("/sandbox/api/kb/media?path=media/x.html")]) {
          assert.strictEqual(response.headers.get("content-type"), "application/octet-stream")
          assert.match(response.headers.get("content-disposition") ?? "", /^attachment/)
        }
        const picture = (yield* ask("/sandbox/api/kb/media?path=media/x.svg")).response
        assert.strictEqual(picture.headers.get("content-type"), "image/svg+xml")
        assert.include(picture.headers.get("content-security-policy"), "sandbox")
      })
    )
  )

  it.live("read paths of the knowledge base only, and tell a file that is gone from a wrong request", () =>
    on(
      Effect.gen(function* () {
        for (const path of ["../secret", "/etc/passwd", "a//b", "", "a/./b", "a%00b"]) {
          assert.strictEqual((yield* ask(`/sandbox/api/kb/file?path=${path}`)).response.status, 400, path)
        }
        assert.strictEqual((yield* ask("/sandbox/api/kb/file?path=a/b.md")).response.status, 404)
        assert.strictEqual((yield* ask("/sandbox/api/kb/diff?commit=--output=x")).response.status, 400)
      })
    )
  )

  it.live("send a person only the events of chats they are in", () =>
    on(
      Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const ada = yield* telegram.createUser({ firstName: "Ada" })
        const boris = yield* telegram.createUser({ firstName: "Boris" })
        const url = new URL(`/sandbox/api/events?user=${ada.id}`, yield* pageUrl)
        const response = yield* calling((signal) => fetch(url, { signal }))
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
        let seen = ""
        const wait = (text: string) =>
          calling(async () => {
            while (!seen.includes(text)) seen += (await reader?.read())?.value ?? ""
          })
        yield* wait("event: hello")
        yield* telegram.start({ user: boris.id })
        yield* telegram.sendText({ chat: boris.id, text: "of boris" })
        const group = yield* telegram.createGroup({ title: "Both", members: [ada.id, boris.id] })
        yield* telegram.sendText({ chat: group.id, from: boris.id, text: "of both" })
        yield* wait("of both")
        assert.notInclude(seen, "of boris")
        yield* calling(async () => reader?.cancel())
      })
    )
  )
})
