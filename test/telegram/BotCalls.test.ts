import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { Address } from "../../src/domain/Address.ts"
import { type FormattedText, plain } from "../../src/domain/FormattedText.ts"
import { ChatId, MessageId } from "../../src/domain/Ids.ts"
import { BotPort, Dispatched } from "../../src/telegram/BotPort.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { GrammyBot } from "../../src/telegram/GrammyBot.ts"
import { breakerNextTry, repeatsRefused } from "../../src/telegram/metrics.ts"
import { OutgoingFiles } from "../../src/telegram/OutgoingFiles.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import * as Faulty from "./support/FaultyServer.ts"

const { bot, faultyServer } = Faulty
const address = new Address({ ...bot, chat: ChatId.make(42) })
const elsewhere = (chat: number) => new Address({ ...bot, chat: ChatId.make(chat) })
const content = (text: FormattedText) => ({ _tag: "Text", text }) as const
const hello = content(plain("hello"))

/** The port over a server of its own. */
const withServer = <A, E>(
  body: (server: Faulty.FaultyServer, port: BotPort["Service"]) => Effect.Effect<A, E, Pacer>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* faultyServer
      const layer = GrammyBot.layer({ timeout: "20 seconds" }).pipe(
        Layer.provideMerge(Pacer.layer),
        Layer.provide(OutgoingFiles.layerMemory(new Map())),
        Layer.provide(GrammyApi.layer),
        Layer.provide(server.layer)
      )
      return yield* Effect.flatMap(BotPort, (port) => body(server, port)).pipe(Effect.provide(layer))
    })
  )

