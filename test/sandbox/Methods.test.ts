import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { InputFile } from "grammy"
import type { Message } from "grammy/types"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { botApi, calling, emulatorLayer, nextEvent, refusalOf } from "../support/emulator.ts"

const started = Effect.gen(function* () {
  const telegram = yield* BotApiEmulator
  const api = yield* botApi
  const { id: chat } = yield* telegram.createUser({ firstName: "Ada", language: "ru" })
  const { id: first } = yield* telegram.start({ user: chat })
  return { telegram, api, chat, first }
})

const live = (name: string, body: Effect.Effect<void, unknown, BotApiEmulator>) =>
  it.live(name, () => Effect.provide(body, emulatorLayer()))

const refusedWith = (code: number, description: string, call: () => Promise<unknown>) =>
  Effect.map(refusalOf(call), (error) => {
    assert.strictEqual(error.error_code, code)
    assert.include(error.description, description)
  })

const button = (text: string, data: string) => ({ inline_keyboard: [[{ text, callback_data: data }]] })
const bytes = new Uint8Array([1, 2, 3])

describe("sendMessage", () => {
  live(
    "refuses what Telegram refuses, in its codes and words",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const send = (text: string, other = {}) => api.sendMessage(chat, text, other)
      yield* refusedWith(400, "message text is empty", () => send(" \n "))
      yield* refusedWith(400, "message is too long", () => send("🙂".repeat(2049)))
      yield* calling(() => send("🙂".repeat(2048)))
      const beyond = [{ type: "bold" as const, offset: 3, length: 3 }]
      yield* refusedWith(400, "outside the text", () => send("12345", { entities: beyond }))
      yield* refusedWith(400, "can't parse entities", () => send("<b>x", { parse_mode: "HTML" }))
      yield* refusedWith(400, "can't parse entities", () => send("*x", { parse_mode: "MarkdownV2" }))
      yield* refusedWith(400, "message to be replied not found", () =>
        send("x", { reply_parameters: { message_id: 99 } })
      )
      yield* calling(() =>
        send("x", { reply_parameters: { message_id: 99, allow_sending_without_reply: true } })
      )
      yield* refusedWith(400, "BUTTON_DATA_INVALID", () =>
        send("x", { reply_markup: button("b", "й".repeat(33)) })
      )
      yield* refusedWith(400, "chat not found", () => api.sendMessage(4242, "x"))
      const { id: silent } = yield* telegram.createUser({ firstName: "Bob" })
      yield* refusedWith(403, "can't initiate conversation", () => api.sendMessage(silent, "x"))
      yield* telegram.block({ user: chat })
      yield* refusedWith(403, "bot was blocked by the user", () => send("x"))
      yield* telegram.unblock({ user: chat })
      yield* calling(() => send("x"))
    })
  )

  live(
    "goes to topics that exist; General is the absence of one",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const group = yield* telegram.createGroup({ title: "Team", members: [chat], forum: true })
      const topic = yield* telegram.createTopic({ chat: group.id, name: "Plans" })
      const send = (thread: number) => api.sendMessage(group.id, "x", { message_thread_id: thread })
      assert.strictEqual((yield* calling(() => send(topic.id))).message_thread_id, topic.id)
      yield* refusedWith(400, "message thread not found", () => send(1))
      yield* refusedWith(400, "message thread not found", () => send(999))
      const made = yield* calling(() => api.createForumTopic(group.id, "By the bot"))
      const inTopic = yield* telegram.sendText({ chat: group.id, thread: made.message_thread_id, text: "y" })
      assert.strictEqual(inTopic.thread, made.message_thread_id)
      const [newest] = (yield* calling(() => api.getUpdates({ offset: -1 }))) as Array<{
        message?: { message_thread_id?: number; is_topic_message?: boolean }
      }>
      assert.strictEqual(newest?.message?.message_thread_id, made.message_thread_id)
      assert.strictEqual(newest?.message?.is_topic_message, true)
      const all = yield* telegram.messages({ chat: group.id, thread: topic.id })
      assert.deepStrictEqual(
        all.map(({ text, service }) => text || service),
        ["x", "forum_topic_created"]
      )
    })
  )

  live(
    "turns HTML and MarkdownV2 into entities and marks links and commands by itself",
    Effect.gen(function* () {
      const { api, chat } = yield* started
      const html = yield* calling(() =>
        api.sendMessage(chat, '🙂 <b>b<i>i</i></b> <a href="https://a.b/?x=1&amp;y">l</a>', {
          parse_mode: "HTML"
        })
      )
      assert.strictEqual(html.text, "🙂 bi l")
      assert.deepStrictEqual(html.entities as unknown, [
        { type: "bold", offset: 3, length: 2 },
        { type: "italic", offset: 4, length: 1 },
        { type: "text_link", url: "https://a.b/?x=1&y", offset: 6, length: 1 }
      ])
      const plain = yield* calling(() => api.sendMessage(chat, "/help #tag https://x.y/z."))
      assert.deepStrictEqual(
        plain.entities?.map(({ type, offset, length }) => [type, offset, length]),
        [
          ["bot_command", 0, 5],
          ["hashtag", 6, 4],
          ["url", 11, 13]
        ]
      )
    })
  )
})

