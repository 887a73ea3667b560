/** Putting messages into a note that exists: what of the file, the log and the rows changes. */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { BlobHash } from "../domain/Ids.ts"
import { FileChange, type NoteMedia, type NoteMember, type Revision } from "../domain/Note.ts"
import type { Blobs } from "./Blobs.ts"
import {
  amend,
  bodyText,
  byTime,
  cleanMember,
  cleanTags,
  nameAfter,
  render,
  sameMessage
} from "./NoteFile.ts"
import { notePaths, numberedPaths } from "./NotePath.ts"
import { freePath, membersOf, placeNote, type StoredNote, saveMembers, updateNote } from "./NoteRows.ts"
import type { KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"
import { decoded } from "./Rows.ts"

export interface NoteChange {
  readonly members: ReadonlyArray<NoteMember>
  readonly media: ReadonlyArray<NoteMedia>
  readonly tags: ReadonlyArray<string>
  /** Unix milliseconds */
  readonly updated: number
}

const ContentRow = Schema.Struct({ blob: BlobHash, mode: FileChange.fields.mode })
const PathRow = Schema.Struct({ path: Schema.String })

/** What the file holds; of a removed note what it held last. */
const contentOf = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey, note: StoredNote) =>
  Effect.map(
    decoded(ContentRow)(
      note.removed
        ? sql`
          SELECT previous AS blob, previous_mode AS mode FROM revision_files
          WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND number = ${note.revision}::bigint
            AND path = ${note.path} AND previous IS NOT NULL`
        : sql`
          SELECT blob, mode FROM files
          WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND path = ${note.path}`
    ),
    (rows) => rows[0]
  )

/** The note's own path when it is free, else the nearest to it that is. */
const placeFor = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  note: StoredNote
) {
  const near = yield* freePath(sql, key, numberedPaths(note.path, note.id))
  if (near !== undefined) return near
  for (let folder = 1; ; folder++) {
    const path = yield* freePath(sql, key, notePaths(note, folder))
    if (path !== undefined) return path
  }
})

const missingMedia = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  media: ReadonlyArray<NoteMedia>
) {
  if (media.length === 0) return []
  const present = yield* decoded(PathRow)(sql`
    SELECT path FROM files WHERE tenant_id = ${key.tenant} AND kb = ${key.name}
      AND path = ANY(${media.map((one) => one.path)}::text[])`)
  return media.filter((one) => present.every(({ path }) => path !== one.path))
})

/**
 * The note afterwards; itself when there was nothing to do. Under the head lock, for it reads what it writes.
 * A note without a file of its own (removed, or made a symbolic link by a person) gets one again.
 */
export const amendNote = Effect.fnUntraced(function* (
  services: { readonly blobs: Blobs["Service"]; readonly log: RevisionLog["Service"] },
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  note: StoredNote,
  change: NoteChange,
  revision: Omit<Revision, "number" | "files">
) {
  const tags = cleanTags(change.tags)
  const known = (yield* membersOf(sql, key, note.id)).toSorted(byTime)
  const content = yield* contentOf(sql, key, note)
  const usable = content !== undefined && content.mode !== "120000"
  const stored = usable
    ? (yield* services.blobs.get(key.tenant, [content.blob])).get(content.blob)
    : undefined
  const source = { messages: known.map((member) => member.messageId) }
  const file = stored ?? render({ ...note, source, members: known, media: [] })

  const amended = amend(file, known, {
    members: change.members.map(cleanMember),
    tags,
    updated: change.updated
  })
  const media = amended === undefined && note.removed ? [] : yield* missingMedia(sql, key, change.media)
  if (amended === undefined && media.length === 0) return note
  const after = amended?.file ?? file

  const anew = note.removed || !usable
  const rewritten = anew || Buffer.compare(after, file) !== 0
  const path = anew ? yield* placeFor(sql, key, note) : note.path
  const blob = rewritten ? yield* services.blobs.put(key.tenant, after) : undefined
  const files: ReadonlyArray<FileChange> = [
    ...(blob === undefined ? [] : [{ path, blob, mode: usable ? content.mode : ("100644" as const) }]),
    ...media.map((one) => ({ path: one.path, blob: one.blob, mode: "100644" as const }))
  ]
  const number = files.length === 0 ? note.revision : yield* services.log.append(key, { ...revision, files })

  const isKnown = (member: NoteMember) => known.some((one) => sameMessage(one, member))
  const members = amended?.members ?? []
  yield* saveMembers(sql, key, note.id, {
    added: members.filter((member) => !isKnown(member)),
    edited: members.filter(isKnown)
  })
  if (!rewritten) {
    yield* placeNote(sql, key, note.id, { path: note.path, number })
    return { ...note, revision: number }
  }
  const result: StoredNote = {
    ...nameAfter({ ...note, tags: cleanTags([...note.tags, ...tags]) }, after),
    path,
    updated: change.updated,
    revision: number,
    removed: false
  }
  yield* updateNote(sql, key, result, bodyText(after))
  return result
})
