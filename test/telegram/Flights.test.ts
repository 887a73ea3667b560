import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue } from "effect"
import { TestClock } from "effect/testing"
import { BotId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { BotPort, BotRecorder, Unauthorized } from "../../src/telegram/BotPort.ts"
import { makeFlights } from "../../src/telegram/Flights.ts"
import type { OutboxRow } from "../../src/telegram/OutboxRows.ts"

it.effect("an outbox whose token was refused asks again rarely, and goes on when it is taken", () =>
  Effect.gen(function* () {
    const recorder = yield* BotRecorder
    yield* recorder.before("identity", Effect.fail(new Unauthorized({ method: "getMe" })))
    const owner = { tenant: defaultTenant, app: defaultApp, botId: BotId.make(7) }
    const flights = yield* makeFlights(owner, yield* Queue.unbounded<void>())
    yield* flights.finish({ id: 1 } as OutboxRow, { _tag: "BotStopped", reason: "refused" })
    // The dispatcher says so each time it looks.
    const looks = Effect.repeat(flights.recover, { times: 3 })
    yield* looks
    yield* TestClock.adjust("47 seconds")
    assert.lengthOf(yield* recorder.calls, 0)
    yield* TestClock.adjust("1 day")
    yield* looks
    const asked = (yield* recorder.calls).length
    assert.isAtLeast(asked, 20)
    assert.isAtMost(asked, 40)
    assert.notStrictEqual(flights.health(), "well")
    yield* recorder.before("identity", Effect.void)
    yield* TestClock.adjust("72 minutes")
    assert.strictEqual(flights.health(), "well")
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(BotPort.layerRecording, Logger.layer([]))))
)
