import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Option, type Scope, Stream } from "effect"
import { NoteCreation } from "../../src/assistant/NoteCreation.ts"
import { stopButton, stopGrant } from "../../src/conversation/Buttons.ts"
import * as Conversation from "../../src/conversation/Conversation.ts"
import { ConversationSettings } from "../../src/conversation/ConversationSettings.ts"
import * as Engine from "../../src/conversation/Engine.ts"
import * as Inbox from "../../src/conversation/Inbox.ts"
import { MessageProcessor } from "../../src/conversation/MessageProcessor.ts"
import { userContext } from "../../src/conversation/UserContext.ts"
import { windowRules } from "../../src/conversation/Window.ts"
import { type FormattedText, plain } from "../../src/domain/FormattedText.ts"
import { BotId, ChatId } from "../../src/domain/Ids.ts"
import type { Role } from "../../src/domain/Role.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { ChatFollows } from "../../src/session/ChatFollows.ts"
import { KnownAccounts } from "../../src/session/KnownAccounts.ts"
import { LoginLinks } from "../../src/session/LoginLinks.ts"
import { Directory } from "../../src/store/Directory.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { Shutdown } from "../../src/store/Shutdown.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Callbacks } from "../../src/telegram/Callbacks.ts"
import { Chats } from "../../src/telegram/Chats.ts"
import { Intake } from "../../src/telegram/Intake.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { finalEntry, Streaming, type Turn } from "../../src/telegram/Streaming.ts"
import { Taking } from "../../src/telegram/Taking.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { bot, layer as emulated, person } from "../telegram/support/EmulatedBot.ts"

/** Of people who are more than members. */
const roles = new Map<number, Role>()

/** From the poll to the answer, all but notes. */
const layer = Layer.merge(
  Inbox.layer,
  Intake.layer.pipe(Layer.provide(Taking.layer), Layer.provide([Inbox.layer, Chats.layer]))
).pipe(
  Layer.provideMerge(Conversation.layer),
  Layer.provideMerge(MessageProcessor.layer),
  Layer.provide([
    Layer.mock(NoteCreation, {}),
    Layer.mock(KnowledgeBase, {}),
    Layer.mock(Invites, {}),
    Layer.mock(LoginLinks, {}),
    Layer.mock(ChatFollows, {}),
    Layer.mock(KnownAccounts, {}),
    Layer.mock(Limits, { over: () => Effect.succeed(new Set()) }),
    Layer.mock(Permission, {
      heard: () => Effect.void,
      admit: () => Effect.succeed({ _tag: "Admitted", role: "member", holdsCode: false }),
      role: (_key, user) => Effect.sync(() => Option.some(roles.get(user) ?? "member"))
    }),
    Layer.succeed(ConversationSettings, {
      rules: windowRules({ quiet: "1 minute", max: "5 minutes" }),
      clocksApart: 0
    })
  ]),
  Layer.provideMerge(Engine.layerSingle),
  Layer.provideMerge(Streaming.layer),
  Layer.provideMerge(
    Layer.mergeAll(Blobs.layer, Callbacks.layer, HandledUpdates.layer, Outbox.layer, TaskManager.layer)
  ),
  Layer.provideMerge(emulated()),
  Layer.provideMerge(Directory.layer),
  Layer.provideMerge(TestDatabase.layer),
  Layer.provideMerge(Shutdown.layer)
)

/** An answer that grows as long as nobody stops it. */
const endless: Stream.Stream<FormattedText> = Stream.tick("100 millis").pipe(
  Stream.zipWithIndex,
  Stream.map(([, index]) => plain("word ".repeat(index + 1).trim()))
)

const started = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const { chat: ann } = yield* person
  const { id: bob } = yield* emulator.createUser({ firstName: "Bob", language: "ru" })
  const botId = BotId.make(emulator.bot.id)
  yield* Effect.forkScoped(
    Outbox.use((outbox) => Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
  )
  yield* Effect.forkScoped(
    Intake.use((intake) => Effect.provideService(intake.receive(bot, botId), Lease, Lease.sole))
  )
  const asked = (chat: number) =>
    userContext(
      { ...bot, botId, chat: ChatId.make(chat), thread: undefined, sender: ann },
      { id: ann, kind: "user", name: "Ada" }
    )
  return { emulator, ann, bob, botId, asked }
})

