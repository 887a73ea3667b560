import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { richFromMarkdown } from "../../../src/telegram/RichText.ts"
import { botApi, calling } from "../../support/emulator.ts"
import * as inPage from "../../support/inPage.js"
import { choose, count, echo, on, say, started, until } from "../../support/pageDriver.ts"
import { Chromium, noChromium, openPage, runBot, Shelf } from "../../support/sandboxPage.ts"

describe.skipIf(noChromium !== undefined)(`chats of the sandbox's page ${noChromium ?? ""}`, () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.effect("edits with the up arrow and keeps the formatting, replies, reacts, deletes", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          const telegram = yield* BotApiEmulator
          const [user] = yield* telegram.users({})
          yield* say(page, "buy **milk** today")
          yield* until(page, ".own strong", "milk")
          yield* calling(() => page.press("#input", "ArrowUp"))
          assert.strictEqual(yield* calling(() => page.inputValue("#input")), "buy **milk** today")
          yield* say(page, "buy **oat milk** today")
          yield* until(page, ".own .meta .edited")
          yield* until(page, ".own strong", "oat milk")
          yield* choose(page, "oat milk", "Reply")
          yield* until(page, ".above", "Reply to")
          yield* say(page, "two packs")
          yield* until(page, ".own .reply", "buy oat milk today")
          yield* choose(page, "two packs", "React with 👍")
          yield* until(page, ".reaction.mine", "👍")
          yield* calling(() => page.locator(".reaction.mine").click())
          yield* count(page, ".reaction", 0)
          yield* choose(page, "two packs", "Delete")
          yield* calling(() =>
            page.locator(".bubble", { hasText: "two packs" }).waitFor({ state: "detached" })
          )
          const left = yield* telegram.messages({ chat: user?.id ?? 0 })
          assert.deepStrictEqual(
            left[0]?.entities.map(({ type, offset, length }) => [type, offset, length]),
            [["bold", 4, 8]]
          )
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("shows the bot's reaction, typing, buttons and the toast they answer with", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          yield* runBot((api, { chat, id, text }) =>
            Effect.gen(function* () {
              if (text.startsWith("/start")) return
              yield* calling(() => api.setMessageReaction(chat, id, [{ type: "emoji", emoji: "👀" }]))
              yield* calling(() => api.sendChatAction(chat, "typing"))
              yield* calling(() => page.locator(".head-words .typing").waitFor())
              yield* calling(() =>
                api.sendMessage(chat, "Saved", {
                  reply_markup: {
                    inline_keyboard: [
                      [
                        { text: "Undo", callback_data: "undo:1" },
                        { text: "Site", url: "https://example.org/" }
                      ]
                    ]
                  }
                })
              )
            })
          )
          yield* say(page, "a thought")
          yield* until(page, ".reaction", "👀")
          yield* until(page, ".inline-button", "Undo")
          yield* count(page, "#chat-head .typing", 0)
          yield* calling(() => page.getByRole("button", { name: "Undo" }).click())
          yield* until(page, ".toast", "Done: undo:1")
          assert.strictEqual(
            yield* calling(() => page.getByRole("link", { name: "Site" }).getAttribute("href")),
            "https://example.org/"
          )
          yield* calling(() => page.fill("#input", ""))
          yield* calling(() => page.locator("#input").pressSequentially("/st"))
          yield* until(page, ".commands li", "/status")
          yield* calling(() => page.keyboard.press("ArrowDown"))
          yield* calling(() => page.keyboard.press("Enter"))
          yield* until(page, ".own .bubble", "/status")
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("shows the blocks of a rich message, and a draft with the button that stops it", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started()
          const telegram = yield* BotApiEmulator
          const api = yield* botApi
          const [user] = yield* telegram.users({})
          const chat = user?.id ?? 0
          const markdown = [
            "# Trip to *Tbilisi*",
            "Leave on **Friday**, see [the map](https://example.org).",
            "- [x] tickets\n- [ ] a gift\n   1. wine\n   2. tea",
            "| what | price |\n|---|--:|\n| flight | 120 |\n| hotel | 300 |",
            "> Take a coat, it is cold there in the evening.",
            "```sh\nmake trip\n```",
            "---\n\n||surprise||"
          ].join("\n\n")
          const blocks = [...(richFromMarkdown(markdown) ?? [])]
          yield* calling(() => api.sendRichMessage(chat, { blocks }))
          yield* until(page, ".blocks h3 em", "Tbilisi")
          yield* until(page, ".blocks td.align-right", "300")
          yield* until(page, ".blocks li.task", "a gift")
          yield* until(page, ".blocks ol li", "tea")
          yield* until(page, ".blocks blockquote", "Take a coat")
          yield* until(page, ".blocks .pre code", "make trip")
          yield* until(page, ".blocks .spoiler")
          yield* calling(() =>
            api.raw.sendMessageDraft({
              chat_id: chat,
              draft_id: 7,
              text: "I am looking for",
              can_stop: true
            })
          )
          yield* until(page, ".bubble.draft", "I am looking for")
          yield* calling(() => page.getByRole("button", { name: "Stop" }).click())
          yield* count(page, ".bubble.draft", 0)
          const updates = yield* calling(() => api.getUpdates())
          assert.deepInclude(updates.at(-1)?.stopped_message_generation, { draft_id: 7 })
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("two people see their own chat with the bot and the group they share, topic by topic", () =>
      on(
        Effect.gen(function* () {
          yield* runBot(echo)
          const { page, complaints } = yield* started()
          yield* say(page, "only mine")
          yield* until(page, ".bubble", "Got: only mine")
          yield* calling(() => page.getByRole("button", { name: "New person" }).click())
          yield* calling(() => page.getByLabel("First name").fill("Boris"))
          yield* calling(() => page.getByRole("button", { name: "Create" }).click())
          yield* until(page, ".me", "Boris")
          yield* until(page, ".welcome", "Press Start")
          assert.strictEqual(yield* calling(() => page.getByText("only mine").count()), 0)

          yield* calling(() => page.getByRole("button", { name: "New group" }).click())
          yield* calling(() => page.getByLabel("Name", { exact: true }).fill("Family"))
          yield* calling(() => page.getByRole("button", { name: "Create" }).click())
          yield* until(page, "#chat-head h1", "General")
          yield* say(page, "hello all")
          yield* until(page, ".own .bubble", "hello all")
          yield* calling(() => page.getByRole("button", { name: "New topic in Family" }).click())
          yield* calling(() => page.getByLabel("Name", { exact: true }).fill("Recipes"))
          yield* calling(() => page.getByRole("button", { name: "Create" }).click())
          yield* until(page, "#chat-head h1", "Recipes")
          yield* say(page, "soup")
          yield* until(page, ".own .bubble", "soup")
          assert.strictEqual(
            yield* calling(() => page.locator(".bubble", { hasText: "hello all" }).count()),
            0
          )

          yield* calling(() => page.locator(".me").click())
          yield* calling(() => page.getByRole("menuitemradio", { name: "Alex" }).click())
          yield* until(page, ".bubble", "Got: only mine")
          yield* until(page, ".chat-item", "Recipes")
          yield* calling(() => page.locator(".chat-item", { hasText: "Recipes" }).click())
          yield* until(page, ".message:not(.own) .sender", "Boris")
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("loads a thousand messages page by page and keeps the place while it does", () =>
      on(
        Effect.gen(function* () {
          const telegram = yield* BotApiEmulator
          const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
          yield* telegram.start({ user: chat })
          yield* telegram.feed({
            messages: Array.from({ length: 1000 }, (_, index) => ({ chat, text: `message ${index}` }))
          })
          const { page, complaints } = yield* openPage()
          yield* until(page, ".bubble", "message 999")
          assert.isBelow(yield* calling(() => page.locator(".message").count()), 160)
          const [first, before] = yield* calling(() => page.evaluate(inPage.scrollAndLook))
          yield* until(page, ".text", "message 900")
          const after = yield* calling(() => page.evaluate(inPage.topOf, first))
          assert.closeTo(after, before, 2)
          yield* calling(() => page.evaluate(inPage.scrollUpTo, 1001))
          yield* count(page, ".message", 1001)
          // New messages wait below while the person reads above.
          yield* telegram.sendText({ chat, text: "the newest" })
          yield* count(page, ".message", 1002)
          assert.isAbove(yield* calling(() => page.evaluate(inPage.belowTheFold)), 5000)
          yield* calling(() => page.locator("#to-bottom").click())
          yield* calling(() => page.waitForFunction(inPage.isAtBottom))
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("shows one thing at a time on a phone, and colours by wish", () =>
      on(
        Effect.gen(function* () {
          const { page, complaints } = yield* started({
            viewport: { width: 390, height: 844 },
            hasTouch: true,
            isMobile: true,
            colorScheme: "dark",
            reducedMotion: "reduce"
          })
          const shelf = yield* Shelf
          const colour = () =>
            calling(() => page.evaluate(inPage.styleOf, ["#sidebar", "background-color"] as const))
          const dark = yield* colour()
          yield* say(page, "from the phone")
          yield* until(page, ".own .bubble", "from the phone")
          assert.isFalse(yield* calling(() => page.locator("#notes").isVisible()))
          yield* shelf.put("topics/inbox/2026-11/22-phone.md", "# From the phone", "Add From the phone")
          yield* until(page, "#tabs .dot")
          yield* calling(() => page.getByRole("tab", { name: "Notes" }).click())
          yield* until(page, ".note-title", "From the phone")
          assert.isFalse(yield* calling(() => page.locator("#chat").isVisible()))
          yield* calling(() => page.getByRole("tab", { name: "Chat" }).click())
          yield* calling(() => page.getByRole("button", { name: "All chats" }).click())
          yield* calling(() => page.getByRole("button", { name: /Colours/ }).click())
          assert.notStrictEqual(yield* colour(), dark)
          yield* calling(() => page.locator(".chat-item").first().click())
          yield* until(page, ".own .bubble", "from the phone")
          const wider = yield* calling(() =>
            page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth")
          )
          assert.isFalse(wider)
          assert.deepStrictEqual(complaints, [])
        })
      )
    )

    it.effect("misses nothing of what happened while it was not connected", () =>
      on(
        Effect.gen(function* () {
          const telegram = yield* BotApiEmulator
          const { page, context } = yield* started()
          const [user] = yield* telegram.users({})
          yield* calling(() => context.route("**/sandbox/api/events*", (route) => route.abort()))
          yield* calling(() => page.reload())
          yield* until(page, "#chat-head", "connecting")
          yield* telegram.sendText({ chat: user?.id ?? 0, text: "while away" })
          yield* calling(() => context.unroute("**/sandbox/api/events*"))
          yield* until(page, ".bubble", "while away")
          yield* until(page, "#chat-head", "bot")
        })
      )
    )
  })
})
