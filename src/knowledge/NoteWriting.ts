/** The knowledge base as it is changed: each change is one revision of the log, together with the rows of its notes. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { NoteId } from "../domain/Ids.ts"
import type { NoteMedia } from "../domain/Note.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { amendNote } from "./Amending.ts"
import { Blobs } from "./Blobs.ts"
import type { KnowledgeBase, NewNote, RevisionMeta } from "./KnowledgeBase.ts"
import { NoteUnknown, PathRefused, RevisionUnknown, UndoConflict } from "./KnowledgeErrors.ts"
import { cleanDraft, cleanText, render } from "./NoteFile.ts"
import { pathProblem } from "./NotePath.ts"
import * as NoteRows from "./NoteRows.ts"
import { type KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"
import { revisions, takeNumbers } from "./Rows.ts"
import * as Undo from "./Undo.ts"

type Writing = Pick<KnowledgeBase["Service"], "write" | "writeAll" | "amend" | "move" | "remove" | "undo">

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

export const makeWriting = Effect.gen(function* () {
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

  const writing: Writing = {
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
    })
  }
  return writing
})
