/**
 * The log of a knowledge base: the truth the git repository is a copy of. Numbers run from 1 without gaps,
 * because the head row is locked while a revision is added.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import type { SqlError } from "effect/sql"
import { type BlobHash, type KnowledgeBaseName, RevisionNumber, type TenantId } from "../domain/Ids.ts"
import type { FileChange, Revision } from "../domain/Note.ts"

export interface KnowledgeBaseKey {
  readonly tenant: TenantId
  readonly name: KnowledgeBaseName
}

/** The log moved on since the caller looked; look again and decide anew. */
export class HeadMoved extends Schema.TaggedError<HeadMoved>()("HeadMoved", {
  expected: Schema.Int,
  actual: RevisionNumber
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
  }
>()("zapiska/knowledge/RevisionLog") {}
