/**
 * The log of a knowledge base: the truth the git repository is a copy of. Numbers run from 1 without gaps,
 * because the head row is locked while a revision is added.
 */
import { Context, Effect, Layer, type Result, Schema, Stream } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { BlobHash, KnowledgeBaseName, type RevisionNumber, TenantId } from "../domain/Ids.ts"
import type { FileChange, Revision } from "../domain/Note.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { follow } from "./NoteFollow.ts"
import { decoded, FileRow, HeadRow, isStorable, recordParts, revisions, takeNumber } from "./Rows.ts"

export interface KnowledgeBaseKey {
  readonly tenant: TenantId
  readonly name: KnowledgeBaseName
}

/** The log moved on since the caller looked; look again and decide anew. */
export class HeadMoved extends Schema.TaggedError<HeadMoved>()("HeadMoved", {
  expected: Schema.Int,
  actual: Schema.Int
}) {
  override get message() {
    return `The log is at revision ${this.actual}, not ${this.expected}`
  }
}

export class RevisionLog extends Context.Service<
  RevisionLog,
  {
    /** Locks the head row until the transaction ends and returns the last number (0: empty log). */
    readonly lockHead: (key: KnowledgeBaseKey) => Effect.Effect<number, SqlError.SqlError>
    /** Adds the next revision. Takes the head lock if the caller has not; joins a transaction. */
    readonly append: (
      key: KnowledgeBaseKey,
      revision: Omit<Revision, "number">
    ) => Effect.Effect<RevisionNumber, SqlError.SqlError>
    /** As `append`, refused when the log has grown past `expectedHead`. */
    readonly appendAt: (
      key: KnowledgeBaseKey,
      expectedHead: number,
      revision: Omit<Revision, "number">
    ) => Effect.Effect<RevisionNumber, HeadMoved | SqlError.SqlError>
    readonly head: (key: KnowledgeBaseKey) => Effect.Effect<number, SqlError.SqlError>
    /** Revisions with `number > after` in order, at most `limit`. */
    readonly read: (
      key: KnowledgeBaseKey,
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<Revision>, SqlError.SqlError>
    /** The files of the head: path, content and mode; with `under`, those below that folder. */
    readonly files: (
      key: KnowledgeBaseKey,
      under?: string
    ) => Effect.Effect<ReadonlyArray<FileChange & { readonly blob: BlobHash }>, SqlError.SqlError>
    readonly file: (
      key: KnowledgeBaseKey,
      path: string
    ) => Effect.Effect<(FileChange & { readonly blob: BlobHash }) | undefined, SqlError.SqlError>
    /** Every blob the log ever held at `path` after revision `since`, newest first. */
    readonly versions: (
      key: KnowledgeBaseKey,
      path: string,
      since: number
    ) => Effect.Effect<ReadonlyArray<BlobHash | null>, SqlError.SqlError>
    readonly knowledgeBases: (
      tenant: TenantId
    ) => Effect.Effect<ReadonlyArray<KnowledgeBaseName>, SqlError.SqlError>
    /** The key of a knowledge base each time its log grew, from now on, on any replica. */
    readonly changes: Stream.Stream<KnowledgeBaseKey>
    /** Each time logs may have grown without `changes` telling. */
    readonly missed: Stream.Stream<void>
  }
>()("zapiska/knowledge/RevisionLog") {
  static readonly layer: Layer.Layer<RevisionLog, never, TenantScope | Signals> = Layer.effect(
    RevisionLog,
    Effect.suspend(() => make)
  )
}

const Key = Schema.Struct({ tenant: TenantId, name: KnowledgeBaseName })
const decodeKey = Schema.decodeUnknownResult(Key)

/** A signal that is not a key was not sent by us, and says nothing to anybody. */
const keyOfSignal = (payload: string): Result.Result<KnowledgeBaseKey, unknown> => {
  const [tenant, ...name] = payload.split("/")
  return decodeKey({ tenant, name: name.join("/") })
}

const VersionRow = Schema.Struct({ blob: Schema.NullOr(BlobHash) })
const NameRow = Schema.Struct({ name: KnowledgeBaseName })

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const signals = yield* Signals

  const lock = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey) =>
    Effect.map(
      decoded(HeadRow)(sql`
        INSERT INTO knowledge_bases AS k (tenant_id, name) VALUES (${key.tenant}, ${key.name})
        ON CONFLICT (tenant_id, name) DO UPDATE SET head = k.head
        RETURNING head`),
      (rows) => rows[0]!.head
    )

  const add = Effect.fnUntraced(function* (
    sql: SqlClient.SqlClient,
    key: KnowledgeBaseKey,
    revision: Omit<Revision, "number">
  ) {
    const number = yield* takeNumber(sql, key)
    yield* sql`
      WITH changes AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(revision.files)}::jsonb)
          AS c(path text, blob text, mode text)
      ), ${recordParts(sql, key, { ...revision, number }, sql`(SELECT 1) AS one`)}
      SELECT`
    // What we write ourselves changes the rows of its notes with it.
    if (revision.kind === "person" || revision.kind === "undo")
      yield* follow(sql, key, { number, date: revision.date })
    return number
  })

  const files = (sql: SqlClient.SqlClient, key: KnowledgeBaseKey, condition: Statement.Fragment) =>
    decoded(FileRow)(sql`
      SELECT path, blob, mode FROM files
      WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND ${condition}
      ORDER BY path COLLATE "C"`)

  return RevisionLog.of({
    lockHead: Effect.fn("RevisionLog.lockHead")((key) =>
      scope.transaction(key.tenant, (sql) => lock(sql, key))
    ),
    append: Effect.fn("RevisionLog.append")((key, revision) =>
      scope.transaction(key.tenant, (sql) => add(sql, key, revision))
    ),
    appendAt: Effect.fn("RevisionLog.appendAt")((key, expectedHead, revision) =>
      scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const head = yield* lock(sql, key)
          if (head !== expectedHead) return yield* new HeadMoved({ expected: expectedHead, actual: head })
          return yield* add(sql, key, revision)
        })
      )
    ),
    head: Effect.fn("RevisionLog.head")(function* (key) {
      const rows = yield* scope.transaction(key.tenant, (sql) =>
        decoded(HeadRow)(sql`
          SELECT head FROM knowledge_bases WHERE tenant_id = ${key.tenant} AND name = ${key.name}`)
      )
      return rows[0]?.head ?? 0
    }),
    read: Effect.fn("RevisionLog.read")((key, after, limit) =>
      scope.transaction(key.tenant, (sql) =>
        revisions(sql, key, { condition: sql`r.number > ${after}::bigint`, order: "oldest first", limit })
      )
    ),
    files: Effect.fn("RevisionLog.files")(function* (key, under) {
      if (under !== undefined && !isStorable(under)) return []
      return yield* scope.transaction(key.tenant, (sql) =>
        files(sql, key, under === undefined ? sql`true` : sql`starts_with(path, ${`${under}/`})`)
      )
    }),
    file: Effect.fn("RevisionLog.file")(function* (key, path) {
      if (!isStorable(path)) return undefined
      const [file] = yield* scope.transaction(key.tenant, (sql) => files(sql, key, sql`path = ${path}`))
      return file
    }),
    versions: Effect.fn("RevisionLog.versions")(function* (key, path, since) {
      if (!isStorable(path)) return []
      const rows = yield* scope.transaction(key.tenant, (sql) =>
        decoded(VersionRow)(sql`
          SELECT blob FROM revision_files
          WHERE tenant_id = ${key.tenant} AND kb = ${key.name} AND path = ${path} AND number > ${since}::bigint
          ORDER BY number DESC`)
      )
      return rows.map((row) => row.blob)
    }),
    knowledgeBases: Effect.fn("RevisionLog.knowledgeBases")(function* (tenant) {
      const rows = yield* scope.transaction(tenant, (sql) =>
        decoded(NameRow)(sql`SELECT name FROM knowledge_bases WHERE tenant_id = ${tenant} ORDER BY name`)
      )
      return rows.map((row) => row.name)
    }),
    changes: signals.listen("zapiska_revisions").pipe(Stream.filterMap(keyOfSignal)),
    missed: signals.resumed
  })
})
