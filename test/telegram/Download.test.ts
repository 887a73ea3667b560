import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { FaultEffect } from "../../src/sandbox/Fault.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { download, type Place } from "../../src/telegram/Download.ts"
import { CallFailed, GrammyApi } from "../../src/telegram/GrammyApi.ts"
import type { Outcome } from "../../src/telegram/Outcome.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { bot, layer, person } from "./support/EmulatedBot.ts"

const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 37) % 256)

const collected = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Effect.map(Stream.runCollect(stream), (chunks) => new Uint8Array(Buffer.concat(chunks)))

const broken: Outcome = { _tag: "Retry", reason: "ECONNRESET", limit: 5, cause: "network" }
const expired: Outcome = { _tag: "FileExpired", reason: "Not Found" }
const failing = (outcome: Outcome) => Stream.fail(new CallFailed({ method: "file", outcome }))

/** Runs it through all of its pauses. */
const unhurried = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust("30 seconds")
      yield* Effect.yieldNow
    }
    return yield* Fiber.join(fiber)
  })

/** Gives so many bytes in each reading, then breaks as told. */
const source = (whole: Uint8Array, readings: ReadonlyArray<readonly [number, Outcome]>, size?: number) => {
  const asked: Array<number> = []
  let located = 0
  return {
    asked,
    again: Effect.void,
    located: () => located,
    locate: Effect.sync((): Place => {
      located += 1
      return { path: `documents/${located}`, size: size ?? whole.length }
    }),
    read: (_path: string, from: number) => {
      const reading = readings[asked.length]
      asked.push(from)
      if (reading === undefined) return Stream.make(whole.subarray(from))
      const [count, outcome] = reading
      return Stream.concat(Stream.make(whole.subarray(from, from + count)), failing(outcome))
    }
  }
}

