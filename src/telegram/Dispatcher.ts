/**
 * Sends the outbox of one bot in rounds: each settles what came back and claims what is due, in one
 * transaction. Nothing leaves before its row says `sending`, durably.
 */
import { Clock, Duration, Effect, Metric, Queue, Schedule, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import type { ChatId } from "../domain/Ids.ts"
import { reach } from "../ops/Failpoint.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { botName } from "./Bots.ts"
import { makeFlights } from "./Flights.ts"
import { outboxOldest, outboxRows, outboxSettled } from "./metrics.ts"
import * as Rows from "./OutboxRows.ts"
import { Pacer } from "./Pacer.ts"
import { back, killed, type Plan, planOf, type Settlement } from "./Settlement.ts"

/**
 * Rows on their way at once: as many as a kill can leave in doubt. Telegram takes 30 messages a second from a bot
 * and answers each in about a tenth of one.
 */
const width = 8
/** Milliseconds. Signals can be missed: without one the rows are looked at this often. */
const lookEvery = 5_000
/** How long the first row waits for others. */
const gather = Duration.millis(10)
/** How long a message in flight is waited for at the end. */
const patience = Duration.seconds(2)

interface Claimed {
  readonly row: Rows.OutboxRow
  readonly plan: Plan | undefined
}

const statusKeys = (rows: ReadonlyArray<Rows.OutboxRow>) =>
  rows.flatMap(({ action }) => (action?._tag === "Resolve" ? [action.status] : []))

const plansOf = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  owner: Rows.Owner,
  rows: ReadonlyArray<Rows.OutboxRow>
) {
  const keys = statusKeys(rows)
  if (keys.length > 0) yield* Rows.supersede(sql, owner, keys)
  const statuses = keys.length > 0 ? yield* Rows.statuses(sql, owner, keys) : new Map()
  return rows.map(({ action, ...row }): Claimed => {
    if (action === undefined) return { row, plan: undefined }
    const status = action._tag === "Resolve" ? statuses.get(action.status) : undefined
    return { row: { ...row, action }, plan: planOf(action, status) }
  })
})

const unreadable: Settlement = { _tag: "Dead", reason: "this version cannot read the row" }

/** The state an operator sees counted. A result that is sent once more was unknown all the same. */
const countedAs = (settlement: Settlement): string | undefined => {
  switch (settlement._tag) {
    case "Sent":
      return "sent"
    case "Unknown":
      return "unknown"
    case "Dead":
    case "ChatDead":
      return "dead"
    case "Back":
      return settlement.doubted ? "unknown" : undefined
    default:
      return undefined
  }
}

const count = (all: ReadonlyArray<Rows.Settled>) =>
  Effect.forEach(
    all,
    ({ settlement }) => {
      const state = countedAs(settlement)
      return state === undefined
        ? Effect.void
        : Metric.update(Metric.withAttributes(outboxSettled, { state }), 1)
    },
    { discard: true }
  )

/** Rows a killed dispatcher left: edits are done again, of messages nobody knows whether they were sent. */
const recovered = ({ row, plan }: Claimed, now: number): Rows.Settled => {
  if (plan === undefined) return { row, settlement: unreadable }
  return {
    row,
    settlement:
      plan._tag === "Send" ? killed(row, now) : back(now, "the program was killed while it was being sent")
  }
}

