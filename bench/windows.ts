/** Many open windows at once: what they weigh, what they cost while nothing happens, and that all become notes. */
import { Effect, Schedule } from "effect"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import { idleCpu, residentMemory } from "./Process.ts"
import { Product, pending, people, sentence } from "./Product.ts"

export interface WindowFigures {
  readonly open: number
  /** Bytes over those of the idle program. */
  readonly growth: number
  /** Share of a core over ten seconds without a message. */
  readonly cpu: number
}

const until = <E, R>(what: string, check: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(check, { until: (done) => done, schedule: Schedule.spaced("200 millis") }).pipe(
    Effect.timeoutOrElse({
      duration: "5 minutes",
      orElse: () => Effect.die(new Error(`It never came to this: ${what}`))
    })
  )

/** Some at a time: nobody has ten thousand people begin in the same second. */
const inPieces = Effect.fnUntraced(function* (from: number, to: number, text?: string) {
  const { feed } = yield* BotApiEmulator
  for (let at = from; at <= to; at += 1000) {
    const last = Math.min(to, at + 999)
    yield* feed({
      messages: Array.from({ length: last - at + 1 }, (_, index) => ({
        ...sentence(at + index, 0),
        ...(text === undefined ? {} : { text })
      }))
    })
    yield* until(
      "every update is stored",
      Effect.map(pending, (count) => count === 0)
    )
  }
})

/** Needs a product whose windows stay open. */
export const windows = Effect.fn("bench.windows")(function* (steps: ReadonlyArray<number>) {
  const { application, sql } = yield* Product
  const count = (statement: Effect.Effect<ReadonlyArray<{ readonly n: number }>, unknown>) =>
    Effect.map(Effect.orDie(statement), (rows) => rows[0]!.n)
  const settled = until(
    "nothing is left to say",
    Effect.map(
      count(sql`SELECT count(*)::int AS n FROM zapiska.outbox WHERE state IN ('pending', 'sending')`),
      (n) => n === 0
    )
  )
  const most = steps.at(-1)!
  yield* people(1, most)
  yield* Effect.sleep("5 seconds")
  const idle = yield* residentMemory(application.pid)
  const figures: Array<WindowFigures> = []
  for (const [index, open] of steps.entries()) {
    yield* inPieces((steps[index - 1] ?? 0) + 1, open)
    yield* until(
      "each has its status message",
      Effect.map(count(sql`SELECT count(*)::int AS n FROM zapiska.outbox`), (n) => n === open)
    )
    yield* settled
    yield* Effect.sleep("5 seconds")
    const cpu = yield* idleCpu(application.pid, 10)
    figures.push({ open, growth: (yield* residentMemory(application.pid)) - idle, cpu })
  }
  yield* inPieces(1, most, "/done")
  yield* until(
    "every update is handled",
    Effect.map(count(sql`SELECT count(*)::int AS n FROM zapiska.handled_updates`), (n) => n === 2 * most)
  )
  const delivered = yield* count(sql`SELECT count(DISTINCT chat_id)::int AS n FROM zapiska.note_members`)
  return { idle, figures, delivered, open: most }
})
