import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { JSHandle } from "playwright-core"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { botApi, calling } from "../../support/emulator.ts"
import * as inPage from "../../support/inPage.js"
import {
  bubbles,
  count,
  dropFiles,
  echo,
  on,
  pasteFile,
  png,
  say,
  started,
  until
} from "../../support/pageDriver.ts"
import { Chromium, noChromium, openPage, runBot } from "../../support/sandboxPage.ts"

describe.skipIf(noChromium !== undefined)(`writing in the sandbox's page ${noChromium ?? ""}`, () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("tells a newcomer what to do first, and takes them to the first message", () =>
      on(
        Effect.gen(function* () {
          yield* runBot(echo)
          const { page, complaints } = yield* openPage()
          yield* until(page, ".welcome", "Press Start")
          yield* until(page, "#notes .empty", "No notes yet")
          yield* calling(() => page.getByRole("button", { name: "Start", exact: true }).click())
          yield* until(page, ".bubble", "Got: /start")
          yield* until(page, ".welcome", "Type something, or forward a few messages")
          yield* calling(() => page.getByRole("button", { name: "Write an example" }).click())
          yield* calling(() => page.keyboard.press("Enter"))
          yield* until(page, ".own .bubble", "Basil likes the south window")
          yield* until(page, ".bubble", "Got: Ideas for the garden")
          yield* count(page, ".welcome", 0)
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("keeps the order of messages typed quickly, and cuts a long paste as Telegram does", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          for (const word of ["one", "two", "three", "four", "five"]) yield* say(page, word)
          yield* count(page, ".own .bubble", 6)
          assert.deepStrictEqual((yield* bubbles(page)).slice(1), ["one", "two", "three", "four", "five"])
          yield* say(page, "word ".repeat(2000))
          yield* count(page, ".own .bubble", 9)
          const telegram = yield* BotApiEmulator
          const [user] = yield* telegram.users({})
          const sent = yield* telegram.messages({ chat: user?.id ?? 0, limit: 3 })
          assert.strictEqual(
            sent.map((message) => message.text.trim().split(/\s+/).length).reduce((a, b) => a + b),
            2000
          )
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("turns what is typed into formatting, and shows every formatting there is", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          const telegram = yield* BotApiEmulator
          yield* say(
            page,
            "**bold** __it__ ~~gone~~ ||secret|| `code` [words](https://example.org/)\n> quoted\n```ts\nlet a = 1\n```"
          )
          for (const css of ["strong", "em", "s", ".spoiler", "code.inline", "blockquote", ".pre code"]) {
            yield* until(page, `.own .text ${css}`)
          }
          yield* until(page, `.own .text a[href="https://example.org/"]`, "words")
          assert.strictEqual(
            yield* calling(() => page.evaluate(inPage.styleOf, [".spoiler > span", "opacity"] as const)),
            "0"
          )
          yield* calling(() => page.locator(".spoiler").click())
          yield* until(page, ".spoiler.shown")
          yield* calling(() => page.fill("#input", "make this bold"))
          yield* calling(() => page.evaluate(inPage.select, [10, 14] as const))
          yield* calling(() => page.keyboard.press("Control+b"))
          yield* calling(() => page.press("#input", "Enter"))
          yield* until(page, ".own .text strong", "bold")
          const api = yield* botApi
          const [user] = yield* telegram.users({})
          yield* calling(() =>
            api.sendMessage(user?.id ?? 0, "Nested bold italic end 👍", {
              entities: [
                { type: "bold", offset: 7, length: 11 },
                { type: "italic", offset: 12, length: 6 },
                { type: "expandable_blockquote", offset: 0, length: 22 }
              ]
            })
          )
          yield* until(page, "blockquote.folded strong em", "italic")
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("sends dropped and pasted pictures as photos, several as one album, others as files", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          const telegram = yield* BotApiEmulator
          const drop = (files: ReadonlyArray<JSHandle>) => dropFiles(page, files)
          yield* drop([yield* png(page, 10)])
          yield* calling(() => page.fill("dialog textarea", "one **photo**"))
          yield* calling(() => page.getByRole("button", { name: "Send", exact: true }).last().click())
          yield* until(page, ".own .picture img")
          yield* until(page, ".own .text strong", "photo")

          yield* drop([yield* png(page, 90), yield* png(page, 180), yield* png(page, 270)])
          yield* until(page, "dialog h2", "Send 3 files")
          yield* calling(() => page.locator("dialog textarea").press("Enter"))
          yield* count(page, ".own .album .picture", 3)

          const text = yield* calling(() =>
            page.evaluateHandle(inPage.makeText, ["hello", "list.txt"] as const)
          )
          yield* drop([text])
          yield* calling(() => page.locator("dialog textarea").press("Enter"))
          yield* until(page, ".own a.file", "list.txt")

          const pasted = yield* png(page, 30, "pasted.png")
          yield* pasteFile(page, pasted)
          yield* calling(() => page.getByLabel("Send pictures as files").check())
          yield* calling(() => page.locator("dialog textarea").press("Enter"))
          yield* until(page, ".own a.file", "pasted.png")

          const [user] = yield* telegram.users({})
          const sent = (yield* telegram.messages({ chat: user?.id ?? 0 })).toReversed()
          assert.deepStrictEqual(
            sent.slice(1).map((message) => message.media?.kind),
            ["photo", "photo", "photo", "photo", "document", "document"]
          )
          assert.strictEqual(new Set(sent.slice(2, 5).map((message) => message.albumId)).size, 1)
          const broken = yield* calling(() => page.evaluate(inPage.brokenPictures))
          assert.strictEqual(broken, 0)
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("forwards a burst from a channel, a person and a hidden person after one's own comment", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          const telegram = yield* BotApiEmulator
          yield* calling(() => page.getByRole("button", { name: "Forward messages from elsewhere" }).click())
          // It opens with one that could go at once; each source is a tap away, what it said before it does not repeat.
          for (const source of ["Maria Weber", "Tom", "Tom"])
            yield* calling(() => page.getByRole("button", { name: source }).click())
          assert.strictEqual(yield* calling(() => page.getByLabel("Forwarded text").last().inputValue()), "")
          yield* calling(() => page.getByRole("button", { name: "Remove this one" }).last().click())
          yield* calling(() => page.getByLabel("Comment").last().fill("for the weekend"))
          yield* calling(() => page.getByRole("button", { name: "Forward 3 messages" }).click())
          yield* count(page, ".own .origin", 3)
          yield* until(page, `.origin a[href="https://t.me/nightsky/128"]`, "Night Sky")
          const [user] = yield* telegram.users({})
          const sent = (yield* telegram.messages({ chat: user?.id ?? 0 })).toReversed()
          assert.deepStrictEqual(
            sent.slice(1).map((message) => message.origin?.kind),
            [undefined, "channel", "user", "hidden_user"]
          )
          assert.strictEqual(sent[1]?.text, "for the weekend")
          assert.deepStrictEqual(complaints, [])
        })
      )
    )
  })
})
