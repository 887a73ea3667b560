/**
 * Asked before anything is stored: has this person, or their tenant, sent more than they may? What is over a limit is
 * not stored; the person is told once in a window, and when it goes on.
 */
import { Cache, Clock, Context, Duration, Effect, Exit, FiberSet, Layer, Metric } from "effect"
import type { SqlError } from "effect/sql"
import { Address } from "../domain/Address.ts"
import { plain } from "../domain/FormattedText.ts"
import type { TenantId, UpdateId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import { languageOf } from "../domain/Language.ts"
import type { TenantLimits } from "../domain/TenantLimits.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import * as Believed from "../store/Believed.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present, type TenantUnknown } from "../store/Tenants.ts"
import { type BotKey, BotPort } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { updatesOverLimit } from "./intakeMetrics.ts"
import { LimitCounters } from "./LimitCounters.ts"
import {
  hour,
  hourAt,
  type LimitName,
  type LimitSettings,
  limitText,
  type Meter,
  metersOf,
  needsRoom,
  sentAt,
  windowAt
} from "./LimitRules.ts"
import { type ConversationRef, conversationOf } from "./UpdateDecoder.ts"

const none: TenantLimits = {
  userPerMinute: null,
  userPerDay: null,
  tenantPerMinute: null,
  tenantPerDay: null,
  storageBytes: null
}

export class Limits extends Context.Service<
  Limits,
  {
    /**
     * Of updates of one person in one chat, in their order: those that are over a limit. The others are counted,
     * each once, however often it is asked about, also by another process: one that Telegram delivers again, for it was
     * not stored. What was sent before `since` (Unix milliseconds) passes: whoever
     * received it before a crash has counted it, and what piled up while nobody listened is no flood.
     */
    readonly over: (
      bot: BotKey,
      updates: ReadonlyArray<IncomingUpdate>,
      since?: number
    ) => Effect.Effect<ReadonlySet<UpdateId>, SqlError.SqlError>
    /** Whether the tenant stores all it may. */
    readonly full: (tenant: TenantId) => Effect.Effect<boolean, SqlError.SqlError>
    readonly get: (tenant: TenantId) => Effect.Effect<TenantLimits, SqlError.SqlError>
    /** Changes those that are given, on every replica; null takes one back to the default. */
    readonly set: (
      tenant: TenantId,
      limits: Partial<TenantLimits>,
      actor: Actor
    ) => Effect.Effect<TenantLimits, TenantUnknown | SqlError.SqlError>
    /** Those of the installation, where a tenant has none of its own; null: no limit. */
    readonly defaults: Effect.Effect<TenantLimits>
  }
>()("zapiska/telegram/Limits") {
  static readonly layer = (
    defaults: LimitSettings
  ): Layer.Layer<Limits, never, Audit | BotPort | LimitCounters | Signals | TenantScope> =>
    Layer.effect(Limits, make(defaults))
}

/** How long it is believed how much a tenant stores. */
const weighed = Duration.minutes(1)
/** Of so many updates a bot remembers that they were counted, should they be offered again. */
const remembered = 200
/** Milliseconds: who cannot be told by then is not told. */
const patience = 30_000

const nobody: ReadonlySet<UpdateId> = new Set()

interface Row {
  readonly user_per_minute: number | null
  readonly user_per_day: number | null
  readonly tenant_per_minute: number | null
  readonly tenant_per_day: number | null
  readonly storage_bytes: number | null
}

const limitsOf = (row: Row | undefined): TenantLimits =>
  row === undefined
    ? none
    : {
        userPerMinute: row.user_per_minute,
        userPerDay: row.user_per_day,
        tenantPerMinute: row.tenant_per_minute,
        tenantPerDay: row.tenant_per_day,
        storageBytes: row.storage_bytes
      }

/** The tenant's own before the defaults. */
const effective = (own: TenantLimits, defaults: LimitSettings): LimitSettings => ({
  ...defaults,
  ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null))
})

