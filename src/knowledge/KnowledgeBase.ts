/**
 * Notes as files on the revision log. Every method joins the caller's transaction, so that a note and
 * everything that announces it are durable together or not at all.
 */
import { Context, Effect, Layer, type Option, type Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { BotId, ChatId, MessageId, NoteId, RevisionNumber } from "../domain/Ids.ts"
import type { Author, NoteDraft, NoteMedia, NoteMember, NoteSummary, Revision } from "../domain/Note.ts"
import type { TenantScope } from "../store/TenantScope.ts"
import type { Blobs } from "./Blobs.ts"
import type {
  FileUnknown,
  NoteUnknown,
  PathRefused,
  RevisionUnknown,
  UndoConflict
} from "./KnowledgeErrors.ts"
import { makeReading } from "./NoteReading.ts"
import { makeWriting } from "./NoteWriting.ts"
import { type KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"

export * from "./KnowledgeErrors.ts"

/** Who wrote it, when (Unix milliseconds) and the commit message. */
export interface RevisionMeta {
  readonly author: Author
  readonly date: number
  readonly message: string
}

export interface NewNote {
  readonly draft: NoteDraft
  readonly meta: RevisionMeta
}

export class KnowledgeBase extends Context.Service<
  KnowledgeBase,
  {
    /**
     * Writes a new note at `topics/<category>/YYYY-MM/<DD>-<slug>.md`, `-2`, `-3`, … when that is taken. Title,
     * category and tags come back as they were made harmless. A media path must be one `mediaPath` could give.
     */
    readonly write: (
      key: KnowledgeBaseKey,
      draft: NoteDraft,
      meta: RevisionMeta
    ) => Effect.Effect<NoteSummary, SqlError.SqlError>
    /** As `write`, for several notes in order, which become durable together. */
    readonly writeAll: (
      key: KnowledgeBaseKey,
      notes: ReadonlyArray<NewNote>
    ) => Effect.Effect<ReadonlyArray<NoteSummary>, SqlError.SqlError>
    /**
     * Puts members into an existing note: one whose message the note already holds replaces its own block
     * in the file as it is now, a new one is added at its place by (date, message id). What people changed
     * in the file stays; a block they rewrote is kept and the new text is added at the end, marked as an edit.
     * A message older than its text in the note changes nothing but adds its media. A note that was removed
     * stays so (`NoteUnknown`). No revision when the file holds it all already.
     */
    readonly amend: (
      key: KnowledgeBaseKey,
      id: NoteId,
      change: {
        readonly members: ReadonlyArray<NoteMember>
        readonly media: ReadonlyArray<NoteMedia>
        readonly tags: ReadonlyArray<string>
        /** Unix milliseconds */
        readonly updated: number
      },
      meta: RevisionMeta & { readonly kind: "amend" | "edit" }
    ) => Effect.Effect<NoteSummary, NoteUnknown | SqlError.SqlError>
    readonly note: (
      key: KnowledgeBaseKey,
      id: NoteId
    ) => Effect.Effect<NoteSummary, NoteUnknown | SqlError.SqlError>
    /**
     * The note that holds a message, also when it was removed. `bot` tells private chats apart where several
     * bots write into one knowledge base.
     */
    readonly noteOfMessage: (
      key: KnowledgeBaseKey,
      chat: ChatId,
      message: MessageId,
      bot?: BotId
    ) => Effect.Effect<Option.Option<NoteSummary>, SqlError.SqlError>
    /** The note that holds messages of an album and was not removed. */
    readonly noteOfAlbum: (
      key: KnowledgeBaseKey,
      chat: ChatId,
      albumId: string,
      bot?: BotId
    ) => Effect.Effect<Option.Option<NoteSummary>, SqlError.SqlError>
    /**
     * Whom to tell about a file: the private chat its note came from, else the one the latest note came from.
     * `None`: nobody wrote to this knowledge base in private.
     */
    readonly correspondent: (
      key: KnowledgeBaseKey,
      path: string
    ) => Effect.Effect<Option.Option<{ readonly botId: BotId; readonly chat: ChatId }>, SqlError.SqlError>
    /** How many notes there are. */
    readonly count: (key: KnowledgeBaseKey) => Effect.Effect<number, SqlError.SqlError>
    /** Newest first. */
    readonly recent: (
      key: KnowledgeBaseKey,
      limit: number
    ) => Effect.Effect<ReadonlyArray<NoteSummary>, SqlError.SqlError>
    readonly read: (
      key: KnowledgeBaseKey,
      path: string
    ) => Effect.Effect<Uint8Array, FileUnknown | SqlError.SqlError>
    readonly move: (
      key: KnowledgeBaseKey,
      id: NoteId,
      to: string,
      meta: RevisionMeta
    ) => Effect.Effect<NoteSummary, NoteUnknown | PathRefused | SqlError.SqlError>
    readonly remove: (
      key: KnowledgeBaseKey,
      id: NoteId,
      meta: RevisionMeta
    ) => Effect.Effect<RevisionNumber, NoteUnknown | SqlError.SqlError>
    /**
     * Restores the files a revision touched, as a new revision; with `force` also where later ones touched
     * them. Media stay. When nothing is left to restore, the revision that last touched the files is returned.
     */
    readonly undo: (
      key: KnowledgeBaseKey,
      number: RevisionNumber,
      meta: RevisionMeta,
      options?: { readonly force: boolean }
    ) => Effect.Effect<Revision, RevisionUnknown | UndoConflict | SqlError.SqlError>
    /** Newest first; with `path`, the revisions that touched it. */
    readonly history: (
      key: KnowledgeBaseKey,
      options: { readonly path?: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Revision>, SqlError.SqlError>
    /** Notes whose title, category, tags or text hold every word of the query (Russian or English), best first. */
    readonly search: (
      key: KnowledgeBaseKey,
      query: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<NoteSummary>, SqlError.SqlError>
    readonly changes: Stream.Stream<KnowledgeBaseKey>
  }
>()("zapiska/knowledge/KnowledgeBase") {
  static readonly layer: Layer.Layer<KnowledgeBase, never, TenantScope | Blobs | RevisionLog> = Layer.effect(
    KnowledgeBase,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const { changes } = yield* RevisionLog
  return KnowledgeBase.of({ ...(yield* makeReading), ...(yield* makeWriting), changes })
})
