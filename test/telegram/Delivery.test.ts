import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { plain } from "../../src/domain/FormattedText.ts"
import { BotId, MessageId } from "../../src/domain/Ids.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotPort, Dispatched, type OutgoingContent } from "../../src/telegram/BotPort.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { bot, layer, person } from "./support/EmulatedBot.ts"
import { become } from "./support/OutboxRows.ts"

const note: OutgoingContent = {
  _tag: "Rich",
  markdown: "# Plan\n\n- [x] **one**\n- [ ] two\n\n| a | b |\n|---|---|\n| 1 | 2 |",
  buttons: [[{ text: "More", data: "more" }]]
}
const asText = /^Plan\n\n☑ one\n☐ two\n\na │ b/
/** Three messages as text. */
const long: OutgoingContent = {
  _tag: "Rich",
  markdown: Array.from({ length: 100 }, (_, index) => `${index + 1}: ${"word ".repeat(20)}`).join("\n\n")
}

const live = <A, E>(name: string, body: Effect.Effect<A, E, Effect.Services<typeof person> | BotPort>) =>
  it.live(name, () => Effect.provide(body, layer()))

/** Methods called in the chat, each with how it was answered. */
const calls = Effect.fnUntraced(function* (chat: number) {
  const { emulator } = yield* person
  return (yield* emulator.journal({ chat })).map(({ method, status }) => `${method} ${status}`)
})

describe("a rich message", () => {
  live(
    "is one message with its blocks and buttons where the server takes it",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      const { messageId } = yield* port.send(address, note)
      const message = yield* emulator.message({ chat, messageId })
      assert.deepStrictEqual(
        message.rich?.map(({ type }) => type),
        ["heading", "list", "table"]
      )
      assert.deepStrictEqual(message.buttons, note.buttons)
      const { messageId: whole } = yield* port.send(address, long)
      assert.lengthOf((yield* emulator.message({ chat, messageId: whole })).rich ?? [], 100)
      assert.deepStrictEqual(yield* calls(chat), ["sendRichMessage 200", "sendRichMessage 200"])
    })
  )

  live(
    "is text where the server knows none, asked for once and not again",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.setUnknown({ features: ["rich"] })
      const { messageId } = yield* port.send(address, note)
      const message = yield* emulator.message({ chat, messageId })
      assert.match(message.text, asText)
      assert.isUndefined(message.rich)
      assert.deepStrictEqual(message.buttons, note.buttons)
      yield* port.send(address, note)
      assert.deepStrictEqual(yield* calls(chat), [
        "sendRichMessage 404",
        "sendMessage 200",
        "sendMessage 200"
      ])
      assert.lengthOf(yield* emulator.messages({ chat }), 3)
    })
  )

  live(
    "that this server refuses is text, and the next one is tried",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.addFault({
        method: "sendRichMessage",
        times: 1,
        effect: { _tag: "Refuse", code: 400, description: "Bad Request: RICH_MESSAGE_INVALID" }
      })
      yield* port.send(address, note)
      yield* port.send(address, note)
      assert.deepStrictEqual(yield* calls(chat), [
        "sendRichMessage 400",
        "sendMessage 200",
        "sendRichMessage 200"
      ])
    })
  )

  live(
    "whose answer is lost is not said again as text",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.addFault({ method: "sendRichMessage", effect: { _tag: "DropAfter" } })
      assert.strictEqual((yield* Effect.flip(port.send(address, note)))._tag, "Ambiguous")
      assert.deepStrictEqual(yield* calls(chat), ["sendRichMessage 0"])
    })
  )

  live(
    "nor is one to a person who blocked the bot",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.block({ user: chat })
      assert.strictEqual((yield* Effect.flip(port.send(address, note)))._tag, "Unreachable")
      assert.deepStrictEqual(yield* calls(chat), ["sendRichMessage 403"])
    })
  )

  live(
    "takes the place of a text, and a text its",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      const { messageId } = yield* port.send(address, { _tag: "Text", text: plain("One moment") })
      const now = emulator.message({ chat, messageId })
      yield* port.edit(address, messageId, note)
      yield* port.edit(address, messageId, note)
      assert.lengthOf((yield* now).rich ?? [], 3)
      yield* port.edit(address, messageId, { _tag: "Text", text: plain("gone") })
      assert.strictEqual((yield* now).text, "gone")
      assert.isUndefined((yield* now).rich)
    })
  )

  live(
    "takes the place of a text as text where the server knows none, remembered from an edit, too",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.setUnknown({ features: ["rich"] })
      const { messageId } = yield* port.send(address, { _tag: "Text", text: plain("One moment") })
      yield* port.edit(address, messageId, note)
      assert.match((yield* emulator.message({ chat, messageId })).text, asText)
      yield* port.send(address, note)
      assert.deepStrictEqual(yield* calls(chat), [
        "sendMessage 200",
        "editMessageText 400",
        "editMessageText 200",
        "sendMessage 200"
      ])
    })
  )

  it.effect("is asked for again after an hour", () =>
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.setUnknown({ features: ["rich"] })
      yield* port.send(address, note)
      yield* emulator.setUnknown({ features: [] })
      yield* TestClock.adjust("59 minutes")
      yield* port.send(address, note)
      yield* TestClock.adjust("61 seconds")
      yield* port.send(address, note)
      assert.deepStrictEqual(yield* calls(chat), [
        "sendRichMessage 404",
        "sendMessage 200",
        "sendMessage 200",
        "sendRichMessage 200"
      ])
    }).pipe(Effect.provide(layer()))
  )
})

