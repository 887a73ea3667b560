/**
 * Sends the outbox of one bot in rounds: each settles what came back and claims what is due, in one
 * transaction. Nothing leaves before its row says `sending`, durably.
 */
import { Clock, Duration, Effect, Queue, Schedule } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { accept } from "../lock/Fences.ts"
import { Lease } from "../lock/Locks.ts"
import { reach } from "../ops/Failpoint.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { botName } from "./Bots.ts"
import { makeClaiming } from "./Claiming.ts"
import { makeFlights } from "./Flights.ts"
import * as Claims from "./OutboxClaims.ts"
import { count } from "./OutboxCounting.ts"
import { supersede } from "./OutboxInsert.ts"
import * as Rows from "./OutboxRows.ts"
import type { OutboxWatch } from "./OutboxWatch.ts"
import { setBackBy } from "./PaceRules.ts"
import { Pacer } from "./Pacer.ts"
import { back, killed, type Plan, planOf, type Settlement } from "./Settlement.ts"

/** How long the first row waits for others. */
const gather = Duration.millis(2)
/** How long a message in flight is waited for at the end. */
const patience = Duration.seconds(2)

type Planned<R extends { readonly row: Rows.OutboxRow }> = R & { readonly plan: Plan | undefined }

const statusKeys = (rows: ReadonlyArray<Rows.OutboxRow>) =>
  rows.flatMap(({ action }) => (action?._tag === "Resolve" ? [action.status] : []))

const plansOf = Effect.fnUntraced(function* <R extends { readonly row: Rows.OutboxRow }>(
  sql: SqlClient.SqlClient,
  owner: Rows.Owner,
  all: ReadonlyArray<R>
) {
  const keys = statusKeys(all.map(({ row }) => row))
  if (keys.length > 0) yield* supersede(sql, owner, keys)
  const statuses = keys.length > 0 ? yield* Rows.statuses(sql, owner, keys) : new Map()
  return all.map((one): Planned<R> => {
    const { action } = one.row
    const status = action?._tag === "Resolve" ? statuses.get(action.status) : undefined
    return { ...one, plan: action === undefined ? undefined : planOf(action, one.row, status) }
  })
})

const unreadable: Settlement = { _tag: "Dead", reason: "this version cannot read the row" }

/** Rows a killed dispatcher left: edits are done again, of messages nobody knows whether they were sent. */
const recovered = ({ row, plan }: Planned<{ readonly row: Rows.OutboxRow }>, now: number): Rows.Settled => {
  if (plan === undefined) return { row, settlement: unreadable }
  return {
    row,
    settlement:
      plan._tag === "Send" ? killed(row, now) : back(now, "the program was killed while it was being sent")
  }
}