/** What the person sees while an answer is made, with the button that stops it. */
const streaming = Effect.fnUntraced(function* (user: ReturnType<typeof userContext>, lifetime?: number) {
  const grant = stopGrant(user, "answer:1")
  const [token = ""] = yield* Callbacks.use((callbacks) =>
    callbacks.issue(user.tenant, [lifetime === undefined ? grant : { ...grant, lifetime }])
  )
  const turn: Turn = {
    address: user.address,
    botId: user.botId,
    key: "answer:1",
    placeholder: plain("One moment"),
    stop: stopButton(user, token)
  }
  const fiber = yield* Effect.forkScoped(Streaming.use((all) => all.show(turn, endless)))
  return { turn, fiber }
})

const answered = Effect.fnUntraced(function* (turn: Turn, text: FormattedText) {
  yield* Outbox.use((outbox) =>
    outbox.enqueue(turn.address.tenant, [finalEntry(turn, { _tag: "Text", text })])
  )
})

/** The newest message of the chat that says so. */
const last = Effect.fnUntraced(function* (chat: number, pattern: RegExp) {
  const { messages } = yield* BotApiEmulator
  const read = Effect.map(messages({ chat }), (all) => all.find(({ text }) => pattern.test(text)))
  yield* eventually(
    `a message like ${pattern}`,
    Effect.map(read, (message) => message !== undefined)
  )
  return (yield* read)!
})

const live = (name: string, body: Effect.Effect<void, unknown, Layer.Success<typeof layer> | Scope.Scope>) =>
  it.live(name, () => body.pipe(Effect.scoped, Effect.provide(layer), Effect.timeout("50 seconds")))

