/** How long a reply takes to Telegram while a long broadcast runs. */
import { Clock, Console, Effect, Random } from "effect"
import { makeOurs, network } from "./Ours.ts"
import { makeStage, reporting } from "./Stage.ts"

export interface ReplyFigures {
  readonly broadcast: number
  readonly replies: number
  /** Milliseconds from the decision until the emulator had it; those that never came are infinite. */
  readonly took: ReadonlyArray<number>
  readonly limited: number
}

/**
 * A broadcast of one message to each of many people. Every other reply goes to one of them. `apart`: milliseconds between
 * replies, on average.
 */
export const replies = Effect.fn("bench.replies")(function* (options: {
  readonly broadcast: number
  readonly apart: number
}) {
  const askers = 200
  const stage = yield* makeStage("zapiska_replies", options.broadcast + askers)
  const readers = stage.people.slice(0, options.broadcast)
  const others = stage.people.slice(options.broadcast)
  const { begin, open, say } = yield* makeOurs(stage.bot, network(stage.bot))
  yield* say(readers.map((chat, nth) => ({ chat, text: `Broadcast ${nth}`, urgency: "broadcast" })))
  yield* begin
  yield* reporting("a broadcast and replies", stage, options.broadcast)
  yield* Effect.sleep("2 seconds")

  const asked: Array<{ readonly chat: number; readonly text: string; readonly at: number }> = []
  // Not at its end: a broadcast that is over delays nobody.
  while ((yield* open) > options.broadcast / 50) {
    const nth = asked.length
    const from = nth % 2 === 0 ? others : readers
    const one = {
      chat: from[((nth >> 1) * 37) % from.length]!,
      text: `Reply ${nth}`,
      at: yield* Clock.currentTimeMillis
    }
    asked.push(one)
    yield* say([{ ...one, urgency: "interactive" }])
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 2 * options.apart))
  }
  while ((yield* open) > 0) yield* Effect.sleep("200 millis")
  yield* Console.error(`  ${asked.length} replies`)

  // In a chat of one's own the calls and the messages are in the same order.
  const shown = yield* stage.shown
  const journal = yield* stage.journal
  const sent = Map.groupBy(
    journal.filter(({ processed, method }) => processed && /^sendMessage$/i.test(method)),
    ({ chat }) => chat
  )
  const took = asked.map(({ chat, text, at }) => {
    const index = shown.get(chat)?.indexOf(text) ?? -1
    const arrived = sent.get(chat)?.[index]?.at
    return index < 0 || arrived === undefined ? Number.POSITIVE_INFINITY : arrived - at
  })
  return {
    broadcast: options.broadcast,
    replies: asked.length,
    took,
    limited: journal.filter(({ status }) => status === 429).length
  } satisfies ReplyFigures
}, Effect.scoped)