describe("a content of several messages", () => {
  live(
    "is sent whole and in order, the first as the answer to what it answers",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.setUnknown({ features: ["rich"] })
      const asked = yield* emulator.sendText({ chat, text: "Tell me" })
      const { messageId, others } = yield* port.send(address, long, { replyTo: MessageId.make(asked.id) })
      assert.lengthOf(others ?? [], 2)
      const sent = yield* Effect.forEach([messageId, ...(others ?? [])], (id) =>
        emulator.message({ chat, messageId: id })
      )
      assert.match(sent[0]!.text, /^1: word/)
      assert.match(sent[2]!.text, /100: [word ]+$/)
      assert.deepStrictEqual(
        sent.map(({ reply }) => reply?.messageId),
        [asked.id, undefined, undefined]
      )
    })
  )

  live(
    "sent for a durable row leaves what is not sent to the row",
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const port = yield* BotPort
      yield* emulator.setUnknown({ features: ["rich"] })
      const dispatched: Dispatched = { inFlight: false }
      yield* Effect.provideService(port.send(address, long), Dispatched, dispatched)
      assert.strictEqual(dispatched.rest?._tag, "Parts")
      assert.lengthOf(yield* emulator.messages({ chat }), 2)
    })
  )
})

describe("a row of several messages", () => {
  const botId = BotId.make(7_000_001)
  const outboxLayer = Outbox.layer.pipe(Layer.provideMerge(layer()), Layer.provideMerge(TestDatabase.layer))
  const row = (key: string, content: OutgoingContent, address: Effect.Success<typeof person>["address"]) => ({
    address,
    botId,
    key,
    delivery: "result" as const,
    action: { _tag: "Send" as const, content }
  })

  it.live("keeps its place, and a part that is sent is not sent again when the dispatcher is another", () =>
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const outbox = yield* Outbox
      yield* emulator.setUnknown({ features: ["rich"] })
      // The second part waits for longer than the first dispatcher lives.
      yield* emulator.addFault({
        method: "sendMessage",
        skip: 1,
        times: 1,
        effect: { _tag: "Refuse", code: 429, retryAfter: 4 }
      })
      yield* outbox.enqueue(address.tenant, [
        row("long", long, address),
        row("after", { _tag: "Text", text: plain("after") }, address)
      ])
      const texts = Effect.map(emulator.messages({ chat }), (all) =>
        all
          .filter(({ from }) => from.isBot)
          .reverse()
          .map(({ text }) => text)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forkScoped(Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
          yield* eventually(
            "the first part",
            Effect.map(emulator.journal({ chat, method: "sendMessage" }), ({ length }) => length === 2)
          )
        })
      )
      assert.lengthOf(yield* texts, 1)
      yield* Effect.forkScoped(Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
      yield* eventually(
        "all of it",
        Effect.map(texts, ({ length }) => length >= 4)
      )
      const all = yield* texts
      assert.strictEqual(all.at(-1), "after")
      assert.deepStrictEqual(
        all
          .slice(0, -1)
          .join("")
          .match(/\d+(?=: )/g),
        Array.from({ length: 100 }, (_, index) => String(index + 1))
      )
    }).pipe(Effect.scoped, Effect.provide(outboxLayer), Effect.timeout("40 seconds"))
  )

  it.live("is in doubt about each of them by itself", () =>
    Effect.gen(function* () {
      const { emulator, address, chat } = yield* person
      const outbox = yield* Outbox
      yield* emulator.setUnknown({ features: ["rich"] })
      // The answer to the first, which is sent again, and to the second.
      for (const skip of [0, 1])
        yield* emulator.addFault({ method: "sendMessage", skip, times: 1, effect: { _tag: "DropAfter" } })
      yield* outbox.enqueue(address.tenant, [row("long", long, address)])
      yield* Effect.forkScoped(Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
      yield* become({ long: "sent" })
      assert.lengthOf(yield* emulator.journal({ chat, method: "sendMessage" }), 5)
    }).pipe(Effect.scoped, Effect.provide(outboxLayer), Effect.timeout("40 seconds"))
  )
})