describe("an answer on its way", () => {
  live(
    "in a private chat is stopped by Telegram's button under the draft, and said as far as it went",
    Effect.gen(function* () {
      const { emulator, ann, asked } = yield* started
      const drafts: Array<{ readonly draftId: number; readonly stop?: boolean }> = []
      yield* emulator.events.pipe(
        Stream.runForEach((event) =>
          Effect.sync(() => {
            if (event._tag === "Draft") drafts.push(event)
          })
        ),
        Effect.forkScoped({ startImmediately: true })
      )
      const { turn, fiber } = yield* streaming(asked(ann))
      yield* eventually(
        "some drafts",
        Effect.sync(() => drafts.length >= 3)
      )
      const { draftId, stop } = drafts[0]!
      assert.isTrue(stop)
      yield* emulator.stopDraft({ chat: ann, draftId: draftId + 1 })
      yield* emulator.stopDraft({ chat: ann, draftId })
      const shown = yield* Fiber.join(fiber)
      assert.strictEqual(shown.ended, "stopped")
      yield* answered(turn, shown.text)
      const message = yield* last(ann, /^word/)
      assert.strictEqual(message.text, shown.text.text)
      const said = (yield* emulator.messages({ chat: ann })).filter(({ text }) => text.startsWith("word"))
      assert.lengthOf(said, 1)
    })
  )

  live(
    "in a group is stopped by who asked for it, once, and by nobody else",
    Effect.gen(function* () {
      const { emulator, ann, bob, asked } = yield* started
      const group = yield* emulator.createGroup({ title: "Team", members: [ann, bob] })
      const { turn, fiber } = yield* streaming(asked(group.id))
      const message = yield* last(group.id, /^word/)
      const press = (from: number, data = message.buttons[0]?.[0]?.data ?? "") =>
        Effect.map(emulator.press({ chat: group.id, messageId: message.id, from, data }), ({ text }) => text)
      assert.strictEqual(yield* press(bob), "Это чужая кнопка")
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(yield* press(ann), "Stopping")
      const shown = yield* Fiber.join(fiber)
      assert.strictEqual(shown.ended, "stopped")
      assert.strictEqual(yield* press(ann), "This has been pressed before; it works once")
      yield* answered(turn, plain(`${shown.text.text} (stopped)`))
      const answer = yield* last(group.id, /\(stopped\)$/)
      assert.strictEqual(answer.id, message.id)
      assert.deepStrictEqual(answer.buttons, [])
    })
  )

  live(
    "is stopped by its button in a private chat, too, where the server knows no drafts",
    Effect.gen(function* () {
      const { emulator, ann, asked } = yield* started
      yield* emulator.setUnknown({ features: ["drafts"] })
      const { fiber } = yield* streaming(asked(ann))
      const message = yield* last(ann, /^word/)
      const data = message.buttons[0]?.[0]?.data ?? ""
      const { text } = yield* emulator.press({ chat: ann, messageId: message.id, data })
      assert.strictEqual(text, "Stopping")
      assert.strictEqual((yield* Fiber.join(fiber)).ended, "stopped")
    })
  )

  live(
    "leaves out what Telegram no longer takes: an answer to a press of long ago",
    Effect.gen(function* () {
      const { emulator, ann, asked } = yield* started
      const processor = yield* MessageProcessor
      const now = yield* Clock.currentTimeMillis
      const answers = Effect.map(emulator.journal({ method: "answerCallbackQuery" }), ({ length }) => length)
      const press = Effect.fnUntraced(function* (update_id: number, receivedAt: number) {
        const from = { id: ann, is_bot: false, first_name: "Ada" }
        const callback_query = { id: `${update_id}`, from, chat_instance: "1", data: "?" }
        const update = decodeUpdate({ update_id, callback_query })
        if (update._tag !== "Button") return yield* Effect.die("no press")
        yield* processor.button(asked(ann), update, { pending: 0, receivedAt })
      })
      yield* press(1, now - 151_000)
      assert.strictEqual(yield* answers, 0)
      yield* press(2, now)
      assert.strictEqual(yield* answers, 1)
    })
  )

  live(
    "chooses nobody's chats but for an owner, and those of another not even for one",
    Effect.gen(function* () {
      const { emulator, ann, bob, asked } = yield* started
      const pressed = Effect.fnUntraced(function* (data: string) {
        const content = { _tag: "Text", text: plain("a list"), buttons: [[{ text: "News", data }]] } as const
        yield* BotPort.use(({ send }) => send(asked(ann).address, content))
        const [message] = yield* emulator.messages({ chat: ann })
        return (yield* emulator.press({ chat: ann, messageId: message!.id, data })).text
      })
      assert.strictEqual(yield* pressed(`follow:${ann}:saved:0`), "Only owners may do that.")
      roles.set(ann, "owner")
      assert.strictEqual(yield* pressed(`follow:${bob}:saved:0`), "This button belongs to somebody else")
      assert.strictEqual(yield* pressed(`chats:${bob}:0`), "This button belongs to somebody else")
    })
  )

  live(
    "goes on when its button is pressed too late, or is another's copied",
    Effect.gen(function* () {
      const { emulator, ann, asked } = yield* started
      const group = yield* emulator.createGroup({ title: "Team", members: [ann] })
      const { fiber } = yield* streaming(asked(group.id), 1)
      const message = yield* last(group.id, /^word/)
      const data = message.buttons[0]?.[0]?.data ?? ""
      const { text } = yield* emulator.press({ chat: group.id, messageId: message.id, from: ann, data })
      assert.strictEqual(text, "This button works no longer")
      // The same data from another chat, as a changed client could send it.
      const forged = (update: string) =>
        emulator.inject({
          update: {
            callback_query: {
              id: update,
              from: { id: ann, is_bot: false, first_name: "Ada" },
              chat_instance: "1",
              data,
              message: { message_id: 1, date: 1, chat: { id: ann, type: "private", first_name: "Ada" } }
            }
          }
        })
      yield* forged("1")
      yield* eventually(
        "it is handled",
        Effect.map(emulator.journal({ method: "answerCallbackQuery" }), ({ length }) => length >= 2)
      )
      assert.isUndefined(fiber.pollUnsafe())
    })
  )
})
