/**
 * What the sandbox's page shows of the knowledge base. The edge composes it from the knowledge room, so that
 * the sandbox depends on nobody.
 */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"

/** The knowledge base cannot be read just now. */
export class KnowledgeUnreadable extends Schema.TaggedError<KnowledgeUnreadable>()("KnowledgeUnreadable", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `The knowledge base cannot be read: ${this.reason}`
  }
}

/** One commit of the git copy. `date` in Unix milliseconds; `revision` when it is one of the log. */
export const KnowledgeCommit = Schema.Struct({
  commit: Schema.String,
  date: Schema.Int,
  author: Schema.String,
  message: Schema.String,
  revision: Schema.optionalKey(Schema.Int)
})
export type KnowledgeCommit = typeof KnowledgeCommit.Type

export class SandboxKnowledge extends Context.Service<
  SandboxKnowledge,
  {
    /** Where the repository lies on this machine, shown to the person. */
    readonly location: string
    /** Paths of every file, with `/`. */
    readonly tree: Effect.Effect<ReadonlyArray<string>, KnowledgeUnreadable>
    readonly file: (path: string) => Effect.Effect<Option.Option<Uint8Array>, KnowledgeUnreadable>
    /** Newest first; with `path`, the commits that touched it. */
    readonly log: (options: {
      readonly path?: string
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<KnowledgeCommit>, KnowledgeUnreadable>
    /** The unified diff of one commit (40 hexadecimal digits), of one file when given. */
    readonly diff: (commit: string, path?: string) => Effect.Effect<string, KnowledgeUnreadable>
    /** Emits each time something above may read differently. Hot. */
    readonly changes: Stream.Stream<void>
  }
>()("zapiska/sandbox/SandboxKnowledge") {}
