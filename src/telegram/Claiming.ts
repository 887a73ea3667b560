/**
 * Chooses what the dispatcher sends next: the most urgent of the rows that are first in their lane, as far as
 * the pace lets them. Remembers who has to wait until when, so that nobody is asked about in vain.
 */
import { Clock, Effect } from "effect"
import type { SqlClient } from "effect/sql"
import type { ChatId } from "../domain/Ids.ts"
import * as Claims from "./OutboxClaims.ts"
import type { OutboxRow, Owner } from "./OutboxRows.ts"
import { Pacer } from "./Pacer.ts"

/**
 * Rows on their way at once. As many as a kill can leave in doubt, and as many calls may hang before everybody
 * waits; broadcasts get the smaller part, for nobody waits for them.
 */
export const width = { whole: 32, broadcast: 8 } as const

/** What is on its way already. */
export interface Airspace {
  readonly size: () => number
  readonly broadcasts: () => number
  readonly failedBefore: (row: OutboxRow) => boolean
}

export interface Claimed {
  readonly due: ReadonlyArray<Claims.Due>
  /** Whether there may be more that could go at once. */
  readonly more: boolean
}

const nothing: Claimed = { due: [], more: false }

export const makeClaiming = Effect.fnUntraced(function* (owner: Owner, airspace: Airspace) {
  const pacer = yield* Pacer
  /** When a chat has a place again, and when a broadcast may find one, in Unix milliseconds. */
  const blocked = new Map<ChatId, number>()
  let broadcastAt: number | undefined

  /** Takes the place of a row, or notes who waits until when. */
  const placed = Effect.fnUntraced(function* (
    { row, urgency }: Claims.Due,
    parked: Array<Claims.ParkedChat>
  ) {
    const place = yield* pacer.claim(owner, { chat: row.chat, urgency, cost: row.cost })
    if (place._tag === "Later") {
      if (place.because === "bot") broadcastAt = place.at
      else blocked.set(row.chat, place.at)
      if (place.because === "parked") parked.push({ chat: row.chat, until: place.at })
      return false
    }
    if (!airspace.failedBefore(row)) return yield* Effect.as(pacer.called(owner), true)
    const refused = yield* pacer.repeat(owner)
    if (refused !== undefined) blocked.set(row.chat, refused)
    return refused === undefined
  })

  /** How many broadcasts may go now. Should it be none, somebody has to come back when it may be one. */
  const broadcasts = Effect.fnUntraced(function* (now: number, free: number) {
    const room = yield* pacer.room(owner)
    if (broadcastAt !== undefined && broadcastAt <= now) broadcastAt = undefined
    if (room.places === 0) broadcastAt = Math.max(broadcastAt ?? 0, room.at)
    return broadcastAt === undefined
      ? Math.max(Math.min(width.broadcast - airspace.broadcasts(), free, room.places), 0)
      : 0
  })

  const claim = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
    const now = yield* Clock.currentTimeMillis
    for (const [chat, at] of blocked) if (at <= now) blocked.delete(chat)
    const interactive = width.whole - airspace.size()
    if (interactive <= 0) return nothing
    const broadcast = yield* broadcasts(now, interactive)
    const rows = yield* Claims.due(sql, owner, { now, blocked: [...blocked.keys()], interactive, broadcast })
    const parked: Array<Claims.ParkedChat> = []
    const chosen: Array<Claims.Due> = []
    for (const one of rows) if (chosen.length < interactive && (yield* placed(one, parked))) chosen.push(one)
    yield* Claims.park(sql, owner, parked, now)
    const asked = (urgency: Claims.Due["urgency"]) => rows.filter((one) => one.urgency === urgency).length
    const more = asked("interactive") === interactive || (broadcast > 0 && asked("broadcast") === broadcast)
    if (chosen.length === 0) return { due: [], more }
    const ids = yield* Claims.claim(
      sql,
      owner,
      chosen.map(({ row }) => row.id)
    )
    return { due: chosen.filter(({ row }) => ids.has(row.id)), more }
  })

  return {
    claim,
    /** Whoever waits is asked about again. */
    forget: () => {
      blocked.clear()
      broadcastAt = undefined
    },
    /** The next time somebody who waits may go, in Unix milliseconds. */
    next: () => {
      let next = broadcastAt ?? Number.POSITIVE_INFINITY
      for (const at of blocked.values()) next = Math.min(next, at)
      return next
    }
  }
})
