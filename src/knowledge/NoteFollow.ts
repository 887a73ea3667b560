/**
 * Notes follow their files: when a person's commit or an undo moves, removes, brings back or retitles the
 * file of a note, the note's row goes with it.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { BlobHash, NoteId, type RevisionNumber } from "../domain/Ids.ts"
import { idIn, split } from "./FrontMatter.ts"
import { bodyText, nameAfter } from "./NoteFile.ts"
import { markRemoved, type StoredNote, updateNote } from "./NoteRows.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"
import { decoded } from "./Rows.ts"

/** One file of the revision: what it held before, what it holds now, and the note its front matter names. */
export interface FollowedFile {
  readonly path: string
  readonly previous: BlobHash | null
  readonly blob: BlobHash | null
  readonly id: NoteId | undefined
}

/** A note that may be concerned. `last` is the content its file had when it was removed. */
export interface FollowedNote {
  readonly id: NoteId
  readonly path: string
  readonly removed: boolean
  readonly last: BlobHash | null
}

/**
 * Where each note is after the revision: a path, undefined when its file is gone. Notes the revision does not
 * concern are left out. A file belongs to the note its front matter names; without one, to the note that was
 * there; a copy is no move, for the original is still in its place.
 */
export const decide = (
  files: ReadonlyArray<FollowedFile>,
  notes: ReadonlyArray<FollowedNote>
): ReadonlyMap<NoteId, string | undefined> => {
  const at = new Map(files.map((file) => [file.path, file]))
  const present = files.filter((file) => file.blob !== null)
  const ids = new Set(notes.map((note) => note.id))
  const result = new Map<NoteId, string | undefined>()

  const named = (note: FollowedNote): string | undefined =>
    at.get(note.path)?.blob != null && at.get(note.path)?.id === note.id
      ? note.path
      : present.find((file) => file.id === note.id)?.path

  const renamed = (content: BlobHash | null): string | undefined => {
    const same = present.filter((file) => file.previous === null && file.blob === content)
    return same.length === 1 && same[0]?.id === undefined ? same[0]?.path : undefined
  }

  for (const note of notes) {
    const file = at.get(note.path)
    if (note.removed) {
      const back = file?.blob != null && file.blob === note.last ? note.path : undefined
      const path = named(note) ?? back
      if (path !== undefined) result.set(note.id, path)
    } else if (file?.blob === null) {
      result.set(note.id, named(note) ?? renamed(file.previous))
    } else if (file !== undefined) {
      const taken = file.id !== undefined && file.id !== note.id && ids.has(file.id)
      result.set(note.id, named(note) ?? (taken ? undefined : note.path))
    }
  }
  // Another note's file may have been put over this one's: two notes never share a file.
  const owners = new Map<string, NoteId>()
  for (const note of notes) {
    const path = result.get(note.id)
    if (path === undefined) continue
    const owner = owners.get(path)
    if (owner === undefined) owners.set(path, note.id)
    else result.set(at.get(path)?.id === note.id ? owner : note.id, undefined)
  }
  return result
}

const FileRow = Schema.Struct({
  path: Schema.String,
  previous: Schema.NullOr(BlobHash),
  blob: Schema.NullOr(BlobHash),
  beginning: Schema.NullOr(Schema.Uint8Array)
})

const NoteRow = Schema.Struct({
  id: NoteId,
  path: Schema.String,
  title: Schema.String,
  category: Schema.String,
  tags: Schema.Array(Schema.String),
  removed: Schema.Boolean,
  last: Schema.NullOr(BlobHash)
})

const ContentRow = Schema.Struct({ hash: BlobHash, bytes: Schema.Uint8Array })

/** Longer notes are a person's own work; their beginning says which note they are. */
const readable = 4 * 1024 * 1024

/** The id of the note a file begins with, when it is text. */
const idOf = (beginning: Uint8Array): NoteId | undefined => {
  const text = new TextDecoder().decode(beginning)
  const { yaml } = split(text.includes("\n---") ? text.replaceAll("\r\n", "\n") : `${text}\n---\n`)
  return idIn(yaml)
}

/** Runs after the revision's files are in place, in its transaction. */
export const follow = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  revision: { readonly number: RevisionNumber; readonly date: number }
) {
  const rows = yield* decoded(FileRow)(sql`
    SELECT r.path, r.previous, r.blob,
      CASE WHEN r.path LIKE '%.md' THEN substring(b.bytes FROM 1 FOR 4096) END AS beginning
    FROM revision_files r LEFT JOIN blobs b ON b.tenant_id = r.tenant_id AND b.hash = r.blob
    WHERE r.tenant_id = ${key.tenant} AND r.kb = ${key.name} AND r.number = ${revision.number}::bigint`)
  const files = rows.map(
    (row): FollowedFile => ({
      path: row.path,
      previous: row.previous,
      blob: row.blob,
      id: row.beginning === null ? undefined : idOf(row.beginning)
    })
  )
  const ids = files.flatMap((file) => (file.id === undefined ? [] : [file.id]))
  const notes = yield* decoded(NoteRow)(sql`
    SELECT n.note_id AS id, n.path, n.title, n.category, n.tags, n.removed, r.previous AS last
    FROM notes n LEFT JOIN revision_files r
      ON r.tenant_id = n.tenant_id AND r.kb = n.kb AND r.number = n.number AND r.path = n.path AND n.removed
    WHERE n.tenant_id = ${key.tenant} AND n.kb = ${key.name}
      AND (n.path = ANY(${files.map((file) => file.path)}::text[]) OR n.note_id = ANY(${ids}::text[]))
    ORDER BY n.note_id`)
  const places = decide(files, notes)
  const gone = [...places].flatMap(([id, path]) => (path === undefined ? [id] : []))
  const kept = notes.filter((note) => places.get(note.id) !== undefined)
  if (gone.length > 0) yield* markRemoved(sql, key, gone, revision.number)
  if (kept.length === 0) return

  const blobOf = new Map(files.map((file) => [file.path, file.blob]))
  for (const note of kept) {
    const path = places.get(note.id)!
    const [content] = yield* decoded(ContentRow)(sql`
      SELECT hash, substring(bytes FROM 1 FOR ${readable}) AS bytes FROM blobs
      WHERE tenant_id = ${key.tenant} AND hash = ${blobOf.get(path) ?? ""}`)
    const bytes = content?.bytes ?? new Uint8Array()
    const after: Omit<StoredNote, "created"> = {
      ...nameAfter(note, bytes),
      path,
      updated: revision.date,
      revision: revision.number,
      removed: false
    }
    yield* updateNote(sql, key, after, bodyText(bytes))
  }
})
