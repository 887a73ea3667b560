/** The knowledge base as it is asked: notes, files, revisions, and which note holds what. */
import { Effect, Option } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import type { BotId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { Blobs } from "./Blobs.ts"
import type { KnowledgeBase } from "./KnowledgeBase.ts"
import { FileUnknown, NoteUnknown } from "./KnowledgeErrors.ts"
import { cleanText } from "./NoteFile.ts"
import * as NoteRows from "./NoteRows.ts"
import { type KnowledgeBaseKey, RevisionLog } from "./RevisionLog.ts"
import { isStorable, revisions } from "./Rows.ts"
import * as Search from "./Search.ts"

type Reading = Pick<
  KnowledgeBase["Service"],
  | "note"
  | "noteOfMessage"
  | "noteOfAlbum"
  | "correspondent"
  | "count"
  | "recent"
  | "read"
  | "history"
  | "search"
>

export const makeReading = Effect.gen(function* () {
  const scope = yield* TenantScope
  const blobs = yield* Blobs
  const log = yield* RevisionLog

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

  const reading: Reading = {
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
    })
  }
  return reading
})