describe("BotCalls", () => {
  it.live("tries what a durable row repeats once, adapting it aside", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const dispatched = { inFlight: false }
        const once = Effect.provideService(Dispatched, dispatched)
        const bold: FormattedText = { text: "hello", entities: [{ type: "bold", offset: 0, length: 5 }] }
        server.script.push(
          Faulty.refuse(400, "Bad Request: can't parse entities: x"),
          Faulty.refuse(500, "Internal Server Error")
        )
        const error = yield* Effect.flip(once(port.send(address, content(bold))))
        assert.strictEqual(error._tag, "Unavailable")
        assert.lengthOf(server.calls, 2)
        assert.isFalse(dispatched.inFlight)
        server.rules.push(() => Faulty.page(502))
        yield* Effect.flip(once(port.edit(address, MessageId.make(1), hello)))
        yield* Effect.flip(once(port.identity(bot)))
        assert.lengthOf(server.calls, 4)
      })
    )
  )

  it.live("repeats nothing when the bot's budget is spent, and counts it", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.refuse(500, "Internal Server Error"))
        const pacer = yield* Pacer
        while ((yield* pacer.repeat(bot)) === undefined);
        const { count } = yield* Metric.value(repeatsRefused)
        assert.strictEqual((yield* Effect.flip(port.send(address, hello)))._tag, "Unavailable")
        assert.lengthOf(server.calls, 1)
        assert.strictEqual((yield* Metric.value(repeatsRefused)).count, count + 1)
      })
    )
  )

  it.effect("waits for a place no longer than its deadline lets it, and begins nothing after it", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        for (let sent = 0; sent < 3; sent++) yield* port.send(address, hello)
        // The next place is a second away; of this time less than a tenth would be left for the attempt.
        for (const deadline of [now + 900, now + 1_050])
          assert.strictEqual(
            (yield* Effect.flip(port.send(address, hello, { deadline })))._tag,
            "RateLimited"
          )
        const sent = yield* Effect.forkChild(port.send(address, hello, { deadline: now + 2_000 }), {
          startImmediately: true
        })
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(sent)
        const passed = yield* Effect.flip(port.identity(bot, { deadline: now }))
        assert.strictEqual(passed._tag, "Unavailable")
        assert.lengthOf(server.calls, 4)
      })
    )
  )

  it.effect("lets no attempt and no repetition outlast the deadline", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.silence)
        const deadline = (yield* Clock.currentTimeMillis) + 150
        const asked = yield* Effect.forkChild(Effect.flip(port.identity(bot, { deadline })), {
          startImmediately: true
        })
        while (server.calls.length < 1) yield* TestClock.withLive(Effect.sleep("5 millis"))
        // The timeout of an attempt alone is 20 seconds here.
        yield* TestClock.adjust("150 millis")
        const error = yield* Fiber.join(asked)
        assert.strictEqual(error._tag, "Unavailable")
        assert.include(error.message, "no answer within 150ms")
        assert.lengthOf(server.calls, 1)
      })
    )
  )

  it.effect("opens the circuit after ten failures, lets one probe through, and closes again", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        let down = true
        server.rules.push(() => (down ? Faulty.page(502) : undefined))
        for (let chat = 1; chat <= 10; chat++) yield* Effect.flip(port.send(elsewhere(chat), hello))
        const refused = yield* Effect.flip(port.send(elsewhere(11), hello))
        assert.strictEqual(refused._tag, "CircuitOpen")
        assert.strictEqual(server.calls.length, 10)
        yield* TestClock.adjust("1 second")
        const both = yield* Effect.all(
          [Effect.flip(port.send(elsewhere(12), hello)), Effect.flip(port.send(elsewhere(13), hello))],
          { concurrency: 2 }
        )
        assert.deepStrictEqual(both.map(({ _tag }) => _tag).sort(), ["Ambiguous", "CircuitOpen"])
        assert.strictEqual(server.calls.length, 11)
        down = false
        yield* TestClock.adjust("2 seconds")
        yield* port.send(elsewhere(14), hello)
        yield* port.send(elsewhere(15), hello)
      })
    )
  )

  it.effect("keeps the circuit closed through refusals and 429", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.refuse(400, "Bad Request: chat not found"))
        for (let chat = 1; chat <= 30; chat++) yield* Effect.flip(port.send(elsewhere(chat), hello))
        assert.strictEqual(server.calls.length, 30)
      })
    )
  )

  it.effect("says when it tries again: to the caller, in the log and as a metric", () => {
    const lines: Array<string> = []
    const keep = Logger.make(({ message }) => void lines.push(String(message)))
    return withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.page(502))
        yield* TestClock.setTime(1_000_000)
        for (let chat = 1; chat <= 10; chat++) yield* Effect.flip(port.send(elsewhere(chat), hello))
        const refused = yield* Effect.flip(port.send(elsewhere(11), hello))
        assert.deepInclude(refused, { _tag: "CircuitOpen", until: 1_001_000 })
        const at = "1970-01-01T00:16:41.000Z"
        assert.include(refused.message, at)
        assert.isTrue(lines.some((line) => line.includes(at)))
        assert.strictEqual((yield* Metric.value(breakerNextTry)).value, 1_001)
      })
    ).pipe(Effect.provide(Logger.layer([keep])))
  })

  it.effect("frees the probe that was interrupted", () =>
    withServer((server, port) =>
      Effect.gen(function* () {
        server.rules.push(() => Faulty.page(502))
        for (let chat = 1; chat <= 10; chat++) yield* Effect.flip(port.send(elsewhere(chat), hello))
        yield* TestClock.adjust("1 second")
        server.rules.unshift(() => Faulty.silence)
        const probe = yield* Effect.forkChild(port.send(elsewhere(11), hello), { startImmediately: true })
        while (server.calls.length < 11) yield* TestClock.withLive(Effect.sleep("5 millis"))
        assert.strictEqual((yield* Effect.flip(port.send(elsewhere(12), hello)))._tag, "CircuitOpen")
        yield* Fiber.interrupt(probe)
        server.rules.splice(0)
        yield* port.send(elsewhere(13), hello)
      })
    )
  )
})
