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
  sameMessage,
  withoutOutdated
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

const contentOf = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey, note: StoredNote) =>
  Effect.map(
    decoded(ContentRow)(
      sql`
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
 * A note that is not removed and yet has no file of its own (a person made it a symbolic link) gets one again.
 */
export const amendNote = Effect.fnUntraced(function* (
  services: { readonly blobs: Blobs["Service"]; readonly log: RevisionLog["Service"] },
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  note: StoredNote,
  change: NoteChange,
  revision: Omit<Revision, "number" | "files">
) {
  const known = (yield* membersOf(sql, key, note.id)).toSorted(byTime)
  const current = withoutOutdated(known, change.members.map(cleanMember))
  // The tags of a text that was replaced meanwhile are not the note's; its files may still be.
  const tags = current.length === 0 && change.members.length > 0 ? [] : cleanTags(change.tags)
  const content = yield* contentOf(sql, key, note)
  const usable = content !== undefined && content.mode !== "120000"
  const stored = usable
    ? (yield* services.blobs.get(key.tenant, [content.blob])).get(content.blob)
    : undefined
  const source = { messages: known.map((member) => member.messageId) }
  const file = stored ?? render({ ...note, source, members: known, media: [] })

  const amended = amend(file, known, {
    members: current,
    tags,
    updated: change.updated
  })
  const isKnown = (member: NoteMember) => known.some((one) => sameMessage(one, member))
  // Also those that say the same again: they are newer than what may still come.
  yield* saveMembers(sql, key, note.id, {
    added: current.filter((member) => !isKnown(member)),
    edited: current.filter(isKnown)
  })
  const media = yield* missingMedia(sql, key, change.media)
  if (amended === undefined && media.length === 0) return note
  const after = amended?.file ?? file

  const rewritten = !usable || Buffer.compare(after, file) !== 0
  const path = usable ? note.path : yield* placeFor(sql, key, note)
  const blob = rewritten ? yield* services.blobs.put(key.tenant, after) : undefined
  const files: ReadonlyArray<FileChange> = [
    ...(blob === undefined ? [] : [{ path, blob, mode: usable ? content.mode : ("100644" as const) }]),
    ...media.map((one) => ({ path: one.path, blob: one.blob, mode: "100644" as const }))
  ]
  const number = files.length === 0 ? note.revision : yield* services.log.append(key, { ...revision, files })

  if (!rewritten) {
    yield* placeNote(sql, key, note.id, { path: note.path, number })
    return { ...note, revision: number }
  }
  const result: StoredNote = {
    ...nameAfter({ ...note, tags: cleanTags([...note.tags, ...tags]) }, after),
    path,
    updated: change.updated,
    revision: number
  }
  yield* updateNote(sql, key, result, bodyText(after))
  return result
})