describe("editing", () => {
  live(
    "changes the bot's own messages and says so when nothing changes",
    Effect.gen(function* () {
      const { telegram, api, chat, first } = yield* started
      const { message_id } = yield* calling(() =>
        api.sendMessage(chat, "a", { reply_markup: button("b", "c") })
      )
      yield* refusedWith(400, "message is not modified", () =>
        api.editMessageText(chat, message_id, "a", { reply_markup: button("b", "c") })
      )
      yield* calling(() => api.editMessageText(chat, message_id, "a"))
      const shown = yield* telegram.message({ chat, messageId: message_id })
      assert.deepStrictEqual(shown.buttons, [])
      assert.isDefined(shown.editDate)
      yield* calling(() => api.editMessageReplyMarkup(chat, message_id, { reply_markup: button("d", "e") }))
      assert.strictEqual((yield* telegram.message({ chat, messageId: message_id })).text, "a")
      yield* refusedWith(400, "message can't be edited", () => api.editMessageText(chat, first, "mine"))
      yield* refusedWith(400, "message to edit not found", () => api.editMessageText(chat, 999, "x"))
      const photo = yield* calling(() => api.sendPhoto(chat, new InputFile(bytes), { caption: "old" }))
      yield* refusedWith(400, "no text in the message", () =>
        api.editMessageText(chat, photo.message_id, "x")
      )
      yield* refusedWith(400, "message caption is too long", () =>
        api.editMessageCaption(chat, photo.message_id, { caption: "x".repeat(1025) })
      )
      yield* calling(() => api.editMessageCaption(chat, photo.message_id, { caption: "new" }))
      assert.strictEqual((yield* telegram.message({ chat, messageId: photo.message_id })).text, "new")
      yield* calling(() => api.deleteMessage(chat, message_id))
      yield* refusedWith(400, "message to delete not found", () => api.deleteMessage(chat, message_id))
      yield* refusedWith(400, "message to edit not found", () => api.editMessageText(chat, message_id, "x"))
    })
  )
})

describe("buttons", () => {
  live(
    "reach the bot, whose one answer reaches the person",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const { message_id } = yield* calling(() =>
        api.sendMessage(chat, "?", { reply_markup: button("go", "g:1") })
      )
      const answering = Effect.gen(function* () {
        const updates = yield* calling(() => api.getUpdates({ offset: -1, timeout: 20 }))
        const query = updates[0]?.callback_query
        assert.strictEqual(query?.data, "g:1")
        assert.strictEqual(query?.message?.message_id, message_id)
        const id = query?.id ?? ""
        yield* calling(() => api.answerCallbackQuery(id, { text: "done", show_alert: true }))
        yield* refusedWith(400, "query is too old", () => api.answerCallbackQuery(id))
      })
      yield* calling(() => api.getUpdates({ offset: 2 ** 31 }))
      const [answer] = yield* Effect.all(
        [telegram.press({ chat, messageId: message_id, data: "g:1" }), Effect.delay(answering, "50 millis")],
        { concurrency: 2 }
      )
      assert.strictEqual(answer.text, "done")
      assert.isTrue(answer.alert)
      const wrong = yield* Effect.flip(telegram.pressOnly({ chat, messageId: message_id, data: "nope" }))
      assert.include(wrong.message, "no such button")
    })
  )
})

