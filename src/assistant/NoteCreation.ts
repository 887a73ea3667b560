/**
 * Makes a note of a unit of work: fetches its media, composes the draft, and writes note, members, revision
 * and the announcement in the transaction that marks the updates as handled.
 */
import { Array as Arr, Clock, Context, Effect, Layer, Option, Semaphore } from "effect"
import type { SqlError } from "effect/sql"
import type { AppId, BotId, NoteId, TenantId, UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"
import type { Language } from "../domain/Language.ts"
import type { Author, NoteSummary, UnitMember } from "../domain/Note.ts"
import {
  KnowledgeBase,
  type NewNote,
  type NoteUnknown,
  type RevisionMeta
} from "../knowledge/KnowledgeBase.ts"
import type { KnowledgeBaseKey } from "../knowledge/RevisionLog.ts"
import { type AlreadyHandled, HandledUpdates } from "../store/HandledUpdates.ts"
import type { Callbacks } from "../telegram/Callbacks.ts"
import type { Outbox } from "../telegram/Outbox.ts"
import { type Announcement, makeAnnouncing } from "./Announcing.ts"
import type { NoteFiles } from "./AttachmentText.ts"
import { Media } from "./Media.ts"
import { MediaRetry } from "./MediaRetry.ts"
import { makeTogether } from "./NotesTogether.ts"
import { tagsOf } from "./NoteTitle.ts"
import { rawDraftOf } from "./RawDraft.ts"
import { noteDraftOf, noteMediaOf, noteMemberOf } from "./UnitDraft.ts"

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
  /** In order. */
  readonly members: Arr.NonEmptyReadonlyArray<UnitMember>
  /** Every update the unit handles. */
  readonly updates: ReadonlyArray<UpdateId>
  /** Without anything that could fail again: the texts as they came, no media. */
  readonly raw: boolean
  /** What the person is told, in the same transaction. */
  readonly announce: (outcomes: ReadonlyArray<NoteOutcome>) => Announcement
}

export class NoteCreation extends Context.Service<
  NoteCreation,
  {
    /** Starts the download of what the message carries and returns at once. */
    readonly prefetch: (user: NoteUser, message: IncomingMessage) => Effect.Effect<void>
    readonly create: (unit: NoteUnit) => Effect.Effect<void, AlreadyHandled | SqlError.SqlError>
    /**
     * Rewrites the block of an edited message in its note, which stays removed when a person took it away.
     * `false`: no note ever held the message.
     */
    readonly edit: (edit: {
      readonly user: NoteUser
      readonly updateId: UpdateId
      readonly message: IncomingMessage
    }) => Effect.Effect<boolean, AlreadyHandled | SqlError.SqlError>
  }
>()("zapiska/assistant/NoteCreation") {
  static readonly layer: Layer.Layer<
    NoteCreation,
    never,
    Callbacks | HandledUpdates | KnowledgeBase | Media | MediaRetry | Outbox
  > = Layer.effect(
    NoteCreation,
    Effect.suspend(() => make)
  )
}

/** How long a closed unit waits for files on their way; what comes later amends the note. */
const patience = "2 seconds"

/**
 * Notes written at once. Of one knowledge base the database lets one through at a time: more would only hold
 * connections others need.
 */
const writtenAtOnce = 4

const updatedAt = (message: IncomingMessage): number => (message.editDate ?? message.date) * 1000

