import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { botApi, calling } from "../../support/emulator.ts"
import * as inPage from "../../support/inPage.js"
import { count, on, started, until } from "../../support/pageDriver.ts"
import { Chromium, noChromium, openPage, Shelf } from "../../support/sandboxPage.ts"

const onePixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const hostiles = [
  "<img src=x onerror=window.owned=1>",
  "<script>window.owned=1</script>",
  '"><svg onload=window.owned=1>',
  "javascript:window.owned=1//",
  "]]></p><iframe srcdoc='<script>parent.owned=1</script>'>",
  "{{constructor.constructor('window.owned=1')()}}",
  "\u202Egpj.exe \u{1F600}",
  "' onmouseover='window.owned=1' style='background:url(https://evil.example/)'"
]

describe.skipIf(noChromium !== undefined)(`notes beside the sandbox's chat ${noChromium ?? ""}`, () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("shows notes as they come, rendered, with their history, and follows the newest", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* openPage()
          const shelf = yield* Shelf
          const path = "topics/home/2026-11/22-garden.md"
          const note = (body: string) =>
            `---\ntitle: The garden\ncreated: 2026-11-22T10:00:00Z\ntags: [home, plants]\nsource:\n  chat: 7\n---\n\n${body}\n`
          yield* shelf.put(
            "media/ab/leaf.png",
            yield* Effect.promise(async () => Uint8Array.from(Buffer.from(onePixel, "base64"))),
            "Add a picture"
          )
          yield* shelf.put(
            path,
            note("Basil likes **sun**.\n\n![leaf](../../../media/ab/leaf.png)"),
            "Add The garden"
          )
          yield* until(page, ".note-title", "The garden")
          yield* until(page, ".markdown strong", "sun")
          yield* until(page, ".properties .tag", "#plants")
          yield* calling(() => page.waitForFunction(inPage.isLoaded, ".markdown img"))
          yield* shelf.put(path, note("Basil likes *shade*."), "Amend The garden")
          yield* until(page, ".markdown em", "shade")
          yield* calling(() => page.getByRole("tab", { name: "History" }).click())
          yield* count(page, ".commit", 2)
          yield* calling(() => page.locator(".commit", { hasText: "Amend" }).click())
          yield* until(page, ".diff .added", "Basil likes *shade*.")
          yield* calling(() => page.getByRole("tab", { name: "All commits" }).click())
          yield* count(page, ".commit", 3)
          yield* shelf.put(
            "topics/home/2026-11/23-pond.md",
            "# Pond\n\nlinks to [it](22-garden.md)",
            "Add Pond"
          )
          yield* until(page, ".note-title", "Pond")
          yield* calling(() => page.getByRole("link", { name: "it", exact: true }).click())
          yield* until(page, ".note-title", "The garden")
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("runs nothing hostile texts, names, buttons or notes contain", () =>
      on(
        Effect.gen(function* () {
          const telegram = yield* BotApiEmulator
          const shelf = yield* Shelf
          const api = yield* botApi
          const { page, complaints } = yield* started()
          const [user] = yield* telegram.users({})
          const chat = user?.id ?? 0
          for (const hostile of hostiles) {
            yield* telegram.createUser({
              id: chat,
              firstName: hostile.slice(0, 60),
              lastName: hostile.slice(0, 60)
            })
            yield* telegram.sendText({
              chat,
              text: hostile,
              origin: { kind: "channel", name: hostile, date: 1, link: "https://t.me/x/1" }
            })
            yield* calling(() =>
              api.sendMessage(chat, hostile, {
                entities: [
                  { type: "text_link", offset: 0, length: hostile.length, url: "http://example.org/" },
                  { type: "pre", offset: 0, length: 1, language: hostile }
                ],
                reply_markup: { inline_keyboard: [[{ text: hostile, callback_data: "x" }]] }
              })
            )
            yield* telegram.createGroup({ title: hostile, members: [chat], forum: true })
            const name = `${Buffer.from(hostile).toString("hex").slice(0, 20)}-${hostile.replaceAll("/", "_").replaceAll("\0", "")}.md`
            yield* shelf.put(
              `topics/${name}`,
              `---\ntitle: ${JSON.stringify(hostile)}\ntags: [${JSON.stringify(hostile)}]\n---\n\n# ${hostile}\n\n${hostile}\n\n[a](javascript:alert(1)) ![b](https://evil.example/x.png) <a href="javascript:alert(1)">c</a>\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n`,
              hostile
            )
            yield* until(page, ".note-path", name.slice(0, 20))
          }
          yield* telegram.createUser({ id: chat, firstName: "Alex" })
          yield* calling(() => page.getByRole("tab", { name: "All commits" }).click())
          yield* count(page, ".commit", hostiles.length)
          yield* count(page, ".forum", hostiles.length)
          for (const evil of [
            "[onerror]",
            "[onload]",
            "iframe",
            "script:not([src])",
            'a[href^="javascript"]',
            ".markdown img",
            "object",
            "[style*=url]"
          ]) {
            assert.strictEqual(yield* calling(() => page.locator(evil).count()), 0, evil)
          }
          assert.isUndefined(yield* calling(() => page.evaluate<unknown>("window.owned")))
          assert.deepStrictEqual(complaints, [])
        })
      )
    )
  })
})
