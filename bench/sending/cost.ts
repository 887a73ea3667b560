/** What sending costs us when the network costs nothing, and what a chat that is written to weighs. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { limits } from "../../src/telegram/PaceRules.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { makeOurs } from "./Ours.ts"

export interface CostFigures {
  readonly sends: number
  /** Milliseconds a send, one for each batch: from the first claim until the last row says `sent`. */
  readonly elapsed: ReadonlyArray<number>
  /** The same in time of our processor alone, PostgreSQL's not counted. */
  readonly processor: ReadonlyArray<number>
  readonly chats: number
  /** Bytes of heap for each chat. */
  readonly person: number
  readonly group: number
}

/** Telegram in no time. */
const instant = Layer.sync(GrammyApi, () => {
  let messages = 0
  const answer = () => ({ message_id: ++messages, date: 1_700_000_000 })
  return GrammyApi.of({
    call: () => Effect.sync(answer) as never,
    introduce: () => Effect.die("nobody is introduced here"),
    getUpdates: () => Effect.succeed([]),
    file: () => {
      throw new Error("nothing is downloaded here")
    }
  })
})

const batch = 200

/** Everything there is between a decision and the wire, in batches; each row to a chat of its own. */
const sending = Effect.fnUntraced(function* (sends: number) {
  const { begin, open, say } = yield* makeOurs({ id: 7 }, instant)
  yield* begin
  const elapsed: Array<number> = []
  const processor: Array<number> = []
  for (let at = 0; at < sends; at += batch) {
    const all = Array.from({ length: batch }, (_, index) => ({
      chat: 10_000 + at + index,
      text: `Message ${at + index}`,
      urgency: "interactive" as const
    }))
    const cpu = process.cpuUsage()
    const from = yield* Clock.monotonicTimeNanos
    yield* say(all)
    while ((yield* open) > 0) yield* Effect.sleep("5 millis")
    const { system, user } = process.cpuUsage(cpu)
    elapsed.push(Number((yield* Clock.monotonicTimeNanos) - from) / 1e6 / batch)
    processor.push((system + user) / 1e3 / batch)
  }
  // The first ones warm up.
  const warm = Math.min(5, elapsed.length - 1)
  return { elapsed: elapsed.slice(warm), processor: processor.slice(warm) }
}, Effect.scoped)

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")
const heap = Effect.sync(() => {
  gc()
  gc()
  return process.memoryUsage().heapUsed
})

/** Heap a chat after so many messages to each of `chats`, a second apart. */
const weight = (chats: number, idOf: (index: number) => number, messages: number) =>
  Effect.gen(function* () {
    const pacer = yield* Pacer
    const bot = { tenant: defaultTenant, app: defaultApp }
    const before = yield* heap
    for (let nth = 0; nth < messages; nth++) {
      yield* TestClock.adjust("1 second")
      for (let index = 1; index <= chats; index++)
        yield* pacer.take(bot, { chat: ChatId.make(idOf(index)), urgency: "interactive" })
    }
    const bytes = (yield* heap) - before
    // Not forgotten meanwhile, or it would weigh nothing.
    if ((yield* pacer.size) !== chats) return yield* Effect.die(new Error("chats were forgotten too soon"))
    return bytes / chats
  }).pipe(Effect.provide(Layer.fresh(Pacer.layer)), Effect.provide(TestClock.layer()))

export const cost = Effect.fn("bench.cost")(function* (options: {
  readonly sends: number
  readonly chats: number
}) {
  const { elapsed, processor } = yield* sending(options.sends)
  return {
    ...options,
    elapsed,
    processor,
    person: yield* weight(options.chats, (index) => index, 3),
    group: yield* weight(options.chats, (index) => -index, limits.group.count)
  } satisfies CostFigures
})