describe("files", () => {
  live(
    "uploaded by the bot are sent again by id, and fetched with their bytes",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const sent = yield* calling(() =>
        api.sendDocument(chat, new InputFile(bytes, "отчёт.pdf"), {
          caption: "*c*",
          parse_mode: "MarkdownV2"
        })
      )
      assert.strictEqual(sent.document.file_name, "отчёт.pdf")
      assert.strictEqual(sent.caption, "c")
      const again = yield* calling(() => api.sendDocument(chat, sent.document.file_id))
      assert.strictEqual(again.document.file_unique_id, sent.document.file_unique_id)
      const { file_path } = yield* calling(() => api.getFile(sent.document.file_id))
      const url = `${telegram.apiRoot}/file/bot${telegram.bot.token}/${file_path}`
      const fetched = yield* Effect.promise(() => fetch(url).then((response) => response.arrayBuffer()))
      assert.deepStrictEqual(new Uint8Array(fetched), bytes)
      const shown = yield* telegram.message({ chat, messageId: sent.message_id })
      const page = yield* Effect.promise(() => fetch(shown.media?.url ?? ""))
      assert.strictEqual(page.status, 200)
      yield* refusedWith(400, "can't use file of type document as photo", () =>
        api.sendPhoto(chat, sent.document.file_id)
      )
      yield* refusedWith(400, "wrong file identifier", () => api.sendPhoto(chat, "nonsense"))
    })
  )

  live(
    "over 20 MB are refused by getFile",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const size = 20 * 1024 * 1024 + 1
      const sent = yield* telegram.sendFile({ chat, file: { kind: "video", bytes, size, name: "big.mp4" } })
      assert.strictEqual(sent.media?.size, size)
      yield* refusedWith(400, "file is too big", () => api.getFile(sent.media?.fileId ?? ""))
    })
  )

  live(
    "of every kind arrive as that kind, and albums share one id",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const kinds = [
        "photo",
        "document",
        "voice",
        "video",
        "audio",
        "animation",
        "video_note",
        "sticker"
      ] as const
      yield* Effect.forEach(kinds, (kind) =>
        telegram.sendFile({ chat, file: { kind, bytes, name: `a.${kind}`, caption: kind } })
      )
      const file = { kind: "photo" as const, bytes }
      yield* telegram.sendAlbum({ chat, files: [{ ...file, caption: "album" }, file, file] })
      const updates = (yield* calling(() => api.getUpdates())).slice(1)
      assert.deepStrictEqual(
        updates.slice(0, 8).map(({ message }) => kinds.filter((kind) => message?.[kind] !== undefined)[0]),
        ["photo", "document", "voice", "video", "audio", "document", "video_note", "sticker"]
      )
      const album = updates.slice(8).map(({ message }) => message)
      assert.strictEqual(new Set(album.map((message) => message?.media_group_id)).size, 1)
      assert.deepStrictEqual(
        album.map((message) => message?.caption),
        ["album", undefined, undefined]
      )
      const group = yield* calling(() =>
        api.sendMediaGroup(chat, [
          { type: "photo", media: new InputFile(bytes), caption: "one" },
          { type: "video", media: new InputFile(bytes) }
        ])
      )
      assert.strictEqual(new Set(group.map((each) => (each as Message).media_group_id)).size, 1)
      yield* refusedWith(400, "2 to 10", () => api.sendMediaGroup(chat, [{ type: "photo", media: "x" }]))
    })
  )
})

