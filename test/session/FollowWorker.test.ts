/** What the follower of one account does when things go wrong: a client of the test's own, a real database. */
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Effect,
  Fiber,
  Latch,
  Layer,
  Option,
  Queue,
  Redacted,
  type Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { plain } from "../../src/domain/FormattedText.ts"
import { BlobHash, ChatId, MessageId, UserId } from "../../src/domain/Ids.ts"
import { type Attachment, IncomingMessage } from "../../src/domain/IncomingMessage.ts"
import { FenceStale } from "../../src/lock/Fences.ts"
import { AccountFiles } from "../../src/session/AccountFiles.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { makeFollowWorker } from "../../src/session/FollowWorker.ts"
import type { LiveSession } from "../../src/session/SessionLife.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Audit } from "../../src/store/Audit.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { fetchedOf } from "../../src/telegram/AccountMessage.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { UpdateSink } from "../../src/telegram/Taking.ts"
import {
  ChatClosed,
  FloodWait,
  type Source,
  type UserError,
  type UserUpdate
} from "../../src/telegram/UserClient.ts"
import { beneath, eventually, key } from "./support.ts"

const ann = { id: UserId.make(42), name: "Ann" }
const news = ChatId.make(-1_000_000_001_500)
const since = 1_700_000_000

const message = (
  id: number,
  fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}
): IncomingMessage =>
  new IncomingMessage({
    messageId: MessageId.make(id),
    chat: { id: ChatId.make(ann.id), kind: "private" },
    sender: { id: ann.id, kind: "user", name: ann.name },
    date: since + id,
    text: plain(`text ${id}`),
    attachments: [],
    ...fields
  })
const posted = (id: number, fields: Partial<ConstructorParameters<typeof IncomingMessage>[0]> = {}) =>
  message(id, {
    chat: { id: news, kind: "channel", title: "News" },
    sender: { id: news, kind: "chat", name: "News" },
    ...fields
  })

/** What came out of it: messages handed on, positions kept; and what stands in its way. */
class Out extends Context.Service<
  Out,
  {
    readonly handed: Array<{ readonly what: string; readonly message: IncomingMessage }>
    readonly positions: Array<string>
    full: boolean
    /** Another has the session by now. */
    deposed: boolean
    /** Closed, nothing is durable. */
    readonly storing: Latch.Latch
  }
>()("test/Out") {
  static readonly layer = Layer.sync(Out, () => ({
    handed: [],
    positions: [],
    full: false,
    deposed: false,
    storing: Latch.makeUnsafe(true)
  }))
}

const around = Layer.unwrap(
  Effect.map(Out, (out) =>
    Layer.mergeAll(
      Layer.succeed(
        UpdateSink,
        UpdateSink.of({
          receive: (_key, _botId, _raw, update) =>
            out.storing.whenOpen(
              Effect.sync(() => {
                assert(update._tag === "Message" || update._tag === "EditedMessage")
                out.handed.push({
                  what: `${update._tag} ${update.message.messageId}`,
                  message: update.message
                })
                return "stored" as const
              })
            )
        })
      ),
      Layer.mock(Limits, { full: () => Effect.sync(() => out.full) }),
      Layer.mock(Permission, { language: () => Effect.succeed(Option.some("ru")) }),
      Layer.mock(AccountFiles, {
        ofMessage: () => Effect.succeed({ _tag: "Stored", blob: BlobHash.make("a".repeat(64)) })
      })
    )
  )
)

const layer = Layer.mergeAll(
  FollowStore.layer,
  HandledUpdates.layer,
  SessionStore.layer({ replica: "one" })
).pipe(
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(around),
  Layer.provideMerge(Out.layer),
  Layer.provideMerge(beneath)
)

type History = LiveSession["history"]

const none: History = () => Stream.empty

/** The worker at work with a client that tells this; what it told of `updates`, and what it was asked. */
const working = Effect.fnUntraced(function* (
  history: History,
  {
    begun = true,
    hasPositions = true,
    me = ann
  }: { readonly begun?: boolean; readonly hasPositions?: boolean; readonly me?: typeof ann } = {}
) {
  const worker = yield* makeFollowWorker
  const out = yield* Out
  const told = yield* Queue.unbounded<UserUpdate>()
  // How far the account is, first of all.
  if (begun) yield* Queue.offer(told, checkpoint("begun"))
  const asked: Array<ReadonlyArray<Source>> = []
  let renewed = false
  let pages = 0
  const client = {
    account: key,
    renew: Effect.sync(() => {
      renewed = true
    }),
    me: Effect.succeed(me),
    hasPositions,
    keepPositions: (positions: Redacted.Redacted<string>) =>
      out.deposed
        ? new FenceStale({ resource: "session", fence: 1 })
        : Effect.sync(() => void out.positions.push(Redacted.value(positions))),
    history: (...what: Parameters<History>) => {
      pages++
      return history(...what)
    },
    updates: (sources: ReadonlyArray<Source>): Stream.Stream<UserUpdate, UserError> => {
      asked.push(sources)
      return Stream.fromQueue(told)
    }
  }
  const fiber = yield* Effect.forkScoped(worker(key)(client as unknown as LiveSession))
  /** A look at each chat, and the page after which none comes: what is told from now on is taken as it comes. */
  const read = eventually(
    Effect.sync(() => pages),
    (now) => now >= 2
  )
  return { told, asked, fiber, read, renewed: () => renewed }
})

const followed = (source: Source, account = ann.id) =>
  FollowStore.use((store) => store.follow(key, { account, source, title: "a chat", since }, "admin"))

const test = (name: string, body: Effect.Effect<void, unknown, Layer.Success<typeof layer> | Scope.Scope>) =>
  it.live(name, () =>
    Effect.andThen(
      SessionStore.use((store) => store.add(key, { kind: "user" })),
      body
    ).pipe(Effect.scoped, Effect.provide(layer))
  )

const whats = Effect.map(Out, ({ handed }) => handed.map(({ what }) => what))
const told = (source: Source, one: IncomingMessage): UserUpdate => ({ _tag: "Message", source, message: one })
const checkpoint = (text: string): UserUpdate => ({ _tag: "Checkpoint", positions: Redacted.make(text) })

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
