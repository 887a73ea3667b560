/**
 * Collects the messages of one conversation into units: a window opens at the first message, each further
 * one extends it, and the unit is processed when it closes. Units and other work of the conversation run
 * strictly one after the other.
 *
 * It holds nothing durable. Whoever offers a message learns when its unit is finished, and until then keeps
 * it stored.
 */
import { Array as Arr, Clock, Deferred, Effect, Latch } from "effect"
import type { MessageId, UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"
import {
  belongs,
  closesAt,
  extended,
  inOrder,
  type Members,
  opened,
  type WindowMember,
  type WindowRules,
  type WindowState
} from "./Window.ts"

/**
 * `finished`: the effects of the unit are durable. `reopen`: its window was stopped before that, or a part of it
 * turned out to be durable already; offer the message again.
 */
export type Outcome = "finished" | "reopen"

export type CloseReason = "quiet" | "done" | "split"

/** A closed window. `absorbed`: updates that only edited a member while the window was open. */
export interface Unit {
  /** The update that opened the window: its name in the status message and the answer. */
  readonly first: UpdateId
  readonly members: Members
  readonly absorbed: ReadonlyArray<UpdateId>
  readonly reason: CloseReason
  /** Unix milliseconds of our clock. */
  readonly closedAt: number
}

/** A place in the line of a conversation's work. */
interface Place {
  readonly wait: Effect.Effect<void>
  readonly leave: Effect.Effect<void>
}

interface OpenWindow {
  readonly first: UpdateId
  state: WindowState
  members: Members
  absorbed: Array<UpdateId>
  /** Set when it closes. */
  closed: { readonly reason: CloseReason; readonly place: Place } | undefined
  readonly wake: Latch.Latch
  readonly outcome: Deferred.Deferred<Outcome>
}

export interface AggregatorOptions<R> {
  readonly rules: WindowRules
  /** Starts the fiber of a window. Does nothing when the process is shutting down. */
  readonly fork: (first: WindowMember, fiber: Effect.Effect<void, never, R>) => Effect.Effect<void, never, R>
  /**
   * Makes the effects of a unit durable, or finds that its messages must be offered again. Called for one unit
   * at a time, in the order the windows opened.
   */
  readonly process: (unit: Unit) => Effect.Effect<Outcome, never, R>
  /** Called in the fiber of a window when it opens. */
  readonly onOpen: (first: WindowMember) => Effect.Effect<void, never, R>
}

export const make = <R>(options: AggregatorOptions<R>) => {
  let open: OpenWindow | undefined
  let last: Deferred.Deferred<void> | undefined

  const queueUp = (): Place => {
    const before = last
    const mine = Deferred.makeUnsafe<void>()
    last = mine
    return {
      wait: before === undefined ? Effect.void : Deferred.await(before),
      leave: Effect.sync(() => {
        Deferred.doneUnsafe(mine, Effect.void)
        if (last === mine) last = undefined
      })
    }
  }

  // A window takes its place when it closes, at once: what comes later waits behind it, what was asked for
  // while it was open does not.
  const close = (window: OpenWindow, reason: CloseReason): Place => {
    window.closed ??= { reason, place: queueUp() }
    if (open === window) open = undefined
    window.wake.openUnsafe()
    return window.closed.place
  }

  const untilClosed = (window: OpenWindow): Effect.Effect<void> =>
    Effect.gen(function* () {
      while (window.closed === undefined) {
        const left = closesAt(window.state, options.rules) - (yield* Clock.currentTimeMillis)
        if (left > 0) yield* Effect.raceFirst(Effect.sleep(left), window.wake.await)
        else close(window, "quiet")
      }
    })

  const run = (window: OpenWindow): Effect.Effect<void, never, R> =>
    Effect.gen(function* () {
      yield* options.onOpen(window.members[0])
      yield* untilClosed(window)
      const closedAt = yield* Clock.currentTimeMillis
      const { reason, place } = window.closed!
      yield* place.wait
      const outcome = yield* options.process({
        first: window.first,
        members: inOrder(window.members),
        absorbed: window.absorbed,
        reason,
        closedAt
      })
      Deferred.doneUnsafe(window.outcome, Effect.succeed(outcome))
    }).pipe(
      // Stopped by an operator or at shutdown: nothing is lost, the messages are still stored.
      Effect.ensuring(
        Effect.suspend(() => {
          Deferred.doneUnsafe(window.outcome, Effect.succeed("reopen"))
          return close(window, "split").leave
        })
      )
    )

  const openWindow = (first: WindowMember, now: number) =>
    Effect.gen(function* () {
      const window: OpenWindow = {
        first: first.updateId,
        state: opened(first, now),
        members: [first],
        absorbed: [],
        closed: undefined,
        wake: Latch.makeUnsafe(),
        outcome: Deferred.makeUnsafe<Outcome>()
      }
      open = window
      // At shutdown the outcome stays open: the message is kept and delivered again after the restart.
      yield* options.fork(first, run(window))
      return window
    })

  /** The edit of a message can come before the message itself: the newer text counts, once. */
  const newer = (one: IncomingMessage, other: IncomingMessage): IncomingMessage =>
    (other.editDate ?? 0) >= (one.editDate ?? 0) ? other : one

  const merge = (update: {
    readonly updateId: UpdateId
    readonly message: IncomingMessage
  }): Effect.Effect<Outcome> | undefined => {
    const window = open
    const { messageId } = update.message
    if (window === undefined || !window.members.some((one) => one.message.messageId === messageId)) {
      return undefined
    }
    window.members = Arr.map(window.members, (one) =>
      one.message.messageId === messageId ? { ...one, message: newer(one.message, update.message) } : one
    )
    window.absorbed.push(update.updateId)
    return Deferred.await(window.outcome)
  }

  return {
    /** Puts a message into a window. The effect ends when that is done; the inner one when its unit is. */
    offer: (member: WindowMember): Effect.Effect<Effect.Effect<Outcome>, never, R> =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const current = open
        const merged = merge(member)
        if (merged !== undefined) return merged
        if (current !== undefined && belongs(current.state, member, options.rules)) {
          current.state = extended(current.state, member, now)
          current.members = Arr.append(current.members, member)
          return Deferred.await(current.outcome)
        }
        if (current !== undefined) close(current, "split")
        return Deferred.await((yield* openWindow(member, now)).outcome)
      }),

    /** Puts the edit of a message of the open window in its place. `undefined`: it is not there. */
    merge,

    /** Closes the open window, if there is one. */
    closeNow: Effect.sync(() => {
      if (open !== undefined) close(open, "done")
    }),

    /**
     * Gives other work of the conversation its turn, after the units already closed. The place in line is
     * taken by the call itself; the effect it returns must be run.
     */
    inTurn: <A, E, R2>(effect: Effect.Effect<A, E, R2>): Effect.Effect<A, E, R2> => {
      const place = queueUp()
      return place.wait.pipe(Effect.andThen(effect), Effect.ensuring(place.leave))
    },

    /** Messages in the open window. */
    pending: (): ReadonlyArray<{ readonly messageId: MessageId }> =>
      open?.members.map((one) => ({ messageId: one.message.messageId })) ?? []
  }
}

export type Aggregator<R> = ReturnType<typeof make<R>>
