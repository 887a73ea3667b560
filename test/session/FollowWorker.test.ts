/** What the follower of one account does when things go wrong. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { MessageId, UserId } from "../../src/domain/Ids.ts"
import type { Attachment } from "../../src/domain/IncomingMessage.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { fetchedOf } from "../../src/telegram/AccountMessage.ts"
import { ChatClosed, FloodWait } from "../../src/telegram/UserClient.ts"
import {
  checkpoint,
  followed,
  type History,
  layer,
  message,
  news,
  none,
  Out,
  posted,
  since,
  test,
  told,
  whats,
  working
} from "./FollowWorld.ts"
import { eventually, key } from "./support.ts"

describe("the follower of an account", () => {
  test(
    "keeps a position only once everything before it is durable",
    Effect.gen(function* () {
      yield* followed("saved")
      const out = yield* Out
      const { told: tell, read } = yield* working(none)
      yield* read
      yield* Queue.offerAll(tell, [told("saved", message(1)), checkpoint("one")])
      yield* eventually(
        Effect.sync(() => out.positions.length),
        (kept) => kept === 2
      )
      yield* out.storing.close
      yield* Queue.offerAll(tell, [told("saved", message(2)), checkpoint("two")])
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual(out.positions, ["begun", "one"])
      yield* out.storing.open
      yield* eventually(
        Effect.sync(() => out.positions.length),
        (kept) => kept === 3
      )
      assert.deepStrictEqual(yield* whats, ["Message 1", "Message 2"])
      const [chat] = yield* FollowStore.use((store) => store.list(key))
      assert.strictEqual(chat?.lastMessage, 2)
      // Their person is spoken to in their language, should that ever be.
      assert.strictEqual(out.handed[0]?.message.sender.language, "ru")
    })
  )

  test(
    "goes on with a history where it was when Telegram asked to wait",
    Effect.gen(function* () {
      yield* followed("saved")
      const asked: Array<number> = []
      let floods = 1
      yield* working((_source, { after = MessageId.make(0) }) => {
        asked.push(after)
        if (after === 0) return Stream.make(message(1), message(2))
        if (floods-- > 0) return Stream.fail(new FloodWait({ method: "messages.getHistory", seconds: 1 }))
        return after === 2 ? Stream.make(message(3)) : Stream.empty
      })
      yield* eventually(whats, (all) => all.length === 3)
      assert.deepStrictEqual(yield* whats, ["Message 1", "Message 2", "Message 3"])
      assert.deepStrictEqual(asked.slice(0, 4), [0, 0, 2, 2])
    })
  )

  test(
    "reads all again for its edits when more happened than it was told, also if it is stopped meanwhile",
    Effect.gen(function* () {
      const chat = yield* followed(news)
      yield* FollowStore.use((store) => store.advance(chat, MessageId.make(150)))
      const all = [posted(2), posted(3, { editDate: since + 900 }), posted(151), posted(152)]
      let stuck = true
      const history: History = (_source, { after = MessageId.make(0) }) => {
        if (after === 0 && stuck) return Stream.never
        return Stream.fromIterable(all.filter(({ messageId }) => messageId > after))
      }
      const { fiber, told: tell } = yield* working(history)
      yield* eventually(whats, (taken) => taken.length === 2)
      yield* Queue.offerAll(tell, [{ _tag: "Missed", source: news }, checkpoint("after")])
      const due = FollowStore.use((store) => Effect.map(store.list(key), ([one]) => one?.rereadDue === true))
      yield* eventually(due, (is) => is)
      yield* Fiber.interrupt(fiber)
      stuck = false
      yield* working(history)
      yield* eventually(due, (is) => !is)
      assert.deepStrictEqual(yield* whats, ["Message 151", "Message 152", "EditedMessage 3"])
    })
  )

  test(
    "follows the other chats when one cannot be read, and says why of that",
    Effect.gen(function* () {
      yield* followed(news)
      yield* followed("saved")
      const { asked } = yield* working((source, { after = MessageId.make(0) }) =>
        source === news
          ? Stream.fail(new ChatClosed({ method: "messages.getHistory" }))
          : Stream.fromIterable(after === 0 ? [message(1)] : [])
      )
      yield* eventually(
        Effect.sync(() => asked),
        (all) => all.length === 1
      )
      assert.deepStrictEqual(asked, [["saved"]])
      yield* eventually(whats, (all) => all.includes("Message 1"))
      const [closed, saved] = yield* FollowStore.use((store) => store.list(key))
      assert.include(closed?.lastError, "cannot see this chat")
      assert.isUndefined(saved?.lastError)
    })
  )

  test(
    "begins to read a history once it is kept where the updates begin, and takes what is edited behind its back",
    Effect.gen(function* () {
      yield* followed("saved")
      const out = yield* Out
      const all = [1, 2, 3, 4, 5, 6].map((id) => message(id))
      const keptThen: Array<number> = []
      const history: History = (_source, { after = MessageId.make(0) }) => {
        keptThen.push(out.positions.length)
        return Stream.fromIterable(all.filter(({ messageId }) => messageId > after).slice(0, 2))
      }
      const { asked, told: tell } = yield* working(history, { begun: false })
      yield* eventually(
        Effect.sync(() => asked.length),
        (times) => times === 1
      )
      yield* Effect.sleep("300 millis")
      yield* Queue.offer(tell, checkpoint("begun"))
      // A look whether it can be read, and two pages: the third waits for the notes of the first, which nobody makes here.
      yield* eventually(whats, (taken) => taken.includes("Message 4"))
      assert.deepStrictEqual(keptThen, [0, 1, 1])
      yield* Queue.offerAll(tell, [
        { _tag: "Edited", source: "saved", message: message(1, { editDate: since + 900 }) },
        // The third page brings both as they are then.
        { _tag: "Edited", source: "saved", message: message(6, { editDate: since + 901 }) },
        told("saved", message(7)),
        checkpoint("later")
      ])
      yield* eventually(
        Effect.sync(() => out.positions),
        (kept) => kept.includes("later")
      )
      assert.deepStrictEqual(yield* whats, [
        "Message 1",
        "Message 2",
        "Message 3",
        "Message 4",
        "EditedMessage 1"
      ])
    })
  )

  test(
    "reads all again when nobody tells what was edited since it was read: no position is kept",
    Effect.gen(function* () {
      const chat = yield* followed("saved")
      yield* FollowStore.use((store) => store.advance(chat, MessageId.make(500)))
      const all = [message(1, { editDate: since + 900 }), message(500)]
      yield* working(
        (_source, { after = MessageId.make(0) }) =>
          Stream.fromIterable(all.filter(({ messageId }) => messageId > after)),
        { hasPositions: false }
      )
      yield* eventually(whats, (told) => told.length === 1)
      assert.deepStrictEqual(yield* whats, ["EditedMessage 1"])
    })
  )

  test(
    "stops when another has the session by now: its positions are not kept",
    Effect.gen(function* () {
      yield* followed("saved")
      const out = yield* Out
      out.deposed = true
      const { fiber } = yield* working(() => Stream.make(message(1)))
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(out.positions, [])
      assert.deepStrictEqual(yield* whats, [])
    })
  )

  test(
    "leaves no gap in a chat that could not be read when it missed something",
    Effect.gen(function* () {
      yield* followed("saved")
      let closed = false
      const { told: tell, read } = yield* working(() =>
        closed ? Stream.fail(new ChatClosed({ method: "messages.getHistory" })) : Stream.empty
      )
      yield* read
      yield* Queue.offer(tell, told("saved", message(1)))
      yield* eventually(whats, (all) => all.length === 1)
      closed = true
      yield* Queue.offerAll(tell, [
        { _tag: "Missed", source: "saved" },
        told("saved", message(9)),
        checkpoint("after")
      ])
      const out = yield* Out
      yield* eventually(
        Effect.sync(() => out.positions),
        (kept) => kept.includes("after")
      )
      yield* eventually(
        FollowStore.use((store) => store.list(key)),
        ([one]) => one?.lastError !== undefined
      )
      assert.notInclude(yield* whats, "Message 2")
      const [chat] = yield* FollowStore.use((store) => store.list(key))
      assert.strictEqual(chat?.lastMessage, 1)
      assert.include(chat?.lastError, "cannot see this chat")
    })
  )

  it.effect("follows a chat that could not be read once it can, with a new client", () =>
    Effect.gen(function* () {
      yield* SessionStore.use((store) => store.add(key, { kind: "user" }))
      yield* followed(news)
      yield* followed("saved")
      let closed = true
      const { asked, renewed } = yield* working((source) => {
        if (source === "saved") return Stream.empty
        return closed
          ? Stream.fail(new ChatClosed({ method: "messages.getHistory" }))
          : Stream.make(posted(1))
      })
      const later = (holds: () => boolean) =>
        Effect.gen(function* () {
          while (!holds()) {
            yield* TestClock.adjust("1 minute")
            yield* TestClock.withLive(Effect.sleep("5 millis"))
          }
        })
      yield* later(() => asked.length === 1)
      closed = false
      yield* later(() => renewed())
      assert.deepStrictEqual(yield* whats, [])
      assert.deepStrictEqual(asked, [["saved"]])
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  test(
    "touches nothing of another account that is logged in now",
    Effect.gen(function* () {
      yield* followed("saved")
      const asked = yield* Deferred.make<void>()
      const { fiber } = yield* working(
        () => Stream.unwrap(Effect.as(Deferred.succeed(asked, undefined), Stream.empty)),
        { me: { id: UserId.make(43), name: "Bob" } }
      )
      yield* Effect.sleep("300 millis")
      assert.isFalse(Deferred.isDoneUnsafe(asked))
      assert.isUndefined(fiber.pollUnsafe())
    })
  )

  test(
    "takes nothing while the tenant stores all it may, and all of it when there is room",
    Effect.gen(function* () {
      yield* followed("saved")
      const out = yield* Out
      out.full = true
      const history: History = (_source, { after = MessageId.make(0) }) =>
        after === 0 ? Stream.make(message(1), message(2)) : Stream.empty
      const { fiber } = yield* working(history)
      yield* eventually(
        FollowStore.use((store) => store.list(key)),
        ([chat]) => chat?.lastError !== undefined
      )
      assert.deepStrictEqual(yield* whats, [])
      yield* Fiber.interrupt(fiber)
      out.full = false
      yield* working(history)
      yield* eventually(whats, (all) => all.length === 2)
      const [chat] = yield* eventually(
        FollowStore.use((store) => store.list(key)),
        ([one]) => one?.lastMessage === 2
      )
      assert.isUndefined(chat?.lastError)
    })
  )

  test(
    "hands a message on with its files, of what was written before the chosen day nothing, and nothing of what is deleted",
    Effect.gen(function* () {
      yield* followed("saved")
      const out = yield* Out
      const attachments: ReadonlyArray<Attachment> = [
        { _tag: "Document", file: { fileId: "account:x", fileUniqueId: "x", size: 5, name: "a.pdf" } }
      ]
      const { told: tell, read } = yield* working(none)
      yield* read
      yield* Queue.offerAll(tell, [
        told("saved", message(1, { date: since - 1 })),
        { _tag: "Edited", source: "saved", message: message(1, { date: since - 1, editDate: since + 5 }) },
        { _tag: "Deleted", messageIds: [MessageId.make(1)] },
        told(news, posted(5)),
        told("saved", message(2, { attachments }))
      ])
      yield* eventually(whats, (all) => all.length === 1)
      assert.deepStrictEqual(yield* whats, ["Message 2"])
      const [attachment] = out.handed[0]!.message.attachments
      assert(attachment?._tag === "Document")
      assert.strictEqual(fetchedOf(attachment.file.fileId)?._tag, "Stored")
    })
  )
})
