/**
 * What the bot is going to say, durable with the decision to say it. The dispatcher of each bot sends the
 * rows of a (chat, thread) strictly in order, through retries.
 *
 * States: `pending → sending → sent | unknown | dead`.
 */
import { Clock, Context, Duration, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { BotId, TenantId } from "../domain/Ids.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type BotKey, BotPort } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { dispatch } from "./Dispatcher.ts"
import type { OutboxEntry } from "./OutboxEntry.ts"
import * as Rows from "./OutboxRows.ts"
import { Pacer } from "./Pacer.ts"

export * from "./OutboxEntry.ts"

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Adds the entries; joins the caller's transaction and wakes the dispatcher when it commits. */
    readonly enqueue: (
      tenant: TenantId,
      entries: ReadonlyArray<OutboxEntry>
    ) => Effect.Effect<void, SqlError.SqlError>
    /**
     * The dispatcher of one bot: runs until interrupted. There is one at a time per bot. Rows left in
     * `sending` by a killed one become `unknown` first.
     */
    readonly dispatch: (bot: BotKey, botId: BotId) => Effect.Effect<never, SqlError.SqlError>
    /** Removes rows settled longer ago than `age`. */
    readonly purge: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/telegram/Outbox") {
  static readonly layer: Layer.Layer<Outbox, never, TenantScope | Signals | BotPort | Pacer> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** Bots by the name their dispatcher listens for, each once. */
const namesOf = (entries: ReadonlyArray<OutboxEntry>) =>
  new Set(entries.map(({ address }) => botName(address)))

const resolvedBy = (entries: ReadonlyArray<OutboxEntry>, botId: BotId) =>
  entries.flatMap((entry) =>
    entry.botId === botId && entry.action._tag === "Resolve" ? [entry.action.status] : []
  )

const make = Effect.gen(function* () {
  // Only these: the dispatcher keeps its caller's tracer, loggers and clock.
  const services = Context.pick(
    TenantScope,
    Signals,
    BotPort,
    Pacer
  )(yield* Effect.context<TenantScope | Signals | BotPort | Pacer>())
  const scope = yield* TenantScope
  const signals = yield* Signals

  const enqueue = Effect.fn("Outbox.enqueue")(function* (
    tenant: TenantId,
    entries: ReadonlyArray<OutboxEntry>
  ) {
    if (entries.length === 0) return
    yield* scope.transaction(tenant, (sql) =>
      Effect.gen(function* () {
        for (const botId of new Set(entries.map((entry) => entry.botId))) {
          const keys = resolvedBy(entries, botId)
          if (keys.length > 0) yield* Rows.supersede(sql, { tenant, botId }, keys)
        }
        yield* Rows.insert(sql, tenant, entries)
        for (const name of namesOf(entries)) yield* signals.notify(sql, "zapiska_outbox", name)
      })
    )
  })

  const purge = Effect.fn("Outbox.purge")(function* (tenant: TenantId, age: Duration.Input) {
    const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
    yield* scope.transaction(tenant, (sql) => Rows.remove(sql, tenant, before))
  })

  return Outbox.of({
    enqueue,
    dispatch: (bot, botId) =>
      Effect.provideContext(dispatch({ tenant: bot.tenant, app: bot.app, botId }), services),
    purge
  })
})
