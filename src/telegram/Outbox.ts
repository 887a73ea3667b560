/**
 * What the bot is going to say, durable with the decision to say it. The dispatcher of each bot sends the
 * rows of a (chat, thread) strictly in order, through retries.
 *
 * States: `pending → sending → sent | unknown | dead`.
 */
import { Clock, Context, Duration, Effect, Layer, type Option, type Tracer } from "effect"
import type { SqlError } from "effect/sql"
import type { BotId, TenantId } from "../domain/Ids.ts"
import type { FenceStale } from "../lock/Fences.ts"
import type { Lease, LockLost } from "../lock/Locks.ts"
import * as GroupCommit from "../store/GroupCommit.ts"
import type { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type BotKey, BotPort } from "./BotPort.ts"
import { dispatch } from "./Dispatcher.ts"
import type { OutboxEntry, TracedEntry } from "./OutboxEntry.ts"
import { insert } from "./OutboxInsert.ts"
import * as Rows from "./OutboxRows.ts"
import { makeWatch } from "./OutboxWatch.ts"
import { Pacer } from "./Pacer.ts"

export * from "./OutboxEntry.ts"

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Adds the entries; joins the caller's transaction and wakes the dispatcher when it commits. */
    readonly enqueue: (
      tenant: TenantId,
      entries: ReadonlyArray<TracedEntry>
    ) => Effect.Effect<void, SqlError.SqlError>
    /**
     * Adds an entry that belongs to no decision, outside of the caller's transaction: those that come at the same
     * time are written together.
     */
    readonly enqueueAlone: (tenant: TenantId, entry: OutboxEntry) => Effect.Effect<void, SqlError.SqlError>
    /** Which of these were sent under their key as far as is known, or still will be. */
    readonly shown: (
      tenant: TenantId,
      botId: BotId,
      keys: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
    /**
     * The dispatcher of one bot: runs until interrupted. There is one at a time per bot. The fate of rows left in
     * `sending` by a killed one is `unknown`: results are sent again first, the others stay as they are. Rows are
     * written with the fence of the caller's lease; it fails when a newer owner has written, or the lease is over.
     */
    readonly dispatch: (
      bot: BotKey,
      botId: BotId
    ) => Effect.Effect<never, SqlError.SqlError | FenceStale | LockLost, Lease>
    /** Removes rows settled longer ago than `age`. */
    readonly purge: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/telegram/Outbox") {
  static readonly layer: Layer.Layer<Outbox, never, TenantScope | Signals | BotPort | Pacer> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** States of a row whose message is in the chat, or will be. */
const there: ReadonlySet<string> = new Set(["pending", "sending", "sent"])

interface Loose {
  readonly tenant: TenantId
  readonly entry: OutboxEntry
  readonly span: Option.Option<Tracer.AnySpan>
}

const make = Effect.gen(function* () {
  // Only these: the dispatcher keeps its caller's tracer, loggers and clock.
  const services = Context.pick(
    TenantScope,
    BotPort,
    Pacer
  )(yield* Effect.context<TenantScope | BotPort | Pacer>())
  const scope = yield* TenantScope
  const watch = yield* makeWatch

  const enqueue = Effect.fn("Outbox.enqueue")(function* (
    tenant: TenantId,
    entries: ReadonlyArray<TracedEntry>
  ) {
    if (entries.length === 0) return
    yield* scope.transaction(tenant, (sql) => insert(sql, tenant, entries))
  })

  const together = yield* GroupCommit.make({
    batch: 100,
    parallel: 1,
    of: ({ tenant }) => tenant,
    write: (items: ReadonlyArray<Loose>) => {
      const { tenant } = items[0]!
      const entries = items.map(({ entry, span }) => ({ ...entry, span }))
      return scope
        .transaction(tenant, (sql) => insert(sql, tenant, entries))
        .pipe(Effect.as(items.map(() => undefined)), Effect.withSpan("Outbox.enqueueAlone"))
    }
  })

  const enqueueAlone = (tenant: TenantId, entry: OutboxEntry) =>
    Effect.flatMap(Effect.option(Effect.currentParentSpan), (span) => together({ tenant, entry, span }))

  const shown = Effect.fn("Outbox.shown")(function* (
    tenant: TenantId,
    botId: BotId,
    keys: ReadonlyArray<string>
  ) {
    if (keys.length === 0) return []
    const rows = yield* scope.transaction(tenant, (sql) => Rows.statuses(sql, { tenant, botId }, keys))
    return [...rows].flatMap(([key, { state }]) => (there.has(state) ? [key] : []))
  })

  const purge = Effect.fn("Outbox.purge")(function* (tenant: TenantId, age: Duration.Input) {
    const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
    yield* scope.transaction(tenant, (sql) => Rows.remove(sql, tenant, before))
  })

  return Outbox.of({
    enqueue,
    enqueueAlone,
    shown,
    dispatch: (bot, botId) =>
      Effect.provideContext(dispatch({ tenant: bot.tenant, app: bot.app, botId }, watch), services),
    purge
  })
})
