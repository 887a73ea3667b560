/**
 * Notes as files on the revision log. Every method joins the caller's transaction, so that a note and
 * everything that announces it are durable together or not at all.
 */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"
import type { SqlError } from "effect/sql"
import { type ChatId, type MessageId, NoteId, RevisionNumber } from "../domain/Ids.ts"
import type { Author, NoteDraft, NoteMedia, NoteMember, NoteSummary, Revision } from "../domain/Note.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"

export class NoteUnknown extends Schema.TaggedError<NoteUnknown>()("NoteUnknown", { id: NoteId }) {
  override get message() {
    return `There is no note ${this.id}; it may have been removed`
  }
}
export class FileUnknown extends Schema.TaggedError<FileUnknown>()("FileUnknown", { path: Schema.String }) {
  override get message() {
    return `There is no file ${JSON.stringify(this.path)} in this knowledge base`
  }
}
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${JSON.stringify(this.path)} cannot be the path of a note: ${this.reason}`
  }
}
export class RevisionUnknown extends Schema.TaggedError<RevisionUnknown>()("RevisionUnknown", {
  number: RevisionNumber
}) {
  override get message() {
    return `There is no revision ${this.number} to undo`
  }
}
/** A later revision touched the same files; undoing would take that back too. */
export class UndoConflict extends Schema.TaggedError<UndoConflict>()("UndoConflict", {
  number: RevisionNumber,
  later: Schema.Array(Schema.Struct({ number: RevisionNumber, message: Schema.String, path: Schema.String }))
}) {
  override get message() {
    return `Revision ${this.number} was followed by changes to the same files: ${this.later
      .map((one) => `${one.number} (${one.message})`)
      .join(", ")}`
  }
}

/** Who wrote it, when (Unix milliseconds) and the commit message. */
export interface RevisionMeta {
  readonly author: Author
  readonly date: number
  readonly message: string
}

export class KnowledgeBase extends Context.Service<
  KnowledgeBase,
  {
    /** Writes a new note at `topics/<category>/YYYY-MM/<DD>-<slug>.md`, `-2`, `-3`, … when that is taken. */
    readonly write: (
      key: KnowledgeBaseKey,
      draft: NoteDraft,
      meta: RevisionMeta
    ) => Effect.Effect<NoteSummary, SqlError.SqlError>
    /**
     * Puts members into an existing note: one whose message the note already holds replaces its own block
     * in the file as it is now, a new one is added at its place by (date, message id). What people changed
     * in the file stays; a block they rewrote is kept and the new text is added below it, marked as an edit.
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
    readonly noteOfMessage: (
      key: KnowledgeBaseKey,
      chat: ChatId,
      message: MessageId
    ) => Effect.Effect<Option.Option<NoteSummary>, SqlError.SqlError>
    readonly noteOfAlbum: (
      key: KnowledgeBaseKey,
      chat: ChatId,
      albumId: string
    ) => Effect.Effect<Option.Option<NoteSummary>, SqlError.SqlError>
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
    /** Restores the files a revision touched, as a new revision. `force` also where later ones touched them. */
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
    /** Notes whose title, tags or text hold every word of the query, best first. */
    readonly search: (
      key: KnowledgeBaseKey,
      query: string,
      limit: number
    ) => Effect.Effect<ReadonlyArray<NoteSummary>, SqlError.SqlError>
    readonly changes: Stream.Stream<KnowledgeBaseKey>
  }
>()("zapiska/knowledge/KnowledgeBase") {}
