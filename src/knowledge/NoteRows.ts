/** The rows of notes and their messages. Every function runs in the caller's transaction. */
import { Effect, Schema } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import {
  type BlobHash,
  BotId,
  ChatId,
  MessageId,
  type NoteId,
  type RevisionNumber,
  UpdateId
} from "../domain/Ids.ts"
import type { NoteDraft, NoteMember, Revision } from "../domain/Note.ts"
import { NoteSummary } from "../domain/Note.ts"
import { foldersOf, notePaths } from "./NotePath.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"
import { decoded, Int8, isStorable, NumberColumn, recordParts } from "./Rows.ts"

type Sql = SqlClient.SqlClient

const SummaryRow = Schema.Struct({
  ...NoteSummary.fields,
  created: Int8,
  updated: Int8,
  revision: NumberColumn
})
const NoteRow = Schema.Struct({ ...SummaryRow.fields, removed: Schema.Boolean })

/** A note with whether its file is gone. */
export type StoredNote = typeof NoteRow.Type

export const summaryOf = ({ removed: _, ...summary }: StoredNote): NoteSummary => summary

const columns = (sql: Sql) =>
  sql.literal(
    "n.note_id AS id, n.path, n.title, n.category, n.tags, n.created_ms AS created, n.updated_ms AS updated, n.number AS revision, n.removed"
  )

/** Notes that meet `condition` (over `n`), removed ones too, followed by `rest` (ordering and limit). */
export const notes = (
  sql: Sql,
  key: KnowledgeBaseKey,
  condition: Statement.Fragment,
  rest: Statement.Fragment
) =>
  decoded(NoteRow)(sql`
    SELECT ${columns(sql)} FROM notes n
    WHERE n.tenant_id = ${key.tenant} AND n.kb = ${key.name} AND ${condition} ${rest}`)

export const noteById = (sql: Sql, key: KnowledgeBaseKey, id: NoteId) =>
  Effect.map(notes(sql, key, sql`n.note_id = ${id}`, sql``), (rows) => rows[0])

const CountRow = Schema.Struct({ n: Int8 })

export const count = (sql: Sql, key: KnowledgeBaseKey) =>
  Effect.map(
    decoded(CountRow)(sql`
      SELECT count(*) AS n FROM notes
      WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND NOT removed`),
    (rows) => rows[0]?.n ?? 0
  )

const CorrespondentRow = Schema.Struct({
  botId: Int8.pipe(Schema.decodeTo(BotId)),
  chat: Int8.pipe(Schema.decodeTo(ChatId))
})

/** Ids of private chats are positive; a person's chat with themselves is none in which a bot could tell anything. */
export const correspondent = (sql: Sql, key: KnowledgeBaseKey, path: string) =>
  Effect.map(
    decoded(CorrespondentRow)(sql`
      SELECT m.bot_id AS "botId", m.chat_id AS chat
      FROM note_members m JOIN notes n USING (tenant_id, kb, note_id)
      WHERE m.tenant_id = ${key.tenant} AND m.kb = ${key.name} AND m.chat_id > 0 AND m.chat_id <> m.bot_id
      ORDER BY n.path = ${isStorable(path) ? path : ""} DESC, m.date_s DESC
      LIMIT 1`),
    (rows) => rows[0]
  )

/** The note that meets `which` (over `n`) and holds a member which meets `condition` (over `m`). */
export const noteWithMember = (
  sql: Sql,
  key: KnowledgeBaseKey,
  condition: Statement.Fragment,
  which: Statement.Fragment
) =>
  Effect.map(
    notes(
      sql,
      key,
      sql`n.note_id = ANY(ARRAY(SELECT m.note_id FROM note_members m
        WHERE m.tenant_id = ${key.tenant} AND m.kb = ${key.name} AND ${condition})) AND ${which}`,
      sql`ORDER BY n.number DESC LIMIT 1`
    ),
    (rows) => rows[0]
  )

const MemberRow = Schema.Struct({
  bot_id: Int8.pipe(Schema.decodeTo(BotId)),
  update_id: Int8.pipe(Schema.decodeTo(UpdateId)),
  chat_id: Int8.pipe(Schema.decodeTo(ChatId)),
  message_id: Int8.pipe(Schema.decodeTo(MessageId)),
  album_id: Schema.NullOr(Schema.String),
  date_s: Int8,
  edited_s: Int8,
  block: Schema.String
})

