/**
 * Notes of different people that are ready at the same time are written in one transaction: the head of the
 * knowledge base is locked once for all of them, and one durable commit pays for all.
 */
import { Cause, Effect, Exit, Option, type Tracer } from "effect"
import type { SqlError } from "effect/sql"
import type { NoteSummary } from "../domain/Note.ts"
import { KnowledgeBase, type NewNote } from "../knowledge/KnowledgeBase.ts"
import * as GroupCommit from "../store/GroupCommit.ts"
import { type AlreadyHandled, type HandledUnit, HandledUpdates } from "../store/HandledUpdates.ts"
import { type Announcement, makeAnnouncing } from "./Announcing.ts"
import type { NoteUser } from "./NoteCreation.ts"

/** A unit that becomes one new note. */
export interface ReadyUnit {
  readonly user: NoteUser
  readonly unit: HandledUnit
  readonly note: NewNote
  readonly announce: (note: NoteSummary) => Announcement
  /** The same in a transaction of its own. */
  readonly alone: Effect.Effect<void, AlreadyHandled | SqlError.SqlError>
}

interface Waiting extends ReadyUnit {
  readonly span: Option.Option<Tracer.AnySpan>
}

/** So that the lock is never held for long. */
const most = 16

export const makeTogether = Effect.gen(function* () {
  const handled = yield* HandledUpdates
  const knowledge = yield* KnowledgeBase
  const tell = yield* makeAnnouncing

  const inOne = ({ user }: ReadyUnit, all: ReadonlyArray<Waiting>) =>
    handled.together(
      user,
      all.map(({ unit }) => unit),
      () =>
        Effect.gen(function* () {
          const notes = yield* knowledge.writeAll(
            user.knowledgeBase,
            all.map(({ note }) => note)
          )
          yield* tell(
            user.tenant,
            all.map(({ announce, span }, index) => ({ announcement: announce(notes[index]!), span }))
          )
        })
    )

  const oneByOne = (all: ReadonlyArray<Waiting>) =>
    Effect.forEach(all, ({ alone, span }) =>
      Effect.exit(Option.isNone(span) ? alone : Effect.withParentSpan(alone, span.value))
    )

  /** One that cannot be written, or was before, must not keep the others from it. */
  const settled = (all: ReadonlyArray<Waiting>) =>
    all.length === 1
      ? oneByOne(all)
      : inOne(all[0]!, all).pipe(
          Effect.as(all.map(() => Exit.void)),
          Effect.catchCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : oneByOne(all)))
        )

  const write = yield* GroupCommit.make({
    batch: most,
    parallel: 1,
    of: ({ user }) => `${user.botId}/${user.knowledgeBase.tenant}/${user.knowledgeBase.name}`,
    write: (all: ReadonlyArray<Waiting>) =>
      Effect.withSpan(settled(all), "NoteCreation.together", { attributes: { "notes.count": all.length } })
  })

  return (unit: ReadyUnit) =>
    Effect.gen(function* () {
      const span = yield* Effect.option(Effect.currentParentSpan)
      return yield* yield* write({ ...unit, span })
    })
})
