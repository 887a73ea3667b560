/**
 * Wakes the dispatchers of this process when there may be something for them to send: one who listens, and one who
 * looks, for all of them. A thousand idle bots ask the database no more often than their tenants are many.
 */
import { Effect, Queue, Schedule, type Scope, Stream } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { botName } from "./Bots.ts"
import { census } from "./OutboxCounting.ts"
import * as Rows from "./OutboxRows.ts"

/** Signals can be missed: so often it is looked who has rows. */
const lookEvery = "5 seconds"

interface Dispatcher {
  readonly owner: Rows.Owner
  readonly wake: Queue.Queue<void>
}

export interface OutboxWatch {
  /** For as long as the scope lasts, `wake` is offered to when rows of the bot may have come. */
  readonly watch: (dispatcher: Dispatcher) => Effect.Effect<void, never, Scope.Scope>
}

export const makeWatch: Effect.Effect<OutboxWatch, never, Scope.Scope | Signals | TenantScope> = Effect.gen(
  function* () {
    const scope = yield* TenantScope
    const signals = yield* Signals
    /** By the name of their bot. The next of a bot may begin while the one before it ends. */
    const dispatchers = new Map<string, ReadonlyArray<Dispatcher>>()

    const wake = (bot: string) =>
      Effect.sync(() => {
        for (const one of dispatchers.get(bot) ?? []) Queue.offerUnsafe(one.wake, undefined)
      })
    const wakeAll = Effect.suspend(() => Effect.forEach([...dispatchers.keys()], wake, { discard: true }))

    /** What is open of those of one tenant; they are woken. */
    const look = Effect.fnUntraced(function* (tenant: TenantId, own: ReadonlyArray<Dispatcher>) {
      const rows = yield* scope.transaction(tenant, (sql) => Rows.open(sql, tenant))
      const ours = new Map(own.map(({ owner }) => [owner.botId, owner]))
      const open = rows.filter(({ bot }) => ours.has(bot))
      yield* Effect.forEach(open, ({ bot }) => wake(botName(ours.get(bot)!)), { discard: true })
      return open
    })

    const lookAround = Effect.suspend(() =>
      Effect.forEach(
        Map.groupBy([...dispatchers.values()].flat(), ({ owner }) => owner.tenant),
        ([tenant, own]) => look(tenant, own)
      )
    ).pipe(
      Effect.flatMap((all) => census(all.flat())),
      Effect.catch(({ message }) =>
        Effect.logWarning(`Which bots have something to send cannot be looked at: ${message}; trying again`)
      )
    )

    yield* Effect.forkScoped(Stream.runForEach(signals.listen("zapiska_outbox"), wake), {
      startImmediately: true
    })
    yield* Effect.forkScoped(
      Stream.runForEach(signals.resumed, () => wakeAll),
      { startImmediately: true }
    )
    yield* Effect.forkScoped(Effect.repeat(lookAround, Schedule.spaced(lookEvery)))

    return {
      watch: (dispatcher) => {
        const bot = botName(dispatcher.owner)
        const others = () => (dispatchers.get(bot) ?? []).filter((one) => one !== dispatcher)
        return Effect.acquireRelease(
          Effect.sync(() => void dispatchers.set(bot, [...others(), dispatcher])),
          () =>
            Effect.sync(() => {
              const left = others()
              if (left.length > 0) dispatchers.set(bot, left)
              else dispatchers.delete(bot)
            })
        )
      }
    }
  }
)
