/**
 * Updates a second: from the emulator, through the poll loop, into the store; and all the way into notes. Beside
 * it the peers, on the same server with the same payloads, in turn with it.
 */
import { Clock, Effect, Schedule } from "effect"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import { cpuSeconds } from "./Process.ts"
import { Product, pending, people, sentence } from "./Product.ts"
import { graphileWorker, type PeerFigures, pgBoss } from "./peers.ts"

export interface StoringFigures {
  readonly updates: number
  readonly stored: ReadonlyArray<number>
  /** Milliseconds of processor our process took for one update: the same whatever else the machine does. */
  readonly cost: ReadonlyArray<number>
  readonly pgBoss: ReadonlyArray<PeerFigures>
  readonly graphileWorker: ReadonlyArray<PeerFigures>
}

export interface NotesFigures {
  readonly updates: number
  readonly notes: number
  /** Updates a second until the last note is durable, the time its window was open included. */
  readonly durable: ReadonlyArray<number>
  /** The same until the last answer is with Telegram. */
  readonly answered: ReadonlyArray<number>
  /** Milliseconds of processor our process took for one update, answers included. */
  readonly cost: ReadonlyArray<number>
}

const elapsed = (begin: bigint) => Effect.map(Clock.monotonicTimeNanos, (now) => Number(now - begin) / 1e9)

const until = <E, R>(check: Effect.Effect<boolean, E, R>, every: "10 millis" | "50 millis") =>
  Effect.repeat(check, { until: (done) => done, schedule: Schedule.spaced(every) }).pipe(
    Effect.timeout("5 minutes")
  )

/** `perPerson` messages in a row from each; the queue of the emulator holds them all when this returns. */
const feed = Effect.fnUntraced(function* (from: number, persons: number, perPerson: number) {
  const emulator = yield* BotApiEmulator
  yield* emulator.feed({
    messages: Array.from({ length: persons * perPerson }, (_, index) =>
      sentence(from + Math.floor(index / perPerson), index % perPerson)
    )
  })
  return yield* Clock.monotonicTimeNanos
})

const stored = until(
  Effect.map(pending, (count) => count === 0),
  "10 millis"
)

/** Nothing is left to say. */
const answered = Effect.flatMap(Product, ({ sql }) =>
  until(
    Effect.map(
      sql`SELECT 1 FROM zapiska.outbox WHERE state IN ('pending', 'sending') LIMIT 1`,
      (rows) => rows.length === 0
    ),
    "50 millis"
  )
)

/** Messages of one person in a row: of each hundred Telegram gives, ten people have sent ten. */
const inARow = 10

/** Needs a product whose windows stay open. */
export const storing = Effect.fn("bench.storing")(function* (options: {
  readonly updates: number
  readonly rounds: number
}) {
  const { application, sql, login } = yield* Product
  const persons = options.updates / inARow
  const warm = 200
  yield* people(1, warm + persons * options.rounds)
  const round = (from: number, count: number) =>
    Effect.gen(function* () {
      const updates = count * inARow
      const begin = yield* feed(from, count, inARow)
      const spent = yield* cpuSeconds(application.pid)
      yield* stored
      const rate = updates / (yield* elapsed(begin))
      return { rate, cost: (((yield* cpuSeconds(application.pid)) - spent) * 1000) / updates }
    })
  yield* round(1, warm)
  const payloads = (yield* sql<{ payload: string }>`
    SELECT payload FROM zapiska_engine.cluster_messages LIMIT 1000`).map(({ payload }): object =>
    JSON.parse(payload)
  )
  const same = Array.from({ length: options.updates }, (_, index) => payloads[index % payloads.length]!)
  const figures = {
    stored: [] as Array<number>,
    cost: [] as Array<number>,
    pgBoss: [] as Array<PeerFigures>,
    graphile: [] as Array<PeerFigures>
  }
  for (let nth = 1; nth <= options.rounds; nth++) {
    const { rate, cost } = yield* round(1 + warm + (nth - 1) * persons, persons)
    figures.stored.push(rate)
    figures.cost.push(cost)
    // The status messages of the windows are on their way; the peers shall have the machine to themselves.
    yield* answered
    figures.pgBoss.push(yield* pgBoss(login, same))
    figures.graphile.push(yield* graphileWorker(login, same))
    yield* Effect.sleep("1 second")
  }
  return {
    updates: options.updates,
    stored: figures.stored,
    cost: figures.cost,
    pgBoss: figures.pgBoss,
    graphileWorker: figures.graphile
  } satisfies StoringFigures
})

/** Needs a product whose windows close soon. Six messages a note. */
export const notes = Effect.fn("bench.notes")(function* (options: {
  readonly updates: number
  readonly rounds: number
}) {
  const { application, sql } = yield* Product
  const perNote = 6
  const persons = Math.ceil(options.updates / perNote)
  const warm = 300
  yield* people(1, warm + persons * options.rounds)
  let handled = 0
  const round = (from: number, count: number) =>
    Effect.gen(function* () {
      const updates = count * perNote
      const begin = yield* feed(from, count, perNote)
      const spent = yield* cpuSeconds(application.pid)
      handled += updates
      yield* until(
        Effect.map(
          sql<{ n: number }>`SELECT count(*)::int AS n FROM zapiska.handled_updates`,
          (rows) => rows[0]!.n >= handled
        ),
        "50 millis"
      )
      const durable = yield* elapsed(begin)
      yield* answered
      return {
        durable: updates / durable,
        answered: updates / (yield* elapsed(begin)),
        cost: (((yield* cpuSeconds(application.pid)) - spent) * 1000) / updates
      }
    })
  yield* round(1, warm)
  const figures: Array<Effect.Success<ReturnType<typeof round>>> = []
  for (let nth = 0; nth < options.rounds; nth++) {
    figures.push(yield* round(1 + warm + nth * persons, persons))
  }
  const [made] = yield* sql<{ n: number }>`SELECT count(*)::int AS n FROM zapiska.notes`
  return {
    updates: persons * perNote,
    notes: made!.n,
    durable: figures.map(({ durable }) => durable),
    answered: figures.map(({ answered }) => answered),
    cost: figures.map(({ cost }) => cost)
  } satisfies NotesFigures
})
