/**
 * Files that were not there when their note was written: fetched again and again, over restarts, until the
 * note has them or Telegram will never give them.
 */
import { Cause, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Activity, DurableClock, Workflow, WorkflowEngine } from "effect/workflow"
import { AppId, BotId, KnowledgeBaseName, TenantId } from "../domain/Ids.ts"
import { languages } from "../domain/Language.ts"
import { Author, UnitMember } from "../domain/Note.ts"
import { KnowledgeBase } from "../knowledge/KnowledgeBase.ts"
import type { NoteFiles } from "./AttachmentText.ts"
import { filesOf, Media } from "./Media.ts"
import type { NoteUser } from "./NoteCreation.ts"
import { noteMediaOf, noteMemberOf } from "./UnitDraft.ts"

const FetchMedia = Workflow.make("FetchMedia", {
  payload: {
    tenant: TenantId,
    app: AppId,
    botId: BotId,
    knowledgeBase: KnowledgeBaseName,
    language: Schema.Literals(languages),
    author: Author,
    member: UnitMember
  },
  idempotencyKey: ({ botId, member }) =>
    `${botId}/${member.message.chat.id}/${member.message.messageId}/${member.updateId}`
})
type Wanted = (typeof FetchMedia)["payloadSchema"]["Type"]

/** Waits between attempts, in seconds: a file id of Telegram stays good, its download address for an hour. */
const waits = [5, 15, 60, 300, 900, 3600, 10_800, 43_200, 86_400]
/** One attempt's share of a download of 20 MB. */
const patience = Duration.minutes(2)

export class MediaRetry extends Context.Service<
  MediaRetry,
  {
    /** Durable once it returns, when any file of the message is still pending. */
    readonly ifPending: (user: NoteUser, member: UnitMember, files: NoteFiles) => Effect.Effect<void>
  }
>()("zapiska/assistant/MediaRetry") {
  static readonly layer: Layer.Layer<
    MediaRetry,
    never,
    KnowledgeBase | Media | WorkflowEngine.WorkflowEngine
  > = Layer.effect(
    MediaRetry,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(Layer.suspend(() => workflow)))
}

const isPending = (files: NoteFiles) => (file: { readonly fileUniqueId: string }) =>
  (files.get(file.fileUniqueId)?._tag ?? "Pending") === "Pending"

const make = Effect.gen(function* () {
  const engine = yield* WorkflowEngine.WorkflowEngine
  return MediaRetry.of({
    ifPending: Effect.fn("MediaRetry.ifPending")(function* (user, member, files) {
      if (!filesOf(member.message).some(({ file }) => isPending(files)(file))) return
      const { tenant, app, botId, language, author } = user
      yield* FetchMedia.execute(
        { tenant, app, botId, language, author, member, knowledgeBase: user.knowledgeBase.name },
        { discard: true }
      ).pipe(Effect.provideService(WorkflowEngine.WorkflowEngine, engine))
    })
  })
})

/**
 * Whether the note has everything it can get. Doing it twice changes nothing. An edit that came meanwhile stays:
 * the knowledge base keeps the newer text, and the edit brings its files itself. So does a note's removal.
 */
const attempt = Effect.fn("MediaRetry.attempt")(function* (wanted: Wanted, last: boolean) {
  const knowledge = yield* KnowledgeBase
  const media = yield* Media
  const { message } = wanted.member
  const key = { tenant: wanted.tenant, name: wanted.knowledgeBase }
  const note = Option.getOrUndefined(
    yield* knowledge.noteOfMessage(key, message.chat.id, message.messageId, wanted.botId)
  )
  if (note === undefined) return false
  const removed = yield* knowledge.note(key, note.id).pipe(
    Effect.as(false),
    Effect.catchTag("NoteUnknown", () => Effect.succeed(true))
  )
  if (removed) return true
  const found = yield* media.collect(wanted, [message], patience)
  const files: NoteFiles = new Map(
    [...found].map(([id, state]) =>
      last && state._tag === "Pending" ? [id, { _tag: "Refused", reason: "given up" }] : [id, state]
    )
  )
  if (filesOf(message).some(({ file }) => isPending(files)(file))) return false
  yield* knowledge
    .amend(
      key,
      note.id,
      {
        members: [
          noteMemberOf(wanted, wanted.member, files, { language: wanted.language, created: note.created })
        ],
        media: noteMediaOf([message], files),
        tags: [],
        updated: note.updated
      },
      { author: wanted.author, date: note.updated, message: `Add the files of ${note.title}`, kind: "amend" }
    )
    .pipe(Effect.catchTag("NoteUnknown", () => Effect.void))
  return true
})

const workflow: Layer.Layer<never, never, KnowledgeBase | Media | WorkflowEngine.WorkflowEngine> =
  FetchMedia.toLayer(
    Effect.fn(function* (wanted) {
      for (const [index, seconds] of waits.entries()) {
        yield* DurableClock.sleep({ name: `wait ${index}`, duration: Duration.seconds(seconds) })
        const done = yield* Activity.make({
          name: `attempt ${index}`,
          success: Schema.Boolean,
          execute: attempt(wanted, index === waits.length - 1).pipe(
            Effect.catchTag("SqlError", (error: SqlError.SqlError) =>
              Effect.as(
                Effect.logWarning("Adding files to a note failed and is tried again", Cause.fail(error)),
                false
              )
            )
          )
        })
        if (done) return
      }
    })
  )
