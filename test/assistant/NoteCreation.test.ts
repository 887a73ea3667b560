import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schedule } from "effect"
import { WorkflowEngine } from "effect/workflow"
import { Media } from "../../src/assistant/Media.ts"
import { MediaRetry } from "../../src/assistant/MediaRetry.ts"
import { NoteCreation, type NoteOutcome, type NoteUser } from "../../src/assistant/NoteCreation.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import {
  BotId,
  ChatId,
  defaultApp,
  defaultKnowledgeBase,
  defaultTenant,
  MessageId,
  UpdateId
} from "../../src/domain/Ids.ts"
import { type Attachment, IncomingMessage } from "../../src/domain/IncomingMessage.ts"
import type { UnitMember } from "../../src/domain/Note.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { BotPort, BotRecorder, Unavailable } from "../../src/telegram/BotPort.ts"
import { Outbox, type OutboxEntry } from "../../src/telegram/Outbox.ts"
import { TestDatabase } from "../support/Postgres.ts"

const key = { tenant: defaultTenant, name: defaultKnowledgeBase }
const user: NoteUser = {
  tenant: defaultTenant,
  app: defaultApp,
  botId: BotId.make(7),
  language: "en",
  author: { name: "Ann", email: "1@telegram.invalid" },
  knowledgeBase: key
}

const member = (
  id: number,
  text: string,
  extra: { readonly albumId?: string; readonly attachments?: ReadonlyArray<Attachment> } = {}
): UnitMember => ({
  updateId: UpdateId.make(id),
  message: new IncomingMessage({
    messageId: MessageId.make(id),
    chat: { id: ChatId.make(1), kind: "private" },
    sender: { id: 1, kind: "user", name: "Ann" },
    date: 1_800_000_000 + id,
    text: plain(text),
    attachments: extra.attachments ?? [],
    ...(extra.albumId === undefined ? {} : { albumId: extra.albumId })
  })
})

const photo = (name: string, size = 3): Attachment => ({
  _tag: "Photo",
  file: { fileId: name, fileUniqueId: `unique ${name}`, size }
})

/** What was announced, in the order it became durable. */
class Announced extends Context.Service<Announced, Array<OutboxEntry>>()("test/Announced") {
  static readonly layer = Layer.sync(Announced, () => [])
}

const outbox = Layer.effect(
  Outbox,
  Effect.map(Announced, (announced) =>
    Outbox.of({
      enqueue: (_tenant, entries) => Effect.sync(() => void announced.push(...entries)),
      enqueueAlone: (_tenant, entry) => Effect.sync(() => void announced.push(entry)),
      dispatch: () => Effect.never,
      purge: () => Effect.succeed(0)
    })
  )
)

const layer = NoteCreation.layer.pipe(
  Layer.provide(MediaRetry.layer),
  Layer.provide(Media.layer),
  Layer.provide(WorkflowEngine.layerMemory),
  Layer.provideMerge(outbox),
  Layer.provideMerge(Announced.layer),
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Layer.mergeAll(HandledUpdates.layer, KnowledgeBase.layer)),
  Layer.provideMerge(RevisionLog.layer),
  Layer.provideMerge(Blobs.layer),
  Layer.provideMerge(TestDatabase.layer)
)

const create = (first: UnitMember, ...rest: ReadonlyArray<UnitMember>) =>
  Effect.gen(function* () {
    const seen: Array<NoteOutcome> = []
    yield* NoteCreation.use((notes) =>
      notes.create({
        user,
        members: [first, ...rest],
        updates: [first, ...rest].map((one) => one.updateId),
        raw: false,
        announce: (outcomes) => {
          seen.push(...outcomes)
          return []
        }
      })
    )
    return seen
  })

const textOf = (path: string) =>
  KnowledgeBase.use((knowledge) => knowledge.read(key, path)).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes))
  )