export const dispatch = Effect.fnUntraced(function* (owner: Rows.Owner) {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const pacer = yield* Pacer
  const wake = yield* Queue.sliding<void>(1)
  const flights = yield* makeFlights(owner, wake)
  /** When a chat has a place in the pace again, and when rows given back are due, in Unix milliseconds. */
  const blocked = new Map<ChatId, number>()
  const deadlines = new Set<number>()
  // After a failed transaction it is not known which claims were committed: the rows are asked.
  let adrift = false

  const giveBack = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, now: number) {
    const rows = yield* Rows.sending(sql, owner, flights.ids())
    const settlement = back(now, "claimed and not sent")
    yield* Rows.settle(
      sql,
      owner,
      rows.map((row) => ({ row, settlement }))
    )
  })

  const claim = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, now: number) {
    const room = flights.health() === "well" ? width - flights.size() : 0
    if (room <= 0) return { claimed: [], more: false }
    const rows = yield* Rows.due(sql, owner, { now, blocked: [...blocked.keys()], limit: room })
    const placed: Array<Rows.OutboxRow> = []
    for (const row of rows) {
      const place = yield* pacer.take(owner, row.chat, "reply")
      if (place._tag === "Taken") placed.push(row)
      else blocked.set(row.chat, place.at)
    }
    if (placed.length === 0) return { claimed: [], more: rows.length === room }
    const mine = yield* Rows.claim(
      sql,
      owner,
      placed.map(({ id }) => id)
    )
    const claimed = yield* plansOf(
      sql,
      owner,
      placed.filter(({ id }) => mine.has(id))
    )
    return { claimed, more: rows.length === room }
  })

  const launch = ({ row, plan }: Claimed) =>
    Effect.gen(function* () {
      if (plan === undefined) return yield* flights.finish(row, unreadable)
      if (plan._tag !== "Hold") return yield* flights.launch(row, plan)
      const now = yield* Clock.currentTimeMillis
      yield* flights.finish(row, back(now + 200, "its status message is being sent"))
    })

  const settled = Effect.fnUntraced(function* (batch: ReadonlyArray<Rows.Settled>) {
    flights.forget(batch.length)
    adrift = false
    for (const { settlement } of batch) if (settlement._tag === "Back") deadlines.add(settlement.notBefore)
    yield* count(batch)
    if (batch.length > 0) yield* reach("settled")
  })

  /** Returns whether more is due than could be taken. */
  const round = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      for (const at of deadlines) if (at <= now) deadlines.delete(at)
      for (const [chat, at] of blocked) if (at <= now) blocked.delete(chat)
      const batch = flights.finished()
      const { claimed, more } = yield* restore(
        scope.transaction(owner.tenant, (sql) =>
          Effect.gen(function* () {
            yield* Rows.settle(sql, owner, batch)
            if (adrift) yield* giveBack(sql, now)
            return yield* claim(sql, now)
          })
        )
      )
      yield* settled(batch)
      yield* Effect.forEach(claimed, launch, { discard: true })
      return more && claimed.length > 0
    })
  ).pipe(
    Effect.tapError((error) => {
      adrift = true
      return Effect.logWarning(`The outbox of ${botName(owner)} cannot reach its rows: ${error.message}`)
    }),
    Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]))
  )

  const pause = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const next = Math.min(now + lookEvery, ...blocked.values(), ...[...deadlines].filter((at) => at > now))
    yield* Effect.timeoutOption(Queue.take(wake), Math.max(next - now, 1))
    // What becomes ready together goes together.
    yield* Effect.sleep(gather)
  })

  const start = scope.transaction(owner.tenant, (sql) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const left = yield* plansOf(sql, owner, yield* Rows.sending(sql, owner, []))
      const batch = left.map((claimed) => recovered(claimed, now))
      yield* Rows.settle(sql, owner, batch)
      for (const at of yield* Rows.deadlines(sql, owner)) deadlines.add(at)
      return batch
    })
  )

  const finish = Effect.gen(function* () {
    yield* flights.land(patience)
    const now = yield* Clock.currentTimeMillis
    const batch = flights.finished()
    yield* scope.transaction(owner.tenant, (sql) =>
      Effect.andThen(Rows.settle(sql, owner, batch), giveBack(sql, now))
    )
    yield* settled(batch)
  }).pipe(
    Effect.catchTag("SqlError", (error) =>
      Effect.logError(`The outbox of ${botName(owner)} could not write how it ended: ${error.message}`)
    )
  )

  const census = scope
    .transaction(owner.tenant, (sql) => Rows.census(sql, owner))
    .pipe(
      Effect.flatMap((open) =>
        Effect.andThen(
          Effect.forEach(["pending", "sending"] as const, (state) =>
            Metric.update(
              Metric.withAttributes(outboxRows, { state }),
              open.find((row) => row.state === state)?.count ?? 0
            )
          ),
          Metric.update(outboxOldest, Math.max(0, ...open.map(({ age }) => age)))
        )
      ),
      // The rounds say so when the database is away.
      Effect.ignore
    )

  yield* signals.listen("zapiska_outbox").pipe(
    Stream.filter((payload) => payload === botName(owner)),
    Stream.runForEach(() => Queue.offer(wake, undefined)),
    Effect.forkScoped({ startImmediately: true })
  )
  yield* count(yield* start)
  yield* Effect.forkScoped(Effect.repeat(census, Schedule.spaced("10 seconds")))
  yield* Effect.addFinalizer(() => finish)
  return yield* Effect.forever(
    Effect.gen(function* () {
      const more = yield* round
      yield* flights.recover
      if (!more) yield* pause
    })
  )
}, Effect.scoped)