export const dispatch = Effect.fnUntraced(function* (owner: Rows.Owner, { watch }: OutboxWatch) {
  const scope = yield* TenantScope
  const lease = yield* Lease
  const pacer = yield* Pacer
  const wake = yield* Queue.sliding<void>(1)
  const flights = yield* makeFlights(owner, wake)
  const claiming = yield* makeClaiming(owner, flights)
  /** Nothing is written, and nothing sent, by one who does not know yet that another owns the bot. */
  const transaction = <A, E>(body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
    scope.transaction(owner.tenant, (sql) =>
      Effect.andThen(
        accept(sql, owner.tenant, `outbox/${owner.botId}`, lease.fence),
        Effect.suspend(() => body(sql))
      )
    )
  /** When rows given back are due, in Unix milliseconds. */
  const deadlines = new Set<number>()
  // After a failed transaction it is not known which claims were committed: the rows are asked.
  let adrift = false
  /** The time of the last round. */
  let latest = 0

  const giveBack = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, now: number) {
    const rows = yield* Rows.sending(sql, owner, flights.ids())
    const settlement = back(now, "claimed and not sent")
    yield* Rows.settle(
      sql,
      owner,
      rows.map((row) => ({ row, settlement })),
      now
    )
  })

  /** Rows wait no longer for a clock that was set back than they would have. */
  const setBack = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, by: number) {
    yield* Claims.setBack(sql, owner, by)
    claiming.forget()
    deadlines.clear()
    for (const at of yield* Claims.deadlines(sql, owner)) deadlines.add(at)
  })

  const claim = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
    if (flights.health() !== "well") return { claimed: [], more: false }
    const { due, more } = yield* claiming.claim(sql)
    return { claimed: yield* plansOf(sql, owner, due), more }
  })

  const launch = (one: Planned<Claims.Due>) =>
    Effect.gen(function* () {
      const { row, plan } = one
      if (plan === undefined) return yield* flights.finish(row, unreadable)
      if (plan._tag !== "Hold") return yield* flights.launch(one, plan)
      const now = yield* Clock.currentTimeMillis
      yield* flights.finish(row, back(now + 200, "its status message is being sent"))
    })

  /** What Telegram wants to be left alone, for the rows that wait behind those that found out. */
  const parksOf = (batch: ReadonlyArray<Rows.Settled>): ReadonlyArray<Claims.ParkedChat> =>
    batch.flatMap(({ row, settlement }) =>
      settlement._tag === "Back" && settlement.parked ? [{ chat: row.chat, until: settlement.notBefore }] : []
    )

  const settle = (sql: SqlClient.SqlClient, batch: ReadonlyArray<Rows.Settled>, now: number) =>
    Effect.andThen(Rows.settle(sql, owner, batch, now), Claims.park(sql, owner, parksOf(batch), now))

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
      const batch = flights.finished()
      const { claimed, more } = yield* restore(
        transaction((sql) =>
          Effect.gen(function* () {
            yield* settle(sql, batch, now)
            const by = setBackBy(latest, now)
            if (by > 0) yield* setBack(sql, by)
            if (adrift) yield* giveBack(sql, now)
            return yield* claim(sql)
          })
        )
      )
      latest = now
      yield* settled(batch)
      // What Telegram is told cannot compare a fence.
      if (claimed.length > 0) yield* lease.check
      yield* Effect.forEach(claimed, launch, { discard: true })
      return more
    })
  ).pipe(
    Effect.tapError((error) => {
      adrift = true
      return Effect.logWarning(`The outbox of ${botName(owner)} cannot reach its rows: ${error.message}`)
    }),
    Effect.retry({
      while: SqlError.isSqlError,
      schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])
    })
  )

  const pause = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    // Who waits for a place waits for Telegram's health first, of which we are told.
    let next = flights.health() === "well" ? claiming.next() : Number.POSITIVE_INFINITY
    for (const at of deadlines) next = Math.min(next, at)
    const woken = yield* next === Number.POSITIVE_INFINITY
      ? Effect.asSome(Queue.take(wake))
      : Effect.timeoutOption(Queue.take(wake), Math.max(next - now, 1))
    // What becomes ready together goes together. A place in the pace is not kept waiting.
    if (woken._tag === "Some") yield* Effect.sleep(gather)
  })

  const start = transaction((sql) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const past = yield* Claims.past(sql, owner, now)
      const left = yield* Rows.sending(sql, owner, [])
      const planned = yield* plansOf(
        sql,
        owner,
        left.map((row) => ({ row }))
      )
      const batch = planned.map((one) => recovered(one, now))
      yield* Rows.settle(sql, owner, batch, now)
      for (const at of yield* Claims.deadlines(sql, owner)) deadlines.add(at)
      return { batch, past }
    })
  )

  const finish = Effect.gen(function* () {
    yield* flights.land(patience)
    const now = yield* Clock.currentTimeMillis
    const batch = flights.finished()
    yield* transaction((sql) => Effect.andThen(settle(sql, batch, now), giveBack(sql, now)))
    yield* settled(batch)
  }).pipe(
    Effect.catch((error) =>
      Effect.logError(`The outbox of ${botName(owner)} could not write how it ended: ${error.message}`)
    )
  )

  yield* watch({ owner, wake })
  const { batch, past } = yield* start
  yield* pacer.restore(owner, past)
  yield* count(batch)
  yield* Effect.addFinalizer(() => finish)
  return yield* Effect.forever(
    Effect.gen(function* () {
      const more = yield* round
      yield* flights.recover
      if (!more) yield* pause
    })
  )
}, Effect.scoped)
