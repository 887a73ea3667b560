/** What people are told about their notes, with the buttons under it: durable with the notes, in two statements. */
import { Effect, type Option, type Tracer } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import { Callbacks, type Grant } from "../telegram/Callbacks.ts"
import { Outbox, type OutboxEntry } from "../telegram/Outbox.ts"

export interface Announcement {
  /** Buttons that work once. */
  readonly grants: ReadonlyArray<Grant>
  /** `tokens`: those of the grants, in order. */
  readonly entries: (tokens: ReadonlyArray<string>) => ReadonlyArray<OutboxEntry>
}

export interface Announced {
  readonly announcement: Announcement
  /** What decided it, where that is not the span it is announced in. */
  readonly span?: Option.Option<Tracer.AnySpan>
}

export const makeAnnouncing = Effect.gen(function* () {
  const callbacks = yield* Callbacks
  const outbox = yield* Outbox

  /** Joins the caller's transaction. */
  return Effect.fnUntraced(function* (tenant: TenantId, all: ReadonlyArray<Announced>) {
    const tokens = yield* callbacks.issue(
      tenant,
      all.flatMap(({ announcement }) => announcement.grants)
    )
    let from = 0
    const entries = all.flatMap(({ announcement, ...span }) => {
      const mine = tokens.slice(from, from + announcement.grants.length)
      from += mine.length
      return announcement.entries(mine).map((entry) => ({ ...entry, ...span }))
    })
    yield* outbox.enqueue(tenant, entries)
  })
})
