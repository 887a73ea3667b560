import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Address } from "../../src/domain/Address.ts"
import { type FormattedText, plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId, ThreadId } from "../../src/domain/Ids.ts"
import { BotPort, Dispatched, type TextContent } from "../../src/telegram/BotPort.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import * as Faulty from "./support/FaultyServer.ts"

const { bot, faultyServer } = Faulty
const address = new Address({ ...bot, chat: ChatId.make(42) })
const content = (text: FormattedText | string): TextContent => ({
  _tag: "Text",
  text: typeof text === "string" ? plain(text) : text
})
const hello = content("hello")

/** The port over a server of its own. */
const withServer = <A, E>(
  body: (server: Faulty.FaultyServer, port: BotPort["Service"]) => Effect.Effect<A, E, Pacer>,
  timeout: Duration.Input = "20 seconds"
) =>
  Effect.scoped(
    Effect.flatMap(faultyServer, (server) =>
      Effect.flatMap(BotPort, (port) => body(server, port)).pipe(
        Effect.provide(
          GrammyBot.layer({ timeout }).pipe(
            Layer.provideMerge(Pacer.layer),
            Layer.provide(OutgoingFiles.layerMemory(new Map())),
            Layer.provide(GrammyApi.layer),
            Layer.provide(server.layer)
          )
        )
      )
    )
  )

