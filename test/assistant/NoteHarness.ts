/** What the tests of notes made of messages share: the services on a real database, messages, and their files. */
import { Context, Effect, Layer, Schedule } from "effect"
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
import { AccountFiles } from "../../src/session/AccountFiles.ts"
import { HandledUpdates } from "../../src/store/HandledUpdates.ts"
import { BotPort, BotRecorder, Unavailable } from "../../src/telegram/BotPort.ts"
import { Callbacks } from "../../src/telegram/Callbacks.ts"
import { Outbox, type OutboxEntry } from "../../src/telegram/Outbox.ts"
import { TestDatabase } from "../support/Postgres.ts"

export const key = { tenant: defaultTenant, name: defaultKnowledgeBase }
export const user: NoteUser = {
  tenant: defaultTenant,
  app: defaultApp,
  botId: BotId.make(7),
  language: "en",
  author: { name: "Ann", email: "1@telegram.invalid" },
  knowledgeBase: key
}

export const member = (
  id: number,
  text: string,
  extra: {
    readonly albumId?: string
    readonly attachments?: ReadonlyArray<Attachment>
    readonly editDate?: number
  } = {}
): UnitMember => ({
  updateId: UpdateId.make(id),
  message: new IncomingMessage({
    messageId: MessageId.make(id),
    chat: { id: ChatId.make(1), kind: "private" },
    sender: { id: 1, kind: "user", name: "Ann" },
    date: 1_800_000_000 + id,
    text: plain(text),
    attachments: extra.attachments ?? [],
    ...(extra.albumId === undefined ? {} : { albumId: extra.albumId }),
    ...(extra.editDate === undefined ? {} : { editDate: extra.editDate })
  })
})

export const photo = (name: string, size = 3): Attachment => ({
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
      shown: () => Effect.succeed([]),
      dispatch: () => Effect.never,
      purge: () => Effect.succeed(0)
    })
  )
)

export const layer = NoteCreation.layer.pipe(
  Layer.provide(MediaRetry.layer),
  Layer.provide(Media.layer),
  Layer.provide(AccountFiles.layerNone),
  Layer.provide(WorkflowEngine.layerMemory),
  Layer.provideMerge(outbox),
  Layer.provideMerge(Announced.layer),
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(Layer.mergeAll(Callbacks.layer, HandledUpdates.layer, KnowledgeBase.layer)),
  Layer.provideMerge(RevisionLog.layer),
  Layer.provideMerge(Blobs.layer),
  Layer.provideMerge(TestDatabase.layer)
)

export const create = (first: UnitMember, ...rest: ReadonlyArray<UnitMember>) =>
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
          return { grants: [], entries: () => [] }
        }
      })
    )
    return seen
  })

export const textOf = (path: string) =>
  KnowledgeBase.use((knowledge) => knowledge.read(key, path)).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes))
  )

export const edit = (one: UnitMember, update: number) =>
  NoteCreation.use((notes) => notes.edit({ user, updateId: UpdateId.make(update), message: one.message }))

/** Waits until the file says it. */
export const saying = (path: string, part: string) =>
  textOf(path).pipe(
    Effect.repeat({ until: (text) => text.includes(part), schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("45 seconds")
  )

export const undo = (outcome: NoteOutcome) =>
  KnowledgeBase.use((knowledge) =>
    knowledge.undo(key, outcome.note.revision, { author: user.author, date: 1, message: "Undo" })
  )

export const count = KnowledgeBase.use((knowledge) => knowledge.count(key))

export const goesDown = Effect.gen(function* () {
  const down = Effect.fail(new Unavailable({ method: "getFile", reason: "down" }))
  yield* (yield* BotRecorder).before("download", down)
})
export const comesUp = Effect.gen(function* () {
  const recorder = yield* BotRecorder
  yield* recorder.provideFile("p", new Uint8Array([1, 2, 3]))
  yield* recorder.provideFile("q", new Uint8Array([4, 5, 6]))
  yield* recorder.before("download", Effect.void)
})
