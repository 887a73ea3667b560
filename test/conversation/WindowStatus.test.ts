/** What says that a window is open, over a restart: with real rows, and people who read what Telegram shows them. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Scope } from "effect"
import { Media } from "../../src/assistant/Media.ts"
import { MediaRetry } from "../../src/assistant/MediaRetry.ts"
import { NoteCreation } from "../../src/assistant/NoteCreation.ts"
import * as Conversation from "../../src/conversation/Conversation.ts"
import { ConversationSettings } from "../../src/conversation/ConversationSettings.ts"
import * as Engine from "../../src/conversation/Engine.ts"
import * as Inbox from "../../src/conversation/Inbox.ts"
import { MessageProcessor } from "../../src/conversation/MessageProcessor.ts"
import type { WindowRules } from "../../src/conversation/Window.ts"
import { BotId } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { Lease } from "../../src/lock/Locks.ts"
import { ChatFollows } from "../../src/session/ChatFollows.ts"
import { KnownAccounts } from "../../src/session/KnownAccounts.ts"
import { LoginLinks } from "../../src/session/LoginLinks.ts"
import { Directory } from "../../src/store/Directory.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { Shutdown } from "../../src/store/Shutdown.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { Callbacks } from "../../src/telegram/Callbacks.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { Streaming } from "../../src/telegram/Streaming.ts"
import { UpdateSink } from "../../src/telegram/Taking.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { eventually } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { bot, layer as emulated, person } from "../telegram/support/EmulatedBot.ts"

const beneath = Layer.mergeAll(
  Callbacks.layer,
  HandledUpdates.layer,
  KnowledgeBase.layer.pipe(Layer.provide(RevisionLog.layer)),
  Outbox.layer
).pipe(
  Layer.provideMerge(Layer.mergeAll(Blobs.layer, Directory.layer, emulated())),
  Layer.provideMerge(TestDatabase.layer)
)

const notes = NoteCreation.layer.pipe(
  Layer.provide([
    Layer.mock(Media, { prefetch: () => Effect.void, collect: () => Effect.succeed(new Map()) }),
    Layer.mock(MediaRetry, { ifPending: () => Effect.void })
  ])
)
/** So slow that it is ended before it has saved anything. */
const slow = Layer.mock(NoteCreation, { prefetch: () => Effect.void, create: () => Effect.never })

/** One life of the process. */
const life = <R>(rules: WindowRules, creation: Layer.Layer<NoteCreation, never, R>) =>
  Inbox.layer.pipe(
    Layer.provideMerge(Conversation.layer),
    Layer.provide(MessageProcessor.layer),
    Layer.provide([
      creation,
      Layer.mock(Invites, {}),
      Layer.mock(LoginLinks, {}),
      Layer.mock(ChatFollows, {}),
      Layer.mock(KnownAccounts, {}),
      Layer.mock(Limits, {}),
      Layer.mock(Permission, { role: () => Effect.succeed(Option.some("member" as const)) }),
      Streaming.layer,
      Layer.succeed(ConversationSettings, { rules, clocksApart: 0 })
    ]),
    Layer.provideMerge(Engine.layerSingle),
    Layer.provide(Layer.merge(TaskManager.layer, Shutdown.layer)),
    Layer.fresh
  )

it.live("windows that are one after a restart have one answer, and nothing is said to be collected", () =>
  Effect.gen(function* () {
    const { emulator, chat } = yield* person
    const botId = BotId.make(emulator.bot.id)
    yield* Effect.forkScoped(
      Outbox.use((outbox) => Effect.provideService(outbox.dispatch(bot, botId), Lease, Lease.sole))
    )
    const date = Math.floor(Date.now() / 1000)
    const update = (id: number, text: string, more: object = {}) => ({
      update_id: id,
      message: {
        message_id: id,
        date,
        chat: { id: chat, type: "private", first_name: "Ada" },
        from: { id: chat, is_bot: false, first_name: "Ada" },
        text,
        ...more
      }
    })
    const said = Effect.map(emulator.messages({ chat }), (all) =>
      all.flatMap(({ from, text }) => (from.isBot ? [text] : []))
    )
    const counted = (pattern: RegExp, count: number) =>
      eventually(
        `${count} messages like ${pattern}`,
        Effect.map(said, (all) => all.filter((text) => pattern.test(text)).length === count)
      )
    const send = ({ receive }: UpdateSink["Service"], raw: ReturnType<typeof update>) =>
      receive(bot, botId, raw, decodeUpdate(raw))

    const first = yield* Scope.make()
    const sink = Context.get(
      yield* Layer.buildWithScope(life({ quiet: 50, max: 50, settle: 50 }, slow), first),
      UpdateSink
    )
    for (const [nth, text] of ["one", "two", "three"].entries()) {
      yield* send(sink, update(9_000 + nth, text))
      yield* counted(/^✍️/u, nth + 1)
      // Its window was to close long before.
      yield* Effect.sleep("1 second")
    }
    yield* Scope.close(first, Exit.void)

    const second = yield* Layer.build(life({ quiet: 60_000, max: 60_000, settle: 60_000 }, notes))
    const entities = [{ type: "bot_command", offset: 0, length: 5 }]
    yield* send(Context.get(second, UpdateSink), update(9_003, "/done", { entities }))
    yield* counted(/^✅/u, 1)
    yield* counted(/^☝️/u, 2)
    assert.lengthOf(yield* said, 3)
  }).pipe(Effect.scoped, Effect.provide(beneath))
)