interface Sent {
  readonly id: UpdateId
  readonly at: number
  readonly update: IncomingUpdate
}

/** Which limit stopped it, and when that ends. */
interface Stop {
  readonly limit: LimitName
  readonly ends: number
}

const make = Effect.fnUntraced(function* (defaults: LimitSettings) {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const audit = yield* Audit
  const port = yield* BotPort
  const counters = yield* LimitCounters
  const telling = yield* FiberSet.make<void>()

  const read = (tenant: TenantId) =>
    scope.transaction(tenant, (sql) =>
      Effect.map(
        sql<Row>`SELECT user_per_minute, user_per_day, tenant_per_minute, tenant_per_day,
          storage_bytes::float8 AS storage_bytes FROM limits WHERE tenant_id = ${tenant}`,
        ([row]) => limitsOf(row)
      )
    )
  const settings = yield* Believed.make("zapiska_people", (tenant) =>
    Effect.map(read(tenant), (own) => effective(own, defaults))
  )
  /** Bytes of everything a tenant keeps. Lengths are read without the contents. */
  const stored = yield* Cache.makeWith<TenantId, number, SqlError.SqlError>(
    (tenant) =>
      scope.transaction(tenant, (sql) =>
        Effect.map(
          sql<{ bytes: number }>`SELECT COALESCE(sum(octet_length(bytes)), 0)::float8 AS bytes
            FROM blobs WHERE tenant_id = ${tenant}`,
          ([row]) => row!.bytes
        )
      ),
    { capacity: 1000, timeToLive: (exit) => (Exit.isSuccess(exit) ? weighed : Duration.zero) }
  )

  const counted = new Map<string, Set<UpdateId>>()
  const remember = (bot: BotKey, ids: ReadonlyArray<UpdateId>) => {
    const known = counted.get(botName(bot)) ?? new Set()
    for (const id of ids) known.add(id)
    for (const id of known) if (known.size > remembered) known.delete(id)
    counted.set(botName(bot), known)
  }

  /** Those of them one meter stops, window by window, with when that ends. */
  const metered = Effect.fnUntraced(function* (meter: Meter, sent: ReadonlyArray<Sent>) {
    const stops = new Map<UpdateId, Stop>()
    for (const [ends, inWindow] of Map.groupBy(sent, ({ at }) => windowAt(meter.span, at).ends)) {
      const window = windowAt(meter.span, inWindow[0]!.at)
      const granted = yield* counters.take({ ...meter, window, wanted: inWindow.length })
      for (const { id } of inWindow.slice(granted)) stops.set(id, { limit: meter.name, ends })
    }
    return stops
  })

  const fullOf = (tenant: TenantId) =>
    Effect.flatMap(settings.get(tenant), ({ storageBytes }) =>
      storageBytes === undefined
        ? Effect.succeed(false)
        : Effect.map(Cache.get(stored, tenant), (bytes) => bytes >= storageBytes)
    )

  const stopsOf = Effect.fnUntraced(function* (
    tenant: TenantId,
    user: number,
    limits: LimitSettings,
    sent: ReadonlyArray<Sent>
  ) {
    const stops = new Map<UpdateId, Stop>()
    if (yield* fullOf(tenant)) {
      const ends = (yield* Clock.currentTimeMillis) + hour
      for (const { id, update } of sent) if (needsRoom(update)) stops.set(id, { limit: "storage", ends })
    }
    for (const meters of metersOf(limits, tenant, user)) {
      const left = sent.filter(({ id }) => !stops.has(id))
      if (left.length === 0) break
      const all = yield* Effect.forEach(meters, (meter) => metered(meter, left), { concurrency: "unbounded" })
      for (const [id, stop] of all.flatMap((some) => [...some])) stops.set(id, stop)
    }
    return stops
  })

  /** Once in a window, whichever process finds it; outside of the caller, who waits for nothing. */
  const tell = Effect.fnUntraced(function* (
    bot: BotKey,
    { chat, sender, thread }: ConversationRef,
    stop: Stop
  ) {
    const now = yield* Clock.currentTimeMillis
    const window =
      stop.limit === "storage"
        ? { span: "day" as const, nth: Math.floor(now / hour), ends: stop.ends }
        : windowAt(stop.limit.endsWith("minute") ? "minute" : "day", stop.ends - 1)
    const key = `${bot.tenant}/told/${stop.limit}/${sender.id}`
    if ((yield* counters.take({ key, window, limit: 1, wanted: 1 })) === 0) return
    const text = plain(limitText(languageOf(sender.language), stop.limit, { now, ends: stop.ends }))
    const address = new Address({ ...bot, chat: chat.id, ...(thread === undefined ? {} : { thread }) })
    yield* FiberSet.run(
      telling,
      port.send(address, { _tag: "Text", text }, { deadline: now + patience }).pipe(
        Effect.asVoid,
        Effect.catchCause((cause) => Effect.logDebug("Who sent too much could not be told", cause))
      )
    )
  })

  return Limits.of({
    over: Effect.fnUntraced(function* (bot, updates, since = Number.NEGATIVE_INFINITY) {
      const place = updates[0] && conversationOf(updates[0])
      if (place === undefined) return nobody
      const limits = yield* settings.get(bot.tenant)
      if (Object.keys(limits).length === 0) return nobody
      const now = yield* Clock.currentTimeMillis
      const known = counted.get(botName(bot))
      // Telegram tells the second.
      const begun = Math.floor(since / 1000) * 1000
      const sent = updates.flatMap((update): ReadonlyArray<Sent> => {
        const at = sentAt(update, now)
        const id = update.updateId
        return at === undefined || at < begun || known?.has(id) ? [] : [{ id, at, update }]
      })
      // Whoever polls a bot after another knows by `since` what that one counted.
      const fresh =
        since > Number.NEGATIVE_INFINITY
          ? sent
          : yield* Effect.filter(sent, ({ at, id }) =>
              counters.first(`${bot.tenant}/counted/${bot.app}/${id}`, hourAt(at))
            )
      if (fresh.length === 0) return nobody
      const stops = yield* stopsOf(bot.tenant, place.sender.id, limits, fresh)
      remember(
        bot,
        sent.flatMap(({ id }) => (stops.has(id) ? [] : [id]))
      )
      for (const [limit, all] of Map.groupBy(stops.values(), (stop) => stop.limit)) {
        yield* Metric.update(Metric.withAttributes(updatesOverLimit, { limit }), all.length)
        yield* tell(bot, place, all.at(-1)!)
      }
      return new Set(stops.keys())
    }),

    full: Effect.fn("Limits.full")(fullOf),

    get: Effect.fn("Limits.get")(read),
    defaults: Effect.succeed({ ...none, ...defaults }),

    set: Effect.fn("Limits.set")((tenant, given, actor) =>
      scope
        .transaction(tenant, (sql) =>
          Effect.gen(function* () {
            yield* sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenant} FOR NO KEY UPDATE`
            yield* present(sql, tenant)
            const limits = { ...(yield* read(tenant)), ...given }
            const row = {
              tenant_id: tenant,
              user_per_minute: limits.userPerMinute,
              user_per_day: limits.userPerDay,
              tenant_per_minute: limits.tenantPerMinute,
              tenant_per_day: limits.tenantPerDay,
              storage_bytes: limits.storageBytes
            }
            yield* sql`DELETE FROM limits WHERE tenant_id = ${tenant}`
            yield* sql`INSERT INTO limits SELECT * FROM jsonb_populate_record(NULL::limits,
              ${JSON.stringify(row)}::jsonb)`
            yield* audit.record({
              tenant,
              actor,
              action: "tenant.limits",
              subject: tenant,
              details: { ...given }
            })
            yield* signals.notify(sql, "zapiska_people", tenant)
            return limits
          })
        )
        .pipe(Effect.ensuring(settings.forget(tenant)))
    )
  })
})
