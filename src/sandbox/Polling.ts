/**
 * getUpdates as Telegram's server does it: asking with an offset confirms what is below it, the newer of two polls
 * ends the older one, an empty queue is waited on. The server's throttle of repeated equal offsets (one update
 * within 0.5 s, a pause of 3 s) is left out: it only slows a wrong client down.
 */
import { Deferred, Effect, Option, Result } from "effect"
import * as Args from "./Args.ts"
import type { Call } from "./Content.ts"
import { rememberAllowed, webhookOf } from "./methods/Settings.ts"
import { type Answer, conflict, type Refusal } from "./Refusal.ts"
import type { World } from "./World.ts"

/** Bot API: at most 100 updates at once; the server waits at most 50 s. */
const maximumLimit = 100
const maximumTimeout = 50

export interface UpdateRow {
  readonly seq: number
  readonly id: number
  readonly lane: string
  readonly json: string
  readonly forced: number
}

/** Confirmed updates kept in memory, to deliver once more when a test asks. */
const keptConfirmed = 1_000

export type Polling = ReturnType<typeof make>

export interface Signals {
  readonly wake: (bot: number) => void
  /** Done at the next `wake` of this bot. */
  readonly awaited: (bot: number) => Deferred.Deferred<void>
}

/** One waiting place per bot. */
export const signals = (): Signals => {
  const waiting = new Map<number, Deferred.Deferred<void>>()
  return {
    wake: (bot) => {
      const deferred = waiting.get(bot)
      waiting.delete(bot)
      if (deferred !== undefined) Deferred.doneUnsafe(deferred, Effect.void)
    },
    awaited: (bot) => {
      const deferred = waiting.get(bot) ?? Deferred.makeUnsafe<void>()
      waiting.set(bot, deferred)
      return deferred
    }
  }
}

export const make = (world: World, { awaited }: Signals) => {
  const { storage } = world
  const pollers = new Map<number, Deferred.Deferred<void>>()
  const confirmedBefore = new Map<number, Array<UpdateRow>>()

  /** What the bot has taken, by a poll or by its webhook. */
  const remember = (bot: number, rows: ReadonlyArray<UpdateRow>) => {
    const all = [...(confirmedBefore.get(bot) ?? []), ...rows.toSorted((a, b) => a.seq - b.seq)]
    confirmedBefore.set(bot, all.slice(-keptConfirmed))
  }

  /** An update given an id of its own is delivered once whatever the offset, so only then it can be confirmed. */
  const confirmBelow = (bot: number, offset: number) => {
    const rows = storage.all<UpdateRow>(
      "DELETE FROM updates WHERE bot = ? AND id < ? AND (forced = 0 OR delivered = 1) RETURNING seq, id, lane, json, forced",
      bot,
      offset
    )
    if (rows.length > 0) storage.afterCommit(() => remember(bot, rows))
  }

  const confirm = (bot: number, offset: number) => {
    storage.run("DELETE FROM updates WHERE bot = ? AND expires <= ?", bot, world.now())
    if (offset > 0) confirmBelow(bot, offset)
    if (offset < 0) {
      const first = storage.get<{ id: number }>(
        "SELECT min(id) AS id FROM (SELECT id FROM updates WHERE bot = ? ORDER BY seq DESC LIMIT ?)",
        bot,
        -offset
      )
      if (typeof first?.id === "number") confirmBelow(bot, first.id)
    }
  }

  const fetch = (bot: number, offset: number, limit: number): ReadonlyArray<UpdateRow> => {
    const rows = storage.all<UpdateRow>(
      "SELECT seq, id, lane, json, forced FROM updates WHERE bot = ? AND (id >= ? OR forced = 1) AND expires > ? ORDER BY seq LIMIT ?",
      bot,
      Math.max(offset, 0),
      world.now(),
      limit
    )
    for (const row of rows) {
      if (row.forced === 1) storage.run("UPDATE updates SET delivered = 1 WHERE seq = ?", row.seq)
    }
    return rows
  }

  const begin = (call: Call, offset: number): Answer<void> =>
    Result.gen(function* () {
      if (webhookOf(call.bot) !== undefined) {
        return yield* conflict(
          "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
      }
      yield* rememberAllowed(world, call)
      confirm(call.bot.id, offset)
    })

  const takeOver = (bot: number): Deferred.Deferred<void> => {
    const older = pollers.get(bot)
    const ended = Deferred.makeUnsafe<void>()
    pollers.set(bot, ended)
    if (older !== undefined) Deferred.doneUnsafe(older, Effect.void)
    return ended
  }

  const poll = (
    bot: number,
    offset: number,
    limit: number,
    millis: number,
    ended: Deferred.Deferred<void>
  ) => {
    const round = (): Effect.Effect<ReadonlyArray<UpdateRow>> =>
      Effect.suspend(() => {
        const news = awaited(bot)
        return Effect.flatMap(
          storage.commit(() => Result.succeed(fetch(bot, offset, limit))),
          (rows) => (rows.length > 0 ? Effect.succeed(rows) : Effect.andThen(Deferred.await(news), round()))
        )
      })
    const waiting = Effect.map(Effect.timeoutOption(round(), millis), (rows) =>
      Option.getOrElse(rows, (): ReadonlyArray<UpdateRow> => [])
    )
    const first = storage.commit(() => Result.succeed(fetch(bot, offset, limit)))
    const other = conflict(
      "terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    const terminated = Effect.andThen(Deferred.await(ended), Effect.fromResult(other))
    const answer = Effect.flatMap(first, (rows) =>
      rows.length > 0 || millis <= 0 ? Effect.succeed(rows) : waiting
    )
    return Effect.raceFirst(answer, terminated)
  }

  /** The updates as JSON texts. */
  const getUpdates = (call: Call): Effect.Effect<ReadonlyArray<UpdateRow>, Refusal> =>
    Effect.suspend(() => {
      const bot = call.bot.id
      const offset = Args.integer(call.args, "offset") ?? 0
      const asked = Args.integer(call.args, "limit") ?? maximumLimit
      const limit = asked >= 1 && asked <= maximumLimit ? asked : maximumLimit
      const timeout = Math.min(Math.max(Args.integer(call.args, "timeout") ?? 0, 0), maximumTimeout)
      return Effect.flatMap(
        storage.commit(() => begin(call, offset)),
        () => {
          const ended = takeOver(bot)
          return Effect.ensuring(
            poll(bot, offset, limit, timeout * 1000, ended),
            Effect.sync(() => {
              if (pollers.get(bot) === ended) pollers.delete(bot)
            })
          )
        }
      )
    })

  /** The last confirmed updates, oldest first. */
  const confirmed = (bot: number, count: number): ReadonlyArray<UpdateRow> =>
    count <= 0 ? [] : (confirmedBefore.get(bot) ?? []).slice(-count)

  return { getUpdates, confirmed, remember }
}