export const membersOf = (sql: Sql, key: KnowledgeBaseKey, id: NoteId) =>
  Effect.map(
    decoded(MemberRow)(sql`
      SELECT bot_id, update_id, chat_id, message_id, album_id, date_s, edited_s, block
      FROM note_members
      WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND note_id = ${id}`),
    (rows) =>
      rows.map(
        (row): NoteMember => ({
          botId: row.bot_id,
          updateId: row.update_id,
          chat: row.chat_id,
          messageId: row.message_id,
          ...(row.album_id === null ? {} : { albumId: row.album_id }),
          date: row.date_s,
          edited: row.edited_s,
          block: row.block
        })
      )
  )

/** Members as a relation `m` with the columns of `note_members`. */
const memberRelation = (sql: Sql, members: ReadonlyArray<NoteMember>) => {
  const rows = members.map((member) => ({
    bot_id: member.botId,
    update_id: member.updateId,
    chat_id: member.chat,
    message_id: member.messageId,
    album_id: member.albumId ?? null,
    date_s: member.date,
    edited_s: member.edited ?? member.date,
    block: member.block
  }))
  return sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS m(
    bot_id bigint, update_id bigint, chat_id bigint, message_id bigint, album_id text, date_s bigint, edited_s bigint,
    block text)`
}

/** Adds new members to a note; those it has get their new block. A message of another note is refused. */
export const saveMembers = (
  sql: Sql,
  key: KnowledgeBaseKey,
  id: NoteId,
  members: { readonly added: ReadonlyArray<NoteMember>; readonly edited: ReadonlyArray<NoteMember> }
) => sql`
  WITH edited AS (
    UPDATE note_members n SET update_id = m.update_id, edited_s = m.edited_s, block = m.block
    FROM ${memberRelation(sql, members.edited)}
    WHERE n.tenant_id = ${key.tenant} AND n.kb = ${key.name} AND n.note_id = ${id}
      AND n.bot_id = m.bot_id AND n.chat_id = m.chat_id AND n.message_id = m.message_id
  )
  INSERT INTO note_members (
    tenant_id, kb, note_id, bot_id, update_id, chat_id, message_id, album_id, date_s, edited_s, block)
  SELECT ${key.tenant}, ${key.name}, ${id}, m.bot_id, m.update_id, m.chat_id, m.message_id, m.album_id, m.date_s,
    m.edited_s, m.block
  FROM ${memberRelation(sql, members.added)}`

/** What search looks at. Longer texts are cut: PostgreSQL refuses a tsvector over 1 MB. */
export const wordsOf = (sql: Sql, text: string) => {
  const head = text.slice(0, 100_000).toWellFormed()
  return sql`(SELECT to_tsvector('russian', t) || to_tsvector('english', t) FROM (SELECT ${head}::text AS t) given)`
}

export const searchText = (
  note: { readonly title: string; readonly category: string; readonly tags: ReadonlyArray<string> },
  body: string
) => [note.title, note.category, ...note.tags, body].join("\n")

/** Brings the row up to its file: where it is, what it says, and the revision that did it. */
export const updateNote = (
  sql: Sql,
  key: KnowledgeBaseKey,
  note: Omit<StoredNote, "created">,
  body: string
) => sql`
  UPDATE notes SET path = ${note.path}, title = ${note.title}, category = ${note.category},
    tags = ${note.tags}::text[], updated_ms = ${note.updated}::bigint, number = ${note.revision}::bigint,
    removed = ${note.removed}, words = ${wordsOf(sql, searchText(note, body))}
  WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND note_id = ${note.id}`

export const placeNote = (
  sql: Sql,
  key: KnowledgeBaseKey,
  id: NoteId,
  place: { readonly path: string; readonly number: RevisionNumber }
) => sql`
  UPDATE notes SET path = ${place.path}, number = ${place.number}::bigint
  WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND note_id = ${id}`

export const markRemoved = (
  sql: Sql,
  key: KnowledgeBaseKey,
  ids: ReadonlyArray<NoteId>,
  number: RevisionNumber
) => sql`
  UPDATE notes SET removed = true, number = ${number}::bigint
  WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND note_id = ANY(${ids}::text[])`

/**
 * The first of `paths` no file has, as a part of a WITH clause named `free (path)`. Compared as macOS and
 * Windows compare names; a path is taken too when it is someone's folder, or has a file for a folder.
 * Scalar subqueries, for as a join PostgreSQL would read every file of the knowledge base.
 */
const freePart = (sql: Sql, key: KnowledgeBaseKey, paths: ReadonlyArray<string>) => {
  const noFile = (condition: Statement.Fragment) => sql`(
    SELECT true FROM files f WHERE f.tenant_id = ${key.tenant} AND f.kb = ${key.name} AND ${condition} LIMIT 1
  ) IS NULL`
  return sql`
    free AS (
      SELECT one.path FROM (
        SELECT path, place, lower(normalize(path)) COLLATE "C" AS folded
        FROM unnest(${paths}::text[]) WITH ORDINALITY AS given(path, place)
      ) one
      WHERE ${noFile(sql`f.folded = one.folded`)}
        AND ${noFile(sql`f.folded > one.folded || '/' AND f.folded < one.folded || '0'`)}
        AND ${noFile(sql`f.folded = ANY(ARRAY(
          SELECT lower(normalize(folder)) COLLATE "C" FROM unnest(${foldersOf(paths[0]!)}::text[]) folder))`)}
      ORDER BY one.place LIMIT 1
    )`
}

const PathRow = Schema.Struct({ path: Schema.String })

/** The first of `paths`, all of one folder, that is free. Only under the head lock is it still so afterwards. */
export const freePath = (sql: Sql, key: KnowledgeBaseKey, paths: ReadonlyArray<string>) =>
  Effect.map(
    decoded(PathRow)(sql`WITH ${freePart(sql, key, paths)} SELECT path FROM free`),
    (rows) => rows[0]?.path
  )

export interface NewNote {
  /** Clean. */
  readonly draft: NoteDraft
  /** Its file, stored already. */
  readonly blob: BlobHash
  readonly revision: Omit<Revision, "files">
}

const tryInsert = (sql: Sql, key: KnowledgeBaseKey, note: NewNote, folder: number) => {
  const { draft, blob, revision } = note
  const text = searchText(draft, draft.members.map((member) => member.block).join("\n"))
  return Effect.map(
    decoded(PathRow)(sql`
      WITH ${freePart(sql, key, notePaths(draft, folder))}, changes AS (
        SELECT path, ${blob}::text AS blob, '100644'::text AS mode FROM free
        UNION ALL
        SELECT m.path, m.blob, '100644' FROM free, jsonb_to_recordset(${JSON.stringify(draft.media)}::jsonb)
          AS m(path text, blob text)
        WHERE (
          SELECT true FROM files f WHERE f.tenant_id = ${key.tenant} AND f.kb = ${key.name} AND f.path = m.path
        ) IS NULL
      ), ${recordParts(sql, key, revision, sql`free`)}, noted AS (
        INSERT INTO notes (tenant_id, kb, note_id, path, title, category, tags, created_ms, updated_ms, number, words)
        SELECT ${key.tenant}, ${key.name}, ${draft.id}, path, ${draft.title}, ${draft.category}, ${draft.tags}::text[],
          ${draft.created}::bigint, ${draft.updated}::bigint, ${revision.number}::bigint,
          ${wordsOf(sql, text)}
        FROM free
      ), joined AS (
        INSERT INTO note_members (
          tenant_id, kb, note_id, bot_id, update_id, chat_id, message_id, album_id, date_s, edited_s, block)
        SELECT ${key.tenant}, ${key.name}, ${draft.id}, m.bot_id, m.update_id, m.chat_id, m.message_id, m.album_id,
          m.date_s, m.edited_s, m.block
        FROM free, ${memberRelation(sql, draft.members)}
      )
      SELECT path FROM free`),
    (rows) => rows[0]?.path
  )
}

/**
 * Chooses the note's path and adds its revision, files, row and members, in one statement: notes are written
 * more often than anything else. The next folder only when a person's file stands where the folder would be.
 */
export const insertNote = Effect.fnUntraced(function* (sql: Sql, key: KnowledgeBaseKey, note: NewNote) {
  for (let folder = 1; ; folder++) {
    const path = yield* tryInsert(sql, key, note, folder)
    if (path !== undefined) return path
  }
})
