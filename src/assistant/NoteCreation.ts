/**
 * Makes a note of a unit of work: fetches its media, composes the draft, and writes note, members, revision
 * and the announcement in the transaction that marks the updates as handled.
 */
import { Context, type Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { AppId, BotId, TenantId, UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"
import type { Author, NoteSummary, UnitMember } from "../domain/Note.ts"
import type { KnowledgeBaseKey } from "../knowledge/RevisionLog.ts"
import type { AlreadyHandled } from "../store/HandledUpdates.ts"
import type { OutboxEntry } from "../telegram/Outbox.ts"

/** Whose note it is and through which bot it came. */
export interface NoteUser {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: BotId
  readonly language: Language
  readonly author: Author
  readonly knowledgeBase: KnowledgeBaseKey
}

export interface NoteOutcome {
  readonly note: NoteSummary
  /** The messages went into a note that was there before (the late rest of an album). */
  readonly amended: boolean
}

export interface NoteUnit {
  readonly user: NoteUser
  /** In order, at least one. */
  readonly members: ReadonlyArray<UnitMember>
  /** Every update the unit handles. */
  readonly updates: ReadonlyArray<UpdateId>
  /** Without anything that could fail again: the texts as they came, no media. */
  readonly raw: boolean
  /** What the person is told, in the same transaction. */
  readonly announce: (outcomes: ReadonlyArray<NoteOutcome>) => ReadonlyArray<OutboxEntry>
}

export class NoteCreation extends Context.Service<
  NoteCreation,
  {
    /** Starts the download of what the message carries and returns at once. */
    readonly prefetch: (user: NoteUser, message: IncomingMessage) => Effect.Effect<void>
    readonly create: (unit: NoteUnit) => Effect.Effect<void, AlreadyHandled | SqlError.SqlError>
    /** Rewrites the block of an edited message in its note. `false`: no note holds the message. */
    readonly edit: (edit: {
      readonly user: NoteUser
      readonly updateId: UpdateId
      readonly message: IncomingMessage
    }) => Effect.Effect<boolean, AlreadyHandled | SqlError.SqlError>
  }
>()("zapiska/assistant/NoteCreation") {}
