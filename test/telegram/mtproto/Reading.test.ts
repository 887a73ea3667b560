/** What an account reads when it is asked to: its chats, their history in order, files of any size in pieces. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { ChatId, MessageId } from "../../../src/domain/Ids.ts"
import type { IncomingMessage, MediaFile } from "../../../src/domain/IncomingMessage.ts"
import type { Source, UserSession } from "../../../src/telegram/UserClient.ts"
import { ada, connectAs, layer } from "../../support/mtproto/accounts.ts"
import { LoopbackTelegram } from "../../support/mtproto/LoopbackTelegram.ts"
import { fileBytes } from "../../support/mtproto/World.ts"

const { password: _, ...person } = ada
const news = { id: 1_500, title: "News", username: "news" }
const channel = ChatId.make(-1_000_000_001_500)

const world = Effect.gen(function* () {
  const telegram = yield* LoopbackTelegram
  yield* telegram.addAccount(person)
  yield* telegram.addChannel(news, [ada.id])
  yield* telegram.addChannel({ id: 1_600, title: "Chess club", group: true }, [ada.id])
  return telegram
})

const read = (session: UserSession, source: Source, options: { since: number; after?: MessageId }) =>
  Stream.runCollect(session.history(source, options))

const fileOf = (message: IncomingMessage | undefined): MediaFile => {
  const attachment = message?.attachments[0]
  assert(attachment !== undefined && "file" in attachment)
  return attachment.file
}

describe("reading", () => {
  it.live("lists the channels and groups the account is in", () =>
    Effect.gen(function* () {
      yield* world
      const session = yield* connectAs(ada.id)
      assert.deepStrictEqual(yield* Stream.runCollect(session.chats), [
        { id: channel, kind: "channel", title: "News", username: "news" },
        { id: ChatId.make(-1_000_000_001_600), kind: "group", title: "Chess club" }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.live("gives a history oldest first, over many pages, from a date or after a message", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const first = 1_700_000_000
      for (let nth = 1; nth <= 250; nth++) {
        yield* telegram.post(news.id, { text: `post ${nth}`, date: first + nth }, "silent")
        yield* telegram.say(ada.id, { text: `saved ${nth}`, date: first + nth }, { how: "silent" })
      }
      const session = yield* connectAs(ada.id)
      for (const source of [channel, "saved"] as const) {
        const numbers = (messages: ReadonlyArray<IncomingMessage>) =>
          messages.map(({ messageId }) => Number(messageId))
        const upTo250 = (from: number) => Array.from({ length: 251 - from }, (_each, nth) => from + nth)
        assert.deepStrictEqual(numbers(yield* read(session, source, { since: 0 })), upTo250(1))
        assert.deepStrictEqual(numbers(yield* read(session, source, { since: first + 101 })), upTo250(101))
        const after = MessageId.make(249)
        assert.deepStrictEqual(numbers(yield* read(session, source, { since: 0, after })), [250])
        assert.deepStrictEqual(yield* read(session, source, { since: first + 251 }), [])
      }
    }).pipe(Effect.provide(layer))
  )

  it.live("reads a message as a bot would have been given it", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const file = yield* telegram.addFile({ size: 10, name: "plan.pdf", mime: "application/pdf" })
      yield* telegram.post(news.id, {
        text: "see the plan",
        date: 1_700_000_000,
        entities: [
          { _: "messageEntityBold", offset: 0, length: 3 },
          { _: "messageEntityTextUrl", offset: 8, length: 4, url: "https://example.org" }
        ],
        media: telegram.attachment(file),
        forwarded: {
          _: "messageFwdHeader",
          date: 1_600_000_000,
          fromId: { _: "peerChannel", channelId: news.id },
          channelPost: 7
        }
      })
      const session = yield* connectAs(ada.id)
      const [message] = yield* read(session, channel, { since: 0 })
      assert(message !== undefined)
      const chat = { id: channel, kind: "channel" as const, title: "News", username: "news" }
      assert.deepInclude(message, {
        messageId: MessageId.make(1),
        chat,
        sender: { id: channel, kind: "chat", name: "News", username: "news" },
        date: 1_700_000_000,
        text: {
          text: "see the plan",
          entities: [
            { type: "bold", offset: 0, length: 3 },
            { type: "text_link", offset: 8, length: 4, url: "https://example.org" }
          ]
        },
        origin: {
          _tag: "Channel",
          date: 1_600_000_000,
          chat,
          messageId: MessageId.make(7),
          link: "https://t.me/news/7"
        }
      })
      assert.deepInclude(fileOf(message), { size: 10, name: "plan.pdf", mime: "application/pdf" })
    }).pipe(Effect.provide(layer))
  )

  it.live("refuses a channel that was closed to the account", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const session = yield* connectAs(ada.id)
      yield* Stream.runDrain(session.chats)
      yield* telegram.setOpen(news.id, false)
      assert.strictEqual((yield* Effect.flip(read(session, channel, { since: 0 })))._tag, "ChatClosed")
    }).pipe(Effect.provide(layer))
  )
})

describe("files", () => {
  for (const [where, dc] of [
    ["", 2],
    [" of another data centre", 4]
  ] as const) {
    it.live(`above 20 MB${where} come whole, in pieces of which few are in memory`, () =>
      Effect.gen(function* () {
        const telegram = yield* world
        const size = 25 * 1024 * 1024 + 4
        const file = yield* telegram.addFile({ size, name: "film.mkv", mime: "video/x-matroska", dc })
        yield* telegram.addBot({ id: 99, username: "notes_bot" })
        const sent = { date: 1_700_000_000, size }
        yield* telegram.say(
          ada.id,
          { text: "", media: telegram.attachment(file), date: sent.date },
          { to: 99 }
        )
        const session = yield* connectAs(ada.id)
        const found = yield* session.fileSentTo("@notes_bot", { ...sent, date: sent.date + 2 })
        assert(Option.isSome(found))
        const got = createHash("sha256")
        let most = 0
        let length = 0
        yield* Stream.runForEach(session.download(found.value), (piece) =>
          Effect.gen(function* () {
            got.update(piece)
            length += piece.length
            const asked = (yield* telegram.received).filter(({ name }) => name === "upload.getFile").length
            most = Math.max(most, asked - Math.floor(length / piece.length))
          })
        )
        const expected = createHash("sha256")
        for (let at = 0; at < size; at += 1 << 20) expected.update(fileBytes(file, at, 1 << 20))
        assert.strictEqual(length, size)
        assert.strictEqual(got.digest("hex"), expected.digest("hex"))
        assert.isAtMost(most, 8)
      }).pipe(Effect.provide(layer))
    )
  }

  it.live("sent at another time or of another size are not taken for the one that was sent", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const file = yield* telegram.addFile({ size: 1000, name: "a.bin", mime: "application/octet-stream" })
      yield* telegram.addBot({ id: 99, username: "notes_bot" })
      const date = 1_700_000_000
      yield* telegram.say(ada.id, { text: "", media: telegram.attachment(file), date }, { to: 99 })
      const session = yield* connectAs(ada.id)
      const none = Option.none()
      assert.deepStrictEqual(yield* session.fileSentTo("notes_bot", { date, size: 999 }), none)
      assert.deepStrictEqual(yield* session.fileSentTo("notes_bot", { date: date - 60, size: 1000 }), none)
      // Who the bot is was asked once.
      const asked = (yield* telegram.received).filter(({ name }) => name === "contacts.resolveUsername")
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(
        (yield* Effect.flip(session.fileSentTo("nobody_bot", { date, size: 1 })))._tag,
        "ChatClosed"
      )
    }).pipe(Effect.provide(layer))
  )

  it.live("of a bot, or whose reference is too old, are refused as gone", () =>
    Effect.gen(function* () {
      const telegram = yield* world
      const file = yield* telegram.addFile({ size: 1000, name: "a.bin", mime: "application/octet-stream" })
      yield* telegram.post(news.id, { text: "", media: telegram.attachment(file) })
      const session = yield* connectAs(ada.id)
      const [message] = yield* read(session, channel, { since: 0 })
      yield* telegram.refuse("upload.getFile", { code: 400, text: "FILE_REFERENCE_EXPIRED" })
      const old = yield* Effect.flip(Stream.runDrain(session.download(fileOf(message))))
      assert.strictEqual(old._tag, "FileGone")
      const foreign = { fileId: "BQACAgIAAx0CAAAB", fileUniqueId: "AgADAAAB" }
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(session.download(foreign))))._tag, "FileGone")
    }).pipe(Effect.provide(layer))
  )
})
