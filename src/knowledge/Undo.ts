/** What undoing a revision would change, and what stands against it. */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { BlobHash, type RevisionNumber } from "../domain/Ids.ts"
import { FileChange, Revision } from "../domain/Note.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"
import { decoded, NumberColumn } from "./Rows.ts"

/** A file of the revision: what it held before and after it, and what is there now. */
export interface UndoneFile {
  readonly path: string
  readonly before: FileChange
  readonly after: FileChange
  readonly now: FileChange
}

/**
 * Media our own revisions brought stay: their names are their content, so another note may show them too.
 */
const stays = (kind: Revision["kind"], file: UndoneFile): boolean =>
  kind !== "person" && file.path.startsWith("media/") && file.before.blob === null

const same = (a: { readonly blob: BlobHash | null; readonly mode: string }, b: typeof a): boolean =>
  a.blob === b.blob && (a.blob === null || a.mode === b.mode)

export interface UndoPlan {
  readonly changes: ReadonlyArray<FileChange>
  /** Files that a later revision made something else of. */
  readonly contested: ReadonlyArray<string>
  /** All files the undo is about. */
  readonly paths: ReadonlyArray<string>
}

export const plan = (kind: Revision["kind"], files: ReadonlyArray<UndoneFile>): UndoPlan => {
  const concerned = files.filter((file) => !stays(kind, file))
  const changes = concerned.filter((file) => !same(file.now, file.before)).map((file) => file.before)
  // Half of an undo is none: a file that went back alone was taken somewhere else by a later revision.
  const contested = changes.length === 0 ? [] : concerned.filter((file) => !same(file.now, file.after))
  return { changes, contested: contested.map((file) => file.path), paths: concerned.map((file) => file.path) }
}

const FileRow = Schema.Struct({
  kind: Revision.fields.kind,
  path: Schema.NullOr(Schema.String),
  blob: Schema.NullOr(BlobHash),
  mode: Schema.NullOr(FileChange.fields.mode),
  previous: Schema.NullOr(BlobHash),
  previous_mode: Schema.NullOr(FileChange.fields.mode),
  current: Schema.NullOr(BlobHash),
  current_mode: Schema.NullOr(FileChange.fields.mode)
})

/** Undefined when there is no such revision. */
export const load = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  number: RevisionNumber
) {
  const rows = yield* decoded(FileRow)(sql`
    SELECT r.kind, c.path, c.blob, c.mode, c.previous, c.previous_mode, f.blob AS current, f.mode AS current_mode
    FROM revisions r
    LEFT JOIN revision_files c ON c.tenant_id = r.tenant_id AND c.kb = r.kb AND c.number = r.number
    LEFT JOIN files f ON f.tenant_id = c.tenant_id AND f.kb = c.kb AND f.path = c.path
    WHERE r.tenant_id = ${key.tenant} AND r.kb = ${key.name} AND r.number = ${number}::bigint`)
  const first = rows[0]
  if (first === undefined) return undefined
  return plan(
    first.kind,
    rows.flatMap(({ path, ...row }): ReadonlyArray<UndoneFile> => {
      if (path === null) return []
      const file = (blob: BlobHash | null, mode: FileChange["mode"] | null): FileChange => ({
        path,
        blob,
        mode: mode ?? row.mode ?? "100644"
      })
      return [
        {
          path,
          before: file(row.previous, row.previous_mode),
          after: file(row.blob, row.mode),
          now: file(row.current, row.current_mode)
        }
      ]
    })
  )
})

const LaterRow = Schema.Struct({ number: NumberColumn, message: Schema.String, path: Schema.String })

/** The changes of later revisions to these files, in order. */
export const laterChanges = (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  number: RevisionNumber,
  paths: ReadonlyArray<string>
) =>
  decoded(LaterRow)(sql`
    SELECT r.number, r.message, f.path
    FROM revision_files f JOIN revisions r ON r.tenant_id = f.tenant_id AND r.kb = f.kb AND r.number = f.number
    WHERE f.tenant_id = ${key.tenant} AND f.kb = ${key.name} AND f.number > ${number}::bigint
      AND f.path = ANY(${paths}::text[])
    ORDER BY r.number, f.path COLLATE "C"`)
