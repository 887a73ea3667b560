import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope, Stream } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import * as ControlClient from "../../src/sandbox/ControlClient.ts"
import type { Event } from "../../src/sandbox/Views.ts"
import { botApi, calling, emulatorLayer } from "../support/emulator.ts"

/** Every promise is kept in this process and over the control API alike. */
const both = (name: string, body: Effect.Effect<void, unknown, BotApiEmulator | Scope.Scope>) => {
  it.live(name, () => Effect.provide(body, emulatorLayer()))
  it.live(`${name} (over HTTP)`, () =>
    BotApiEmulator.use(({ apiRoot }) => Effect.provide(body, ControlClient.layer(apiRoot))).pipe(
      Effect.provide(emulatorLayer())
    )
  )
}

const started = Effect.gen(function* () {
  const telegram = yield* BotApiEmulator
  const api = yield* botApi
  const { id: chat } = yield* telegram.createUser({ firstName: "Ada", lastName: "Byron", username: "ada" })
  yield* telegram.start({ user: chat, payload: "code-1" })
  const updates = Effect.map(
    calling(() =>
      api.getUpdates({
        allowed_updates: ["message", "edited_message", "my_chat_member", "message_reaction", "poll"]
      })
    ),
    (all) => all
  )
  yield* updates
  return { telegram, api, chat, updates }
})

describe("people", () => {
  both(
    "start with a payload, block and come back, and the bot is told",
    Effect.gen(function* () {
      const { telegram, chat, updates } = yield* started
      yield* telegram.block({ user: chat })
      const refused = yield* Effect.flip(telegram.sendText({ chat, text: "x" }))
      assert.include(refused.message, "unblock it first")
      assert.isTrue((yield* telegram.chats({}))[0]?.blocked)
      yield* telegram.start({ user: chat })
      const seen = yield* updates
      assert.strictEqual(seen[0]?.message?.text, "/start code-1")
      assert.deepStrictEqual(seen[0]?.message?.entities, [{ type: "bot_command", offset: 0, length: 6 }])
      assert.deepStrictEqual(
        seen.slice(1).map(({ my_chat_member }) => my_chat_member?.new_chat_member.status),
        ["kicked", "member", undefined]
      )
    })
  )

  both(
    "forward from people, hidden people, chats and channels, in bursts",
    Effect.gen(function* () {
      const { telegram, chat, updates } = yield* started
      const date = 1_700_000_000
      const origins = [
        { kind: "user" as const, name: "Bob", date, username: "bob" },
        { kind: "hidden_user" as const, name: "Someone", date },
        { kind: "chat" as const, name: "Club", date, signature: "Admin" },
        { kind: "channel" as const, name: "News", date, link: "https://t.me/news/42" }
      ]
      const sent = yield* telegram.sendTexts({
        messages: [...origins.map((origin) => ({ chat, text: "f", origin })), { chat, text: "comment" }]
      })
      assert.deepStrictEqual(
        sent.map(({ origin }) => origin?.kind),
        ["user", "hidden_user", "chat", "channel", undefined]
      )
      assert.strictEqual(sent[3]?.origin?.link, "https://t.me/news/42")
      const channel = (yield* updates).at(-2)?.message?.forward_origin
      assert.isTrue(
        channel?.type === "channel" && channel.message_id === 42 && channel.chat.username === "news"
      )
      const again = yield* telegram.forward({
        chat,
        fromChat: chat,
        messageIds: [sent[3]!.id, sent[4]!.id],
        hideSender: true
      })
      assert.deepStrictEqual(
        again.map(({ origin }) => origin?.name),
        ["News", "Ada Byron"]
      )
    })
  )

  both(
    "reply, edit, delete, react and vote",
    Effect.gen(function* () {
      const { telegram, api, chat, updates } = yield* started
      const first = yield* telegram.sendText({ chat, text: "a" })
      const reply = yield* telegram.sendText({ chat, text: "b", replyTo: first.id })
      assert.deepStrictEqual(reply.reply, { messageId: first.id, author: "Ada Byron", excerpt: "a" })
      yield* telegram.editText({ chat, messageId: first.id, text: "a #2" })
      yield* telegram.react({ chat, messageId: first.id, emoji: ["👍"] })
      const poll = yield* calling(() => api.sendPoll(chat, "?", [{ text: "y" }, { text: "n" }]))
      yield* telegram.vote({ chat, messageId: poll.message_id, options: [0] })
      yield* telegram.deleteMessages({ chat, messageIds: [reply.id] })
      const seen = (yield* updates).slice(1)
      assert.strictEqual(seen[1]?.message?.reply_to_message?.message_id, first.id)
      assert.strictEqual(seen[2]?.edited_message?.text, "a #2")
      assert.isDefined(seen[2]?.edited_message?.edit_date)
      assert.strictEqual(seen[3]?.message_reaction?.new_reaction.length, 1)
      assert.strictEqual(seen[4]?.poll?.total_voter_count, 1)
      assert.strictEqual(seen.length, 5)
      const foreign = yield* Effect.flip(telegram.editText({ chat, messageId: poll.message_id, text: "x" }))
      assert.include(foreign.message, "only what people sent")
      assert.deepStrictEqual(
        (yield* telegram.messages({ chat })).map(({ id }) => id),
        [poll.message_id, first.id, first.id - 1]
      )
    })
  )

  both(
    "mention each other with their names, as the bot gets to see them",
    Effect.gen(function* () {
      const { telegram, chat, updates } = yield* started
      const bob = yield* telegram.createUser({ firstName: "Bob" })
      const entities = [{ type: "text_mention", offset: 4, length: 3, userId: bob.id }]
      const sent = yield* telegram.sendText({ chat, text: "ask Bob", entities })
      assert.deepStrictEqual(sent.entities, entities)
      const [mention] = (yield* updates).at(-1)?.message?.entities ?? []
      assert.strictEqual(mention?.type === "text_mention" ? mention.user.first_name : "", "Bob")
      const outside = [{ type: "bold", offset: 4, length: 4 }]
      const refused = yield* Effect.flip(telegram.sendText({ chat, text: "ask Bob", entities: outside }))
      assert.include(refused.message, "outside the text")
    })
  )

  both(
    "send places, contacts, polls and dice",
    Effect.gen(function* () {
      const { telegram, chat, updates } = yield* started
      const location = { latitude: 1, longitude: 2 }
      yield* telegram.sendLocation({ chat, location })
      yield* telegram.sendLocation({ chat, location: { ...location, title: "Pier", address: "Sea 1" } })
      yield* telegram.sendContact({ chat, contact: { phone: "+1", firstName: "Bob" } })
      yield* telegram.sendPoll({ chat, question: "?", options: ["a", "b"] })
      const dice = yield* telegram.sendDice({ chat, emoji: "🎯", value: 3 })
      assert.deepStrictEqual(dice.dice, { emoji: "🎯", value: 3 })
      const seen = (yield* updates).slice(1).map(({ message }) => message)
      assert.isDefined(seen[0]?.location)
      assert.strictEqual(seen[1]?.venue?.title, "Pier")
      assert.strictEqual(seen[2]?.contact?.first_name, "Bob")
      assert.strictEqual(seen[3]?.poll?.options.length, 2)
      assert.strictEqual(seen[4]?.dice?.value, 3)
    })
  )

  both(
    "talk in groups, each under their own name; strangers cannot",
    Effect.gen(function* () {
      const { telegram, chat, updates } = yield* started
      const bob = yield* telegram.createUser({ firstName: "Bob" })
      const group = yield* telegram.createGroup({ title: "Team", members: [chat, bob.id], forum: true })
      yield* telegram.sendText({ chat: group.id, from: bob.id, text: "hi" })
      const seen = (yield* updates).slice(1)
      assert.strictEqual(seen[0]?.my_chat_member?.new_chat_member.status, "administrator")
      assert.strictEqual(seen[1]?.message?.from?.id, bob.id)
      assert.strictEqual(seen[1]?.message?.chat.type, "supergroup")
      const eve = yield* telegram.createUser({ firstName: "Eve" })
      const refused = yield* Effect.flip(telegram.sendText({ chat: group.id, from: eve.id, text: "hi" }))
      assert.include(refused.message, "is not in chat")
      const nowhere = yield* Effect.flip(telegram.sendText({ chat: group.id, thread: 1, text: "x" }))
      assert.include(nowhere.message, "no topic")
    })
  )

  both(
    "see what happens as it happens, in order",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const events = yield* Queue.unbounded<Event>()
      yield* Effect.forkScoped(Stream.runForEach(telegram.events, (event) => Queue.offer(events, event)))
      // Who watches from another process does so once something is seen.
      yield* Effect.delay(telegram.sendText({ chat, text: "hello?" }), "50 millis").pipe(
        Effect.andThen(Queue.size(events)),
        Effect.repeat({ until: (size) => size > 0 })
      )
      const { message_id } = yield* calling(() => api.sendMessage(chat, "a"))
      yield* calling(() => api.editMessageText(chat, message_id, "b"))
      yield* calling(() => api.setMessageReaction(chat, message_id, [{ type: "emoji", emoji: "👌" }]))
      yield* calling(() => api.deleteMessage(chat, message_id))
      const seen: Array<string> = []
      while (seen.at(-1) !== "MessagesDeleted") {
        const event = yield* Queue.take(events)
        if (event._tag !== "MessageSent" || event.message.from.isBot) seen.push(event._tag)
      }
      assert.deepStrictEqual(seen, ["MessageSent", "MessageEdited", "Reacted", "MessagesDeleted"])
    })
  )
})