describe("a download", () => {
  it.effect("wherever it breaks: every byte once, in order", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom(broken, expired)), {
            maxLength: 12
          }),
          (whole, readings) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const from = source(whole, readings)
                const got = yield* unhurried(collected(download(from)))
                assert.deepStrictEqual(got, Uint8Array.from(whole))
                const expiries = readings
                  .slice(0, from.asked.length - 1)
                  .filter(([, outcome]) => outcome === expired)
                assert.strictEqual(from.located(), 1 + expiries.length)
              }).pipe(Effect.provide(TestClock.layer()))
            )
        ),
        { numRuns: 200 }
      )
    )
  )

  it.effect("goes on through five tries in a row that bring nothing, and no more", () =>
    Effect.gen(function* () {
      const nothing = (times: number) => Array.from({ length: times }, () => [0, broken] as const)
      const patient = source(bytes, [...nothing(5), [10, broken], ...nothing(5)])
      assert.deepStrictEqual(yield* unhurried(collected(download(patient))), bytes)
      const hopeless = source(bytes, nothing(50))
      const error = yield* unhurried(Effect.flip(collected(download(hopeless))))
      assert.strictEqual(error._tag, "Unavailable")
      assert.lengthOf(hopeless.asked, 6)
    })
  )

  it.effect("ends well only with as many bytes as Telegram announced", () =>
    Effect.gen(function* () {
      const short = source(bytes, [], bytes.length + 1)
      assert.include((yield* unhurried(Effect.flip(collected(download(short))))).message, "300000 of 300001")
      const long = source(bytes, [], bytes.length - 1)
      assert.include((yield* unhurried(Effect.flip(collected(download(long))))).message, "299999")
      assert.lengthOf(long.asked, 1)
    })
  )

  it.effect("never asks again for what Telegram refuses", () =>
    Effect.gen(function* () {
      const refusing = source(bytes, [[0, { _tag: "Refused", code: 400, reason: "no" }]])
      assert.strictEqual((yield* Effect.flip(collected(download(refusing))))._tag, "Unavailable")
      assert.lengthOf(refusing.asked, 1)
    })
  )

  it.live("asks a server that knows ranges for the rest only", () =>
    Effect.gen(function* () {
      const ranges: Array<string | undefined> = []
      const server = yield* Effect.acquireRelease(
        Effect.callback<{ readonly root: string; readonly close: () => void }>((resume) => {
          const http = createServer((request, response) => {
            const { range } = request.headers
            ranges.push(range)
            const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0)
            const rest = bytes.subarray(from)
            response.writeHead(range === undefined ? 200 : 206, { "content-length": rest.length })
            if (ranges.length > 2) return response.end(rest)
            response.write(rest.subarray(0, 100_000), () => response.socket?.destroy())
          })
          http.listen(0, "127.0.0.1", () => {
            const root = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
            resume(Effect.succeed({ root, close: () => http.close() }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      const bots = Bots.layer([{ ...bot, token: Redacted.make("1:token"), apiRoot: server.root }])
      const got = yield* Effect.flatMap(GrammyApi, (api) =>
        collected(
          download({
            locate: Effect.succeed({ path: "documents/1", size: bytes.length }),
            read: (path, from) => api.file(bot, path, { from }),
            again: Effect.void
          })
        )
      ).pipe(Effect.provide(GrammyApi.layer.pipe(Layer.provide(bots))))
      assert.deepStrictEqual(got, bytes)
      assert.deepStrictEqual(ranges[0], undefined)
      for (const range of ranges.slice(1)) assert.match(range ?? "", /^bytes=[1-9]\d+-$/)
    }).pipe(Effect.scoped)
  )

  it.effect("that drips for ever ends after ten minutes and can be asked for again", () =>
    Effect.gen(function* () {
      const dripping = {
        again: Effect.void,
        locate: Effect.succeed<Place>({ path: "documents/1", size: bytes.length }),
        read: () => Stream.repeat(Stream.make(new Uint8Array(1)), Schedule.spaced("20 seconds"))
      }
      const started = yield* Clock.currentTimeMillis
      const error = yield* unhurried(Effect.flip(Stream.runDrain(download(dripping))))
      assert.strictEqual(error._tag, "Unavailable")
      assert.include(error.message, "10m")
      assert.isAtMost((yield* Clock.currentTimeMillis) - started, 11 * 60_000)
      const whole = source(bytes, [])
      assert.deepStrictEqual(yield* collected(download(whole)), bytes)
    })
  )

  it.effect("is repeated no sooner than the bot's retry budget allows", () =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { chat } = yield* person
      const { media } = yield* emulator.sendFile({ chat, file: { kind: "document", bytes } })
      yield* emulator.addFault({ method: "file", times: 1, effect: { _tag: "DropBefore" } })
      const port = yield* BotPort
      const pacer = yield* Pacer
      while ((yield* pacer.repeat(bot)) === undefined);
      const from = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(
        collected(port.download(bot, { fileId: media!.fileId, fileUniqueId: "u", size: bytes.length }))
      )
      while (fiber.pollUnsafe() === undefined) {
        yield* TestClock.withLive(Effect.sleep("20 millis"))
        if ((yield* emulator.journal({ method: "file" })).length > 0) yield* TestClock.adjust("50 millis")
      }
      assert.deepStrictEqual(yield* Fiber.join(fiber), bytes)
      // One a second; a fifth of it was earned by asking for the file.
      assert.isAtLeast((yield* Clock.currentTimeMillis) - from, 800)
    }).pipe(Effect.provide(layer()))
  )

  const faults: ReadonlyArray<FaultEffect> = [
    { _tag: "Truncate" },
    { _tag: "DropBefore" },
    { _tag: "Reset" },
    { _tag: "HalfClose" },
    { _tag: "Html", status: 502 },
    { _tag: "Refuse", code: 500 },
    { _tag: "Refuse", code: 404 }
  ]
  it.live.each(faults)("from the emulator comes whole through %o", (effect) =>
    Effect.gen(function* () {
      const emulator = yield* BotApiEmulator
      const { chat } = yield* person
      const { media } = yield* emulator.sendFile({ chat, file: { kind: "document", bytes } })
      yield* emulator.addFault({ method: "file", times: 2, effect })
      yield* emulator.addFault({ method: "getFile", times: 1, effect: { _tag: "DropAfter" } })
      const port = yield* BotPort
      const file = { fileId: media!.fileId, fileUniqueId: "u", size: bytes.length }
      assert.deepStrictEqual(yield* collected(port.download(bot, file)), bytes)
      const asked = yield* emulator.journal({ method: "getFile" })
      assert.lengthOf(asked, effect._tag === "Refuse" && effect.code === 404 ? 4 : 2)
    }).pipe(Effect.provide(layer()))
  )
})