describe("the rest of the methods", () => {
  live(
    "tell people what the bot does for a moment",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const typing = nextEvent((event) => (event._tag === "Typing" ? event : undefined))
      const acts = Effect.delay(
        calling(() => api.sendChatAction(chat, "typing")),
        "50 millis"
      )
      const [seen] = yield* Effect.all([typing, acts], { concurrency: 2 })
      assert.isTrue(seen._tag === "Some" && seen.value.chat === chat)
      yield* refusedWith(400, "action", () => api.sendChatAction(chat, "juggling" as "typing"))
      yield* calling(() => api.raw.sendMessageDraft({ chat_id: chat, draft_id: 3, text: "thinking" }))
      assert.strictEqual((yield* telegram.messages({ chat })).length, 1)
      yield* refusedWith(400, "draft_id", () =>
        api.raw.sendMessageDraft({ chat_id: chat, draft_id: 0, text: "x" })
      )
    })
  )

  live(
    "forward, copy, react, and send places, people, polls and dice",
    Effect.gen(function* () {
      const { telegram, api, chat, first } = yield* started
      const forwarded = yield* calling(() => api.forwardMessage(chat, chat, first))
      assert.strictEqual(forwarded.forward_origin?.type, "user")
      const copied = yield* calling(() => api.copyMessage(chat, chat, first))
      assert.strictEqual((yield* telegram.message({ chat, messageId: copied.message_id })).origin, undefined)
      yield* calling(() => api.setMessageReaction(chat, first, [{ type: "emoji", emoji: "👀" }]))
      const shown = yield* telegram.message({ chat, messageId: first })
      assert.deepStrictEqual(shown.reactions, [{ emoji: "👀", by: [telegram.bot.id] }])
      yield* refusedWith(400, "REACTION_INVALID", () =>
        api.setMessageReaction(chat, first, [{ type: "emoji", emoji: "🦖" as "👀" }])
      )
      yield* refusedWith(400, "message to react not found", () => api.setMessageReaction(chat, 999, []))
      yield* calling(() => api.sendLocation(chat, 55.7, 37.6))
      yield* calling(() => api.sendVenue(chat, 55.7, 37.6, "Kremlin", "Moscow"))
      yield* calling(() => api.sendContact(chat, "+1", "Bob"))
      const dice = yield* calling(() => api.sendDice(chat, "🎲"))
      assert.isTrue(dice.dice.value >= 1 && dice.dice.value <= 6)
      const poll = yield* calling(() => api.sendPoll(chat, "Tea?", [{ text: "yes" }, { text: "no" }]))
      const voted = yield* telegram.vote({ chat, messageId: poll.message_id, options: [1] })
      assert.deepStrictEqual(voted.poll?.options, [
        { text: "yes", votes: 0 },
        { text: "no", votes: 1 }
      ])
    })
  )

  live(
    "keep a menu of commands by scope and language",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      yield* calling(() => api.setMyCommands([{ command: "help", description: "Help" }]))
      yield* calling(() =>
        api.setMyCommands([{ command: "help", description: "Помощь" }], { language_code: "ru" })
      )
      const shown = yield* telegram.commands({ chat })
      assert.deepStrictEqual(shown, [{ command: "help", description: "Помощь" }])
      yield* calling(() => api.deleteMyCommands({ language_code: "ru" }))
      assert.strictEqual((yield* telegram.commands({ chat }))[0]?.description, "Help")
      assert.deepStrictEqual(
        yield* calling(() => api.getMyCommands({ scope: { type: "chat", chat_id: chat } })),
        []
      )
      yield* refusedWith(400, "BOT_COMMAND_INVALID", () =>
        api.setMyCommands([{ command: "Help!", description: "x" }])
      )
    })
  )

  live(
    "answer 404 to unknown methods and 401 to a wrong token",
    Effect.gen(function* () {
      const { telegram, api } = yield* started
      yield* refusedWith(404, "method not found", () => api.getUserProfilePhotos(1))
      const stranger = yield* Effect.promise(() => fetch(`${telegram.apiRoot}/bot1:abc/getMe`))
      assert.strictEqual(stranger.status, 401)
      const nowhere = yield* Effect.promise(() => fetch(`${telegram.apiRoot}/anything`))
      assert.strictEqual(nowhere.status, 404)
      const me = yield* calling(() => api.getMe())
      assert.strictEqual(me.username, "zapiska_sandbox_bot")
    })
  )

  live(
    "take arguments as JSON, a form, a query and multipart alike",
    Effect.gen(function* () {
      const { telegram, chat } = yield* started
      const url = `${telegram.apiRoot}/bot${telegram.bot.token}/SENDMESSAGE`
      const entities = JSON.stringify([{ type: "bold", offset: 0, length: 1 }])
      const fields = { chat_id: String(chat), text: "x", entities }
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.set(name, value)
      const bodies: ReadonlyArray<RequestInit> = [
        { body: new URLSearchParams(fields) },
        { body: form },
        { body: JSON.stringify(fields), headers: { "content-type": "application/json" } }
      ]
      for (const init of bodies) {
        yield* Effect.promise(() => fetch(url, { method: "POST", ...init }))
      }
      yield* Effect.promise(() => fetch(`${url}?${new URLSearchParams(fields)}`))
      const messages = yield* telegram.messages({ chat })
      assert.strictEqual(messages.length, 5)
      assert.isTrue(messages.slice(0, 4).every((message) => message.entities[0]?.type === "bold"))
      const broken = yield* Effect.promise(() => fetch(url, { method: "POST", body: "{" }))
      assert.strictEqual(broken.status, 400)
    })
  )

  live(
    "keep the worlds of several bots apart",
    Effect.gen(function* () {
      const { telegram, chat } = yield* started
      const other = yield* telegram.createBot({ username: "other_bot", name: "Other" })
      yield* telegram.start({ bot: other.id, user: chat })
      const get = (token: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${telegram.apiRoot}/bot${token}/getUpdates`)
          return (await response.json()) as { result: ReadonlyArray<unknown> }
        })
      assert.strictEqual((yield* get(other.token)).result.length, 1)
      assert.strictEqual((yield* get(telegram.bot.token)).result.length, 1)
      assert.strictEqual((yield* telegram.messages({ bot: other.id, chat })).length, 1)
    })
  )

  live(
    "a token that was revoked is refused, and the new one is the same bot's",
    Effect.gen(function* () {
      const { telegram } = yield* started
      const { token, id } = yield* telegram.revokeToken({})
      const me = (one: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${telegram.apiRoot}/bot${one}/getMe`)
          return [response.status, ((await response.json()) as { result?: { id: number } }).result?.id]
        })
      assert.deepStrictEqual(yield* me(telegram.bot.token), [401, undefined])
      assert.deepStrictEqual(yield* me(token), [200, id])
      assert.strictEqual(id, telegram.bot.id)
    })
  )
})