describe("the control API", () => {
  it.live("refuses pages of other sites, other hosts and what it does not know", () =>
    Effect.gen(function* () {
      const { apiRoot } = yield* BotApiEmulator
      const post = (path: string, init: RequestInit = {}) =>
        Effect.promise(() => fetch(`${apiRoot}/control/${path}`, { method: "POST", body: "{}", ...init }))
      assert.strictEqual((yield* post("users")).status, 200)
      assert.strictEqual((yield* post("users", { headers: { origin: "https://evil.example" } })).status, 403)
      assert.strictEqual((yield* post("toString")).status, 404)
      assert.strictEqual((yield* post("createUser")).status, 422)
      assert.strictEqual((yield* post("sendText", { body: `{"chat":1,"text":"x"}` })).status, 400)
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("is not there unless asked for; files are", () =>
    Effect.gen(function* () {
      const telegram = yield* BotApiEmulator
      const refused = yield* Effect.promise(() => fetch(`${telegram.apiRoot}/control/info`))
      assert.strictEqual(refused.status, 404)
      const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
      const bytes = new TextEncoder().encode("<script>")
      const sent = yield* telegram.sendFile({
        chat,
        file: { kind: "document", bytes, name: "a.html", mime: "text/html" }
      })
      const served = yield* Effect.promise(() => fetch(sent.media?.url ?? ""))
      assert.strictEqual(yield* Effect.promise(() => served.text()), "<script>")
      assert.include(served.headers.get("content-security-policy") ?? "", "sandbox")
    }).pipe(Effect.provide(emulatorLayer({ control: false })))
  )
})
