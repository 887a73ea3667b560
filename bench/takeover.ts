/**
 * Three replicas, of which one after the other is killed or frozen while people write: how long until what it had in
 * hand is done elsewhere, and until its bots are polled again.
 */
import { Clock, Effect, Fiber, Layer } from "effect"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import { DatabaseOwner } from "../src/store/DatabaseOwner.ts"
import { LocalPostgres } from "../src/store/LocalPostgres.ts"
import { cluster, type SeenPoll, type Way } from "../test/durability/replicas/Cluster.ts"
import { type Ask, asking, inHand, left } from "../test/durability/replicas/Evidence.ts"
import { fleet } from "../test/durability/replicas/Fleet.ts"
import { eventually } from "../test/support/Application.ts"
import { TestDatabase } from "../test/support/Postgres.ts"
import { people, sentence } from "./Product.ts"
import { servers } from "./replicas.ts"

export interface TakeoverFigures {
  readonly way: Way
  readonly blows: number
  /** Milliseconds from the blow, of each update that was stored and not done then. */
  readonly conversations: ReadonlyArray<number>
  /** Milliseconds from the blow, of each bot the struck one polled. */
  readonly bots: ReadonlyArray<number>
}

const bots = 9
const persons = 60

/** Of each bot that `replica` polled last: until another polled it. */
const polledAgain = (polls: ReadonlyArray<SeenPoll>, replica: number, at: number) =>
  [...Map.groupBy(polls, ({ bot }) => bot).values()].flatMap((all) => {
    if (all.findLast((poll) => poll.at <= at)?.replica !== replica) return []
    const next = all.find((poll) => poll.at > at && poll.replica !== replica)
    return [next === undefined ? Number.POSITIVE_INFINITY : next.at - at]
  })

const database = Layer.effect(
  TestDatabase,
  Effect.gen(function* () {
    const { superuser } = yield* LocalPostgres
    const { connection } = yield* DatabaseOwner
    return { superuser: { ...superuser, database: "zapiska" }, owner: connection }
  })
)

/** Milliseconds after `at` when each update was done that was stored before. */
const doneAfter = Effect.fnUntraced(function* (ask: Ask, at: number) {
  const rows = yield* inHand(ask)
  return rows.flatMap(({ done, stored }) => (stored < at && done > at ? [done - at] : []))
})

const strikes = Effect.fnUntraced(function* (way: Way, blows: number) {
  const emulator = yield* BotApiEmulator
  yield* people(1, persons)
  const ids = Array.from({ length: persons }, (_, index) => index + 1)
  const all = yield* fleet(bots - 1, ids)
  const { polls, replicas } = yield* cluster(3)
  const ask = yield* asking
  const idle = Effect.gen(function* () {
    const pending = yield* Effect.forEach(all, ({ id }) => emulator.pending({ bot: id }))
    const count = pending.reduce((sum, one) => sum + one.count, 0)
    return (yield* left(ask, count)) === undefined
  })
  let said = 0
  const say = Effect.gen(function* () {
    const person = ids[said % persons]!
    const message = { ...sentence(person, said), bot: all[said % bots]!.id }
    said += 1
    yield* emulator.feed({ messages: [message] })
    yield* Effect.sleep("40 millis")
  })

  const figures = { conversations: [] as Array<number>, bots: [] as Array<number> }
  for (let blow = 0; blow < blows; blow++) {
    // The bots have gone to their places.
    yield* Effect.sleep("8 seconds")
    const speaking = yield* Effect.forkChild(Effect.forever(say))
    yield* Effect.sleep("4 seconds")
    const victim = blow % replicas.length
    const at = yield* Clock.currentTimeMillis
    yield* replicas[victim]!.strike(way)
    yield* eventually(
      "its bots are polled again",
      Effect.sync(() => polledAgain(polls, victim, at).every(Number.isFinite)),
      { seconds: 120 }
    )
    figures.bots.push(...polledAgain(polls, victim, at))
    yield* Fiber.interrupt(speaking)
    yield* eventually("everything is done", idle, { seconds: 120 })
    figures.conversations.push(...(yield* doneAfter(ask, at)))
    yield* replicas[victim]!.revive
    yield* replicas[victim]!.ready
  }
  return { way, blows, ...figures } satisfies TakeoverFigures
})

export const takeover = ({ blows }: { readonly blows: number }) =>
  Effect.forEach(["SIGKILL", "SIGSTOP"] as const, (way) =>
    strikes(way, blows).pipe(Effect.provide(database.pipe(Layer.provideMerge(servers))), Effect.scoped)
  )