const make = Effect.gen(function* () {
  const handled = yield* HandledUpdates
  const knowledge = yield* KnowledgeBase
  const media = yield* Media
  const retry = yield* MediaRetry
  const tell = yield* makeAnnouncing
  const writing = yield* Semaphore.make(writtenAtOnce)
  const together = yield* makeTogether

  const filesFor = (user: NoteUser, members: ReadonlyArray<UnitMember>) =>
    Effect.gen(function* () {
      const files = yield* media.collect(
        user,
        members.map((one) => one.message),
        patience
      )
      // Begun before the note is durable and harmless without it: a crash in between forgets no file.
      for (const member of members) yield* retry.ifPending(user, member, files)
      return files
    })

  /** The files of a note that is saved as it came follow by themselves, if they can. */
  const filesLater = (user: NoteUser, members: ReadonlyArray<UnitMember>) =>
    Effect.forEach(members, (member) => retry.ifPending(user, member, new Map()), { discard: true }).pipe(
      Effect.catchCause((cause) => Effect.logError("The files of a note are not fetched", cause))
    )

  interface Placed {
    readonly note: NoteSummary
    readonly members: Arr.NonEmptyReadonlyArray<UnitMember>
  }

  /** Members by the note they belong to already; the others are new. */
  const placed = Effect.fnUntraced(function* (
    members: ReadonlyArray<UnitMember>,
    noteOf: (message: IncomingMessage) => Effect.Effect<Option.Option<NoteSummary>, SqlError.SqlError>
  ) {
    const fresh: Array<UnitMember> = []
    const notes = new Map<NoteId, Placed>()
    for (const member of members) {
      const note = Option.getOrUndefined(yield* noteOf(member.message))
      if (note === undefined) fresh.push(member)
      else {
        const before = notes.get(note.id)
        notes.set(note.id, { note, members: before ? Arr.append(before.members, member) : [member] })
      }
    }
    return { fresh, notes: [...notes.values()] }
  })

  /** The late rest of an album goes where its album is. */
  const noteOfAlbum = (user: NoteUser) => (message: IncomingMessage) =>
    message.albumId === undefined
      ? Effect.succeedNone
      : knowledge.noteOfAlbum(user.knowledgeBase, message.chat.id, message.albumId, user.botId)

  const noteOfMessage = (user: NoteUser) => (message: IncomingMessage) =>
    knowledge.noteOfMessage(user.knowledgeBase, message.chat.id, message.messageId, user.botId)

  const amend = Effect.fnUntraced(function* (
    user: NoteUser,
    note: NoteSummary,
    members: Arr.NonEmptyReadonlyArray<UnitMember>,
    files: NoteFiles,
    meta: RevisionMeta & { readonly kind: "amend" | "edit" }
  ) {
    const messages = members.map((one) => one.message)
    return yield* knowledge.amend(
      user.knowledgeBase,
      note.id,
      {
        members: members.map((one) =>
          noteMemberOf(user, one, files, { language: user.language, created: note.created })
        ),
        media: noteMediaOf(messages, files),
        tags: tagsOf(messages),
        updated: Math.max(...messages.map(updatedAt))
      },
      meta
    )
  })

  const newNote = (
    user: NoteUser,
    members: Arr.NonEmptyReadonlyArray<UnitMember>,
    files: NoteFiles,
    raw: boolean,
    date: number
  ): NewNote => {
    const draft = raw
      ? rawDraftOf(user, members, user.language)
      : noteDraftOf(user, members, files, user.language)
    return { draft, meta: { author: user.author, date, message: `Add ${draft.title}` } }
  }

  return NoteCreation.of({
    prefetch: (user, message) => media.prefetch(user, message),

    create: Effect.fn("NoteCreation.create")(function* ({ user, members, updates, raw, announce }) {
      const files: NoteFiles = raw ? new Map() : yield* filesFor(user, members)
      if (raw) yield* filesLater(user, members)
      const date = yield* Clock.currentTimeMillis
      const attempt = <E>(
        noteOf: Parameters<typeof placed>[1],
        ifRemoved: (error: NoteUnknown, note: NoteSummary) => Effect.Effect<NoteSummary, E>
      ) =>
        handled
          .once(user, updates, `unit:${members[0].updateId}`, () =>
            Effect.gen(function* () {
              const { fresh, notes } = yield* placed(members, noteOf)
              const outcomes: Array<NoteOutcome> = []
              if (Arr.isReadonlyArrayNonEmpty(fresh)) {
                const { draft, meta } = newNote(user, fresh, files, raw, date)
                const note = yield* knowledge.write(user.knowledgeBase, draft, meta)
                outcomes.push({ note, amended: false })
              }
              for (const { note, members: added } of notes) {
                const message = `Add to ${note.title}`
                const meta = { author: user.author, date, message, kind: "amend" as const }
                // Of a message the note holds, only an edit can say more than the note does.
                const news = added.filter(
                  ({ message }) => message.albumId !== undefined || message.editDate !== undefined
                )
                const amended = Arr.isReadonlyArrayNonEmpty(news)
                  ? yield* amend(user, note, news, files, meta).pipe(
                      Effect.catchTag("NoteUnknown", (error) => ifRemoved(error, note))
                    )
                  : note
                outcomes.push({ note: amended, amended: true })
              }
              yield* tell(user.tenant, [{ announcement: announce(outcomes) }])
            })
          )
          .pipe(writing.withPermit)
      const alone = attempt(raw ? () => Effect.succeedNone : noteOfAlbum(user), Effect.fail).pipe(
        // Rare: the note was removed after it was found. It is not found again.
        Effect.retry({ while: (error) => error._tag === "NoteUnknown" }),
        // Rare: another update brought one of these messages before (an edit that came first). What a person
        // took away since stays away.
        Effect.catchReason("SqlError", "UniqueViolation", () =>
          attempt(noteOfMessage(user), (_, note) => Effect.succeed(note))
        )
      )
      if (raw || members.some(({ message }) => message.albumId !== undefined)) return yield* alone
      yield* together({
        user,
        unit: { unit: `unit:${members[0].updateId}`, updates },
        note: newNote(user, members, files, raw, date),
        announce: (note) => announce([{ note, amended: false }]),
        alone
      })
    }),

    edit: Effect.fn("NoteCreation.edit")(function* ({ user, updateId, message }) {
      const found = yield* noteOfMessage(user)(message)
      if (Option.isNone(found)) return false
      const note = found.value
      const member = { updateId, message }
      const files = yield* filesFor(user, [member])
      const date = yield* Clock.currentTimeMillis
      return yield* handled
        .once(user, [updateId], `edit:${updateId}`, () =>
          amend(user, note, [member], files, {
            author: user.author,
            date,
            message: `Edit ${note.title}`,
            kind: "edit"
          }).pipe(
            Effect.asVoid,
            Effect.catchTag("NoteUnknown", () => Effect.void)
          )
        )
        .pipe(Effect.as(true))
    })
  })
})
