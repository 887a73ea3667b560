/**
 * Notes as files on the revision log. Every method joins the caller's transaction, so that a note and
 * everything that announces it are durable together or not at all.
 */
import { Context, Effect, Layer, Option, Schema, type Stream } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { type BotId, type ChatId, type MessageId, NoteId, RevisionNumber } from "../domain/Ids.ts"
import type { Author, NoteDraft, NoteMedia, NoteMember, NoteSummary, Revision } from "../domain/Note.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { amendNote } from "./Amending.ts"
import { Blobs } from "./Blobs.ts"
import { cleanDraft, cleanText, render } from "./NoteFile.ts"
import { pathProblem } from "./NotePath.ts"
import * as NoteRows from "./NoteRows.ts"
import { type KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"
import { isStorable, revisions, takeNumbers } from "./Rows.ts"
import * as Search from "./Search.ts"
import * as Undo from "./Undo.ts"

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

const problemOfMedia = (media: ReadonlyArray<NoteMedia>): string | undefined => {
  for (const { path } of media) {
    const problem = path.startsWith("media/") ? pathProblem(path) : "it is not below media/"
    if (problem !== undefined) return `a media path was refused: ${problem}`
  }
  return undefined
}

/** What a revision says of itself, as it can be stored. */
const said = (meta: RevisionMeta) => ({
  author: { name: cleanText(meta.author.name), email: cleanText(meta.author.email) },
  date: meta.date,
  message: cleanText(meta.message)
})

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const blobs = yield* Blobs
  const log = yield* RevisionLog

  /** Runs `body` with the note as it is once nobody else can change it. */
  const withNote = <A, E>(
    key: KnowledgeBaseKey,
    id: NoteId,
    body: (sql: SqlClient.SqlClient, note: NoteRows.StoredNote) => Effect.Effect<A, E>
  ) =>
    scope.transaction(key.tenant, (sql) =>
      Effect.gen(function* () {
        yield* log.lockHead(key)
        const note = yield* NoteRows.noteById(sql, key, id)
        if (note === undefined) return yield* new NoteUnknown({ id })
        return yield* body(sql, note)
      })
    )

  const present = (note: NoteRows.StoredNote) =>
    note.removed ? Effect.fail(new NoteUnknown({ id: note.id })) : Effect.succeed(note)

  const ofMember = (
    key: KnowledgeBaseKey,
    condition: (sql: SqlClient.SqlClient) => Statement.Fragment,
    bot: BotId | undefined,
    which: "present" | "any"
  ) =>
    scope.transaction(key.tenant, (sql) =>
      Effect.map(
        NoteRows.noteWithMember(
          sql,
          key,
          sql`${condition(sql)} AND ${bot === undefined ? sql`true` : sql`m.bot_id = ${bot}::bigint`}`,
          which === "present" ? sql`NOT n.removed` : sql`true`
        ),
        (note) => Option.map(Option.fromUndefinedOr(note), NoteRows.summaryOf)
      )
    )

  const writeAll = Effect.fnUntraced(function* (key: KnowledgeBaseKey, added: ReadonlyArray<NewNote>) {
    const problem = problemOfMedia(added.flatMap(({ draft }) => draft.media))
    if (problem !== undefined) return yield* Effect.die(new Error(problem))
    const drafts = added.map(({ draft }) => cleanDraft(draft))
    return yield* scope.transaction(key.tenant, (sql) =>
      Effect.gen(function* () {
        // The numbers lock the head, so what needs no lock comes before them.
        const texts = yield* blobs.putAll(key.tenant, drafts.map(render))
        const numbers = yield* takeNumbers(sql, key, added.length)
        return yield* Effect.forEach(added, ({ meta }, index) =>
          Effect.gen(function* () {
            const draft = drafts[index]!
            const revision = numbers[index]!
            const path = yield* NoteRows.insertNote(sql, key, {
              draft,
              blob: texts[index]!,
              revision: { ...said(meta), kind: "note", number: revision }
            })
            const { id, title, category, tags, created, updated } = draft
            return { id, path, title, category, tags, created, updated, revision }
          })
        )
      })
    )
  })

  return KnowledgeBase.of({
    write: Effect.fn("KnowledgeBase.write")((key, draft, meta) =>
      Effect.map(writeAll(key, [{ draft, meta }]), ([note]) => note!)
    ),

    writeAll: Effect.fn("KnowledgeBase.writeAll")(writeAll),

    amend: Effect.fn("KnowledgeBase.amend")(function* (key, id, change, meta) {
      const problem = problemOfMedia(change.media)
      if (problem !== undefined) return yield* Effect.die(new Error(problem))
      const revision = { ...said(meta), kind: meta.kind }
      return yield* withNote(key, id, (sql, stored) =>
        Effect.gen(function* () {
          const note = yield* present(stored)
          return NoteRows.summaryOf(yield* amendNote({ blobs, log }, sql, key, note, change, revision))
        })
      )
    }),

    note: Effect.fn("KnowledgeBase.note")(function* (key, id) {
      const note = yield* scope.transaction(key.tenant, (sql) => NoteRows.noteById(sql, key, id))
      if (note === undefined || note.removed) return yield* new NoteUnknown({ id })
      return NoteRows.summaryOf(note)
    }),

    noteOfMessage: Effect.fn("KnowledgeBase.noteOfMessage")((key, chat, message, bot) =>
      ofMember(
        key,
        (sql) => sql`m.chat_id = ${chat}::bigint AND m.message_id = ${message}::bigint`,
        bot,
        "any"
      )
    ),

    noteOfAlbum: Effect.fn("KnowledgeBase.noteOfAlbum")((key, chat, albumId, bot) =>
      ofMember(
        key,
        (sql) => sql`m.chat_id = ${chat}::bigint AND m.album_id = ${cleanText(albumId)}`,
        bot,
        "present"
      )
    ),

    correspondent: Effect.fn("KnowledgeBase.correspondent")((key, path) =>
      scope.transaction(key.tenant, (sql) =>
        Effect.map(NoteRows.correspondent(sql, key, path), Option.fromUndefinedOr)
      )
    ),

    count: Effect.fn("KnowledgeBase.count")((key) =>
      scope.transaction(key.tenant, (sql) => NoteRows.count(sql, key))
    ),

    recent: Effect.fn("KnowledgeBase.recent")(function* (key, limit) {
      const found = yield* scope.transaction(key.tenant, (sql) =>
        NoteRows.notes(
          sql,
          key,
          sql`NOT n.removed`,
          sql`ORDER BY n.created_ms DESC, n.number DESC, n.note_id LIMIT ${limit}`
        )
      )
      return found.map(NoteRows.summaryOf)
    }),

    read: Effect.fn("KnowledgeBase.read")((key, path) =>
      scope.transaction(key.tenant, () =>
        Effect.gen(function* () {
          const file = yield* log.file(key, path)
          const bytes = file && (yield* blobs.get(key.tenant, [file.blob])).get(file.blob)
          return bytes ?? (yield* new FileUnknown({ path }))
        })
      )
    ),

    move: Effect.fn("KnowledgeBase.move")(function* (key, id, to, meta) {
      const problem = to.endsWith(".md") ? pathProblem(to) : "a note's file name ends in .md"
      if (problem !== undefined) return yield* new PathRefused({ path: to, reason: problem })
      return yield* withNote(key, id, (sql, stored) =>
        Effect.gen(function* () {
          const note = yield* present(stored)
          if (to === note.path) return NoteRows.summaryOf(note)
          const onlyCase = to.toLowerCase() === note.path.toLowerCase()
          if (!onlyCase && (yield* NoteRows.freePath(sql, key, [to])) === undefined)
            return yield* new PathRefused({ path: to, reason: "it is taken" })
          const file = yield* log.file(key, note.path)
          if (file === undefined) return yield* Effect.die(new Error(`note ${id} has no file`))
          const files = [
            { ...file, blob: null },
            { ...file, path: to }
          ]
          const revision = yield* log.append(key, { ...said(meta), kind: "move", files })
          yield* NoteRows.placeNote(sql, key, id, { path: to, number: revision })
          return { ...NoteRows.summaryOf(note), path: to, revision }
        })
      )
    }),

    remove: Effect.fn("KnowledgeBase.remove")(function* (key, id, meta) {
      return yield* withNote(key, id, (sql, stored) =>
        Effect.gen(function* () {
          const note = yield* present(stored)
          const files = [{ path: note.path, blob: null, mode: "100644" as const }]
          const number = yield* log.append(key, { ...said(meta), kind: "remove", files })
          yield* NoteRows.markRemoved(sql, key, [id], number)
          return number
        })
      )
    }),

    undo: Effect.fn("KnowledgeBase.undo")(function* (key, number, meta, options) {
      return yield* scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          yield* log.lockHead(key)
          const undone = yield* Undo.load(sql, key, number)
          if (undone === undefined) return yield* new RevisionUnknown({ number })
          if (undone.contested.length > 0 && options?.force !== true) {
            const later = yield* Undo.laterChanges(sql, key, number, undone.contested)
            return yield* new UndoConflict({ number, later })
          }
          if (undone.changes.length > 0) {
            const revision = { ...said(meta), kind: "undo" as const, files: undone.changes }
            return { ...revision, number: yield* log.append(key, revision) }
          }
          const last = (yield* Undo.laterChanges(sql, key, number, undone.paths)).at(-1)?.number ?? number
          const [revision] = yield* revisions(sql, key, {
            condition: sql`r.number = ${last}::bigint`,
            order: "newest first",
            limit: 1
          })
          return revision ?? (yield* new RevisionUnknown({ number }))
        })
      )
    }),

    history: Effect.fn("KnowledgeBase.history")(function* (key, { path, limit }) {
      if (path !== undefined && !isStorable(path)) return []
      return yield* scope.transaction(key.tenant, (sql) =>
        revisions(sql, key, {
          condition:
            path === undefined
              ? sql`true`
              : sql`r.number IN (SELECT f.number FROM revision_files f
                  WHERE f.tenant_id = ${key.tenant} AND f.kb = ${key.name} AND f.path = ${path})`,
          order: "newest first",
          limit
        })
      )
    }),

    search: Effect.fn("KnowledgeBase.search")(function* (key, query, limit) {
      const found = yield* scope.transaction(key.tenant, (sql) => Search.search(sql, key, query, limit))
      return found.map(NoteRows.summaryOf)
    }),

    changes: log.changes
  })
})
