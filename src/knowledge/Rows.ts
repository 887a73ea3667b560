/** The rows of the log: how they are decoded, and the statement parts that add a revision. */
import { Effect, Schema, SchemaTransformation } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { BlobHash, RevisionNumber } from "../domain/Ids.ts"
import { FileChange, Revision } from "../domain/Note.ts"
import { notifying } from "../store/Signals.ts"
import type { KnowledgeBaseKey } from "./RevisionLog.ts"

/** A bigint column as a number. What we store in them is far below 2^53. */
export const Int8 = Schema.BigInt.pipe(
  Schema.decodeTo(
    Schema.Int,
    SchemaTransformation.transform({
      decode: (value: bigint) => Number(value),
      encode: (value: number) => BigInt(value)
    })
  )
)

export const NumberColumn = Int8.pipe(Schema.decodeTo(RevisionNumber))

/** Rows as typed values. One that does not fit its schema is a broken invariant of ours. */
export const decoded = <S extends Schema.Codec<unknown, unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return <E, R>(rows: Effect.Effect<ReadonlyArray<unknown>, E, R>) =>
    Effect.flatMap(rows, (found) => Effect.orDie(decode(found)))
}

/** Whether a column can hold it at all; what cannot be held is not there to be found either. */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

export const HeadRow = Schema.Struct({ head: Int8 })

export const FileRow = Schema.Struct({ ...FileChange.fields, blob: BlobHash })

const RevisionRow = Schema.Struct({
  number: NumberColumn,
  kind: Revision.fields.kind,
  author_name: Schema.String,
  author_email: Schema.String,
  date_ms: Int8,
  message: Schema.String,
  raw_commit: Schema.NullOr(Schema.Uint8Array),
  files: Schema.Array(FileChange)
})

const fromRow = (row: typeof RevisionRow.Type): Revision => ({
  number: row.number,
  kind: row.kind,
  author: { name: row.author_name, email: row.author_email },
  date: row.date_ms,
  message: row.message,
  files: row.files,
  ...(row.raw_commit === null ? {} : { rawCommit: row.raw_commit })
})

/** Revisions that meet `condition` (over `r`), their files in the order of their paths' bytes. */
export const revisions = (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  options: {
    readonly condition: Statement.Fragment
    readonly order: "oldest first" | "newest first"
    readonly limit: number
  }
) =>
  Effect.map(
    decoded(RevisionRow)(sql`
      SELECT r.number, r.kind, r.author_name, r.author_email, r.date_ms, r.message, r.raw_commit, (
        SELECT coalesce(
          jsonb_agg(jsonb_build_object('path', f.path, 'blob', f.blob, 'mode', f.mode) ORDER BY f.path COLLATE "C"),
          '[]'
        )
        FROM revision_files f
        WHERE f.tenant_id = r.tenant_id AND f.kb = r.kb AND f.number = r.number
      ) AS files
      FROM revisions r
      WHERE r.tenant_id = ${key.tenant} AND r.kb = ${key.name} AND ${options.condition}
      ORDER BY r.number ${sql.literal(options.order === "oldest first" ? "ASC" : "DESC")}
      LIMIT ${options.limit}`),
    (rows) => rows.map(fromRow)
  )

/** What is sent on `zapiska_revisions`. */
export const signalOf = (key: KnowledgeBaseKey): string => `${key.tenant}/${key.name}`

/** Locks the head row, which this makes on first use, takes the next number and tells those who follow the log. */
export const takeNumber = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey) =>
  Effect.map(takeNumbers(sql, key, 1), ([number]) => number!)

/** As `takeNumber`, for the next `count` of them, in order. */
export const takeNumbers = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey, count: number) =>
  Effect.map(
    decoded(HeadRow)(sql`
      INSERT INTO knowledge_bases AS k (tenant_id, name, head) VALUES (${key.tenant}, ${key.name}, ${count}::bigint)
      ON CONFLICT (tenant_id, name) DO UPDATE SET head = k.head + ${count}::bigint
      RETURNING head, ${notifying(sql, "zapiska_revisions", sql`${signalOf(key)}`)}`),
    (rows) =>
      Array.from({ length: count }, (_, index) => RevisionNumber.make(rows[0]!.head - count + 1 + index))
  )

/**
 * Parts of a WITH clause that record a revision for each row (one or none) of `once`, with the files of the
 * relation `changes (path, blob, mode)` the statement has defined before.
 */
export const recordParts = (
  sql: SqlClient.SqlClient,
  key: KnowledgeBaseKey,
  revision: Omit<Revision, "files">,
  once: Statement.Fragment
) => {
  // Not a join, for which PostgreSQL may read all files of the knowledge base.
  const before = (column: Statement.Fragment) => sql`(
    SELECT ${column} FROM files f
    WHERE f.tenant_id = ${key.tenant} AND f.kb = ${key.name} AND f.path = c.path)`
  return sql`
  logged AS (
    INSERT INTO revisions (tenant_id, kb, number, kind, author_name, author_email, date_ms, message, raw_commit)
    SELECT ${key.tenant}, ${key.name}, ${revision.number}::bigint, ${revision.kind}, ${revision.author.name},
      ${revision.author.email}, ${revision.date}::bigint, ${revision.message}, ${revision.rawCommit ?? null}::bytea
    FROM ${once}
  ), touched AS (
    INSERT INTO revision_files (tenant_id, kb, number, path, blob, mode, previous, previous_mode)
    SELECT ${key.tenant}, ${key.name}, ${revision.number}::bigint, path, blob, mode,
      ${before(sql`f.blob`)}, ${before(sql`f.mode`)}
    FROM changes c
  ), gone AS (
    DELETE FROM files
    WHERE tenant_id = ${key.tenant} AND kb = ${key.name}
      AND path = ANY(ARRAY(SELECT path FROM changes WHERE blob IS NULL))
  ), present AS (
    INSERT INTO files (tenant_id, kb, path, blob, mode, number)
    SELECT ${key.tenant}, ${key.name}, path, blob, mode, ${revision.number}::bigint
    FROM changes WHERE blob IS NOT NULL
    ON CONFLICT (tenant_id, kb, path)
    DO UPDATE SET blob = excluded.blob, mode = excluded.mode, number = excluded.number
  )`
}