describe("GrammyBot", () => {
  it.live("sends text with its entities, buttons and reply, no parse mode and no preview", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const sent = yield* port.send(
          new Address({ ...address, thread: ThreadId.make(7) }),
          {
            ...content({
              text: "Bold #tag",
              entities: [
                { type: "bold", offset: 0, length: 4 },
                { type: "hashtag", offset: 5, length: 4 }
              ]
            }),
            buttons: [[{ text: "Undo", data: "undo:1" }]]
          },
          { replyTo: MessageId.make(5) }
        )
        assert.isAbove(sent.messageId, 0)
        assert.deepStrictEqual(server.calls[0]?.payload, {
          chat_id: 42,
          message_thread_id: 7,
          text: "Bold #tag",
          entities: [{ type: "bold", offset: 0, length: 4 }],
          link_preview_options: { is_disabled: true },
          reply_markup: { inline_keyboard: [[{ text: "Undo", callback_data: "undo:1" }]] },
          reply_parameters: { message_id: 5, allow_sending_without_reply: true }
        })
      })
    )
  )

  it.live("leaves General out of what it sends", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        yield* port.send(new Address({ ...address, thread: ThreadId.make(1) }), hello)
        assert.notProperty(server.calls[0]?.payload, "message_thread_id")
      })
    )
  )

  it.live("never repeats a message whose answer was lost, and says that its fate is unknown", () =>
    withServer(
      (server, port) =>
        Effect.gen(function* () {
          for (const fault of [
            Faulty.cut("after"),
            Faulty.cut("before"),
            Faulty.page(502),
            Faulty.truncate,
            Faulty.silence
          ]) {
            server.script.push(fault)
            const before = server.calls.length
            const dispatched = { inFlight: false }
            const error = yield* Effect.flip(
              port.send(address, hello).pipe(Effect.provideService(Dispatched, dispatched))
            )
            assert.strictEqual(error._tag, "Ambiguous")
            assert.strictEqual(server.calls.length, before + 1)
            assert.isTrue(dispatched.inFlight)
          }
        }),
      "2 seconds"
    )
  )

  it.live("repeats an edit through the same faults", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.script.push(Faulty.cut("after"), Faulty.page(502))
        yield* port.edit(address, MessageId.make(1), hello)
        assert.strictEqual(server.calls.length, 3)
      })
    )
  )

  it.live("repeats a message Telegram says it did not send, at most twice, and then gives up for now", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.refuse(500, "Internal Server Error"))
        assert.strictEqual((yield* Effect.flip(port.send(address, hello)))._tag, "Unavailable")
        assert.strictEqual(server.calls.length, 3)
      })
    )
  )

  it.live("waits out a short retry_after before it tries again", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.script.push(Faulty.refuse(429, "Too Many Requests: retry after 1", { retry_after: 1 }))
        yield* port.send(address, hello)
        const [first, second] = server.calls
        assert.isAtLeast(second!.at - first!.at, 1_000)
      })
    )
  )

  it.live("gives a long retry_after back with its deadline, and until then leaves the chat alone", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.script.push(Faulty.refuse(429, "Too Many Requests: retry after 30", { retry_after: 30 }))
        const error = yield* Effect.flip(port.send(address, hello))
        assert.strictEqual(error._tag, "RateLimited")
        for (const call of [
          port.typing(address),
          port.react(address, MessageId.make(1), "👍"),
          port.send(address, hello)
        ])
          assert.strictEqual((yield* Effect.flip(call))._tag, "RateLimited")
        assert.strictEqual(server.calls.length, 1)
        yield* port.send(new Address({ ...bot, chat: ChatId.make(43) }), hello)
        yield* port.answerButton(bot, "1")
        assert.strictEqual(server.calls.length, 3)
      })
    )
  )

  it.live("takes not modified for success", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.script.push(Faulty.refuse(400, "Bad Request: message is not modified: same content"))
        yield* port.edit(address, MessageId.make(1), hello)
      })
    )
  )

  it.live("says the same in plain text when the entities are not accepted, once", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const bold: FormattedText = { text: "hello", entities: [{ type: "bold", offset: 0, length: 5 }] }
        server.script.push(Faulty.refuse(400, "Bad Request: can't parse entities: x"))
        yield* port.send(address, content(bold))
        assert.notProperty(server.calls[1]?.payload, "entities")
        assert.deepInclude(server.calls[1]?.payload, { text: "hello" })
        server.rules.push(() => Faulty.refuse(400, "Bad Request: can't parse entities: x"))
        assert.strictEqual((yield* Effect.flip(port.send(address, content(bold))))._tag, "Refused")
        assert.strictEqual(server.calls.length, 4)
      })
    )
  )

  it.live("answers in the chat itself when the topic is gone", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.script.push(Faulty.refuse(400, "Bad Request: message thread not found"))
        yield* port.send(new Address({ ...address, thread: ThreadId.make(9) }), hello)
        assert.deepInclude(server.calls[0]?.payload, { message_thread_id: 9 })
        assert.notProperty(server.calls[1]?.payload, "message_thread_id")
      })
    )
  )

  it.live("tells a blocked bot, a moved group, a missing message and a bad token apart", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const failing = (step: Faulty.Step, call: Effect.Effect<unknown, { readonly _tag: string }>) =>
          Effect.suspend(() => {
            server.script.push(step)
            return Effect.map(Effect.flip(call), ({ _tag }) => _tag)
          })
        const send = port.send(address, hello)
        const edit = port.edit(address, MessageId.make(1), hello)
        const blocked = Faulty.refuse(403, "Forbidden: bot was blocked by the user")
        assert.strictEqual(yield* failing(blocked, send), "Unreachable")
        const moved = Faulty.refuse(400, "Bad Request: group chat was upgraded to a supergroup chat", {
          migrate_to_chat_id: -1001
        })
        assert.strictEqual(yield* failing(moved, send), "Migrated")
        const gone = Faulty.refuse(400, "Bad Request: message to edit not found")
        assert.strictEqual(yield* failing(gone, edit), "TargetGone")
        assert.strictEqual(
          yield* failing(Faulty.refuse(401, "Unauthorized"), port.identity(bot)),
          "Unauthorized"
        )
        assert.strictEqual(
          yield* failing(Faulty.refuse(404, "Not Found"), port.identity(bot)),
          "Unauthorized"
        )
      })
    )
  )

  it.live("checks the limits before anything leaves", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const long = yield* Effect.flip(port.send(address, content("x".repeat(4_097))))
        assert.deepInclude(long, { _tag: "TooLarge", size: 4_097, limit: 4_096 })
        assert.strictEqual((yield* Effect.flip(port.send(address, content(" \n"))))._tag, "Refused")
        const big = yield* Effect.flip(
          Stream.runDrain(port.download(bot, { fileId: "a", fileUniqueId: "b", size: 30_000_000 }))
        )
        assert.deepInclude(big, { _tag: "TooLarge", limit: 20_971_520 })
        assert.strictEqual(server.calls.length, 0)
      })
    )
  )

  it.live("puts a file in the place of a text or of another file, with its caption and buttons", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        yield* port.edit(address, MessageId.make(5), {
          _tag: "Document",
          file: { _tag: "FileId", fileId: "f" },
          caption: { text: "Bold", entities: [{ type: "bold", offset: 0, length: 4 }] },
          buttons: [[{ text: "Undo", data: "undo:1" }]]
        })
        assert.deepInclude(server.calls[0], {
          method: "editMessageMedia",
          payload: {
            chat_id: 42,
            message_id: 5,
            media: {
              type: "document",
              media: "f",
              caption: "Bold",
              caption_entities: [{ type: "bold", offset: 0, length: 4 }]
            },
            reply_markup: { inline_keyboard: [[{ text: "Undo", callback_data: "undo:1" }]] }
          }
        })
      })
    )
  )

  it.live("shows drafts in private chats only, once, with a button to stop them when asked for", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const bold = { text: "Bold", entities: [{ type: "bold", offset: 0, length: 4 }] }
        yield* port.draft(address, 7, bold, { stop: "offered" })
        assert.deepStrictEqual(server.calls[0]?.payload, {
          chat_id: 42,
          draft_id: 7,
          text: "Bold",
          entities: bold.entities,
          can_stop: true
        })
        const group = new Address({ ...address, chat: ChatId.make(-42) })
        assert.strictEqual((yield* Effect.flip(port.draft(group, 7, bold)))._tag, "Refused")
        const long = yield* Effect.flip(port.draft(address, 7, plain("x".repeat(4_097))))
        assert.strictEqual(long.message, "The draft is 4097 UTF-16 units, Telegram allows 4096 UTF-16 units")
        assert.lengthOf(server.calls, 1)
        server.script.push(Faulty.refuse(500, "Internal Server Error"))
        assert.strictEqual((yield* Effect.flip(port.draft(address, 7, bold)))._tag, "Unavailable")
        assert.lengthOf(server.calls, 2)
      })
    )
  )

  it.effect("makes an edit that shows progress once, and only where there is a place for it now", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const progress = port.edit(address, MessageId.make(1), hello, { urgency: "progress" })
        server.script.push(Faulty.page(502))
        assert.strictEqual((yield* Effect.flip(progress))._tag, "Unavailable")
        yield* progress
        // The last place is for those who do not come again.
        assert.strictEqual((yield* Effect.flip(progress))._tag, "RateLimited")
        yield* port.edit(address, MessageId.make(1), hello)
        assert.lengthOf(server.calls, 3)
      })
    )
  )

  it.live("sends captions as plain text when Telegram refuses their entities", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const caption = { text: "Bold", entities: [{ type: "bold", offset: 0, length: 4 }] }
        const item = { _tag: "Photo", file: { _tag: "FileId", fileId: "f" }, caption } as const
        const bad = Faulty.refuse(400, "Bad Request: can't parse entities: offset 5 is outside the text")
        const taken = Faulty.json(200, { ok: true, result: [{ message_id: 1, date: 1 }] })
        server.script.push(bad, taken, bad, taken)
        yield* port.send(address, item)
        yield* port.send(address, { _tag: "Album", items: [item, item] })
        const [, photo, , album] = server.calls
        assert.deepStrictEqual(photo?.payload, { chat_id: 42, photo: "f", caption: "Bold" })
        const bare = { type: "photo", media: "f", caption: "Bold" }
        assert.deepStrictEqual(album?.payload, { chat_id: 42, media: [bare, bare] })
      })
    )
  )

  it.live("asks for a file's address again when it has expired", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const found = Faulty.json(200, { ok: true, result: { file_id: "a", file_path: "photos/1.jpg" } })
        server.script.push(found, Faulty.page(404), found, (_call, response) => response.end("bytes"))
        const text = yield* port
          .download(bot, { fileId: "a", fileUniqueId: "b" })
          .pipe(Stream.decodeText(), Stream.mkString)
        assert.strictEqual(text, "bytes")
      })
    )
  )

  it.live("stops a file that turns out larger than it said", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const found = Faulty.json(200, { ok: true, result: { file_id: "a", file_path: "photos/1.jpg" } })
        server.script.push(found, (_call, response) => response.end(Buffer.alloc(21 * 1024 * 1024)))
        const error = yield* Effect.flip(
          Stream.runDrain(port.download(bot, { fileId: "a", fileUniqueId: "b" }))
        )
        assert.strictEqual(error._tag, "TooLarge")
      })
    )
  )

  it.effect("lets three messages into a chat at once and the fourth a second later", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        for (let sent = 0; sent < 3; sent++) yield* port.send(address, hello)
        const fourth = yield* Effect.forkChild(port.send(address, hello), { startImmediately: true })
        yield* TestClock.adjust("900 millis")
        assert.strictEqual(server.calls.length, 3)
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(fourth)
        assert.strictEqual(server.calls.length, 4)
      })
    )
  )
})