describe("NoteCreation", () => {
  it.live("a unit becomes one note with every message in order", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "Buy milk. And #shopping bread"), member(2, "and eggs"))
      const { note } = outcome!
      assert.strictEqual(note.title, "Buy milk")
      assert.strictEqual(note.category, "shopping")
      const text = yield* textOf(note.path)
      assert.isTrue(text.indexOf("And #shopping bread") < text.indexOf("and eggs"))
    }).pipe(Effect.provide(layer))
  )

  it.live("the same updates again change nothing", () =>
    Effect.gen(function* () {
      yield* create(member(1, "once"))
      const again = yield* Effect.exit(create(member(1, "once"), member(2, "new")))
      assert.isTrue(Exit.isFailure(again))
      assert.strictEqual(yield* KnowledgeBase.use((knowledge) => knowledge.count(key)), 1)
    }).pipe(Effect.provide(layer))
  )

  it.live("the late rest of an album goes into the note of its album, other messages into a new one", () =>
    Effect.gen(function* () {
      const [first] = yield* create(member(1, "holiday", { albumId: "a" }))
      const outcomes = yield* create(member(2, "the rest", { albumId: "a" }), member(3, "something else"))
      assert.deepStrictEqual(
        outcomes.map(({ amended }) => amended),
        [false, true]
      )
      assert.strictEqual(outcomes[1]?.note.id, first?.note.id)
      assert.include(yield* textOf(first!.note.path), "the rest")
      assert.notInclude(yield* textOf(first!.note.path), "something else")
    }).pipe(Effect.provide(layer))
  )

  it.live("a message another update brought already is not written twice", () =>
    Effect.gen(function* () {
      const [first] = yield* create(member(1, "came as an edit"))
      const again = { ...member(1, "came as an edit"), updateId: UpdateId.make(50) }
      const outcomes = yield* create(again, member(2, "new"))
      assert.deepStrictEqual(
        outcomes.map(({ note }) => note.id === first?.note.id),
        [false, true]
      )
      assert.lengthOf((yield* textOf(first!.note.path)).match(/^came as an edit$/gm) ?? [], 1)
    }).pipe(Effect.provide(layer))
  )

  it.live("an edit rewrites the message's block; an edit of an unknown message is left to the caller", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "teh plan"), member(2, "stays"))
      const edit = (one: UnitMember, update: number) =>
        NoteCreation.use((notes) =>
          notes.edit({ user, updateId: UpdateId.make(update), message: one.message })
        )
      assert.isTrue(yield* edit(member(1, "the plan"), 10))
      const text = yield* textOf(outcome!.note.path)
      assert.include(text, "the plan")
      assert.notInclude(text.split("---\n").slice(2).join(""), "\nteh plan")
      assert.include(text, "stays")
      assert.isFalse(yield* edit(member(99, "who?"), 11))
    }).pipe(Effect.provide(layer))
  )

  it.live("photos are stored by content and shown in the note", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      yield* recorder.provideFile("p", new Uint8Array([1, 2, 3]))
      const [outcome] = yield* create(member(1, "look", { attachments: [photo("p")] }))
      const path = /!\[.*\]\(\.\.\/\.\.\/\.\.\/(media\/.*\.jpg)\)/.exec(
        yield* textOf(outcome!.note.path)
      )?.[1]
      assert.isDefined(path)
      const bytes = yield* KnowledgeBase.use((knowledge) => knowledge.read(key, path!))
      assert.deepStrictEqual([...bytes], [1, 2, 3])
    }).pipe(Effect.provide(layer))
  )

  it.live("a file that cannot be fetched now is in the note as soon as it can be", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      const down = Effect.fail(new Unavailable({ method: "getFile", reason: "down" }))
      yield* recorder.before("download", down)
      const [outcome] = yield* create(member(1, "look", { attachments: [photo("p")] }))
      assert.notInclude(yield* textOf(outcome!.note.path), "media/")
      yield* recorder.provideFile("p", new Uint8Array([1, 2, 3]))
      yield* recorder.before("download", Effect.void)
      const amended = Effect.map(textOf(outcome!.note.path), (text) => text.includes("media/"))
      yield* amended.pipe(
        Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("100 millis") }),
        Effect.timeout("20 seconds")
      )
      const note = yield* KnowledgeBase.use((knowledge) =>
        knowledge.noteOfMessage(key, ChatId.make(1), MessageId.make(1))
      )
      assert.isTrue(Option.isSome(note))
    }).pipe(Effect.provide(layer))
  )
})
