import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { BotId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Lease } from "../../src/lock/Locks.ts"
import {
  CallFailed,
  GrammyApi,
  type Method,
  type PayloadOf,
  type ResultOf
} from "../../src/telegram/GrammyApi.ts"
import { Intake } from "../../src/telegram/Intake.ts"
import type { Outcome } from "../../src/telegram/Outcome.ts"
import { allowedUpdates } from "../../src/telegram/Taking.ts"
import * as WebhookIntake from "../../src/telegram/WebhookIntake.ts"
import { secretOf, type WebhookInfo } from "../../src/telegram/WebhookRules.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const settings = { url: "https://bot.example", secret: Redacted.make("a secret of the operator's") }
const address = "https://bot.example/telegram/default/default"

/** Telegram as it remembers one webhook, or answers what `next` says. */
const world = Effect.fnUntraced(function* (...first: ReadonlyArray<Outcome>) {
  const calls: Array<readonly [method: string, payload: unknown]> = []
  const said: Array<string> = []
  const next = [...first]
  const info = { current: { url: "", pending_update_count: 0 } as WebhookInfo }
  const api = Layer.mock(GrammyApi, {
    call: <M extends Method>(_bot: unknown, method: M, payload: PayloadOf<M>) =>
      Effect.suspend(() => {
        calls.push([method, payload])
        const outcome = next.shift()
        if (outcome !== undefined) return Effect.fail(new CallFailed({ method, outcome }))
        if (method === "setWebhook") info.current = { ...info.current, url: address }
        return Effect.succeed((method === "setWebhook" ? true : info.current) as ResultOf<M>)
      })
  })
  const logger = Logger.make(({ message }) => said.push(String(message)))
  const intake = yield* Effect.provide(Intake, WebhookIntake.layer(settings).pipe(Layer.provide(api)))
  const receiving = yield* intake
    .receive(bot, BotId.make(7))
    .pipe(
      Effect.provideService(Lease, Lease.sole),
      Effect.provide(Logger.layer([logger])),
      Effect.forkChild({ startImmediately: true })
    )
  return { intake, receiving, calls, said, next, info, methods: () => calls.map(([method]) => method) }
})

/** Long enough for one look. */
const minute = TestClock.adjust("80 seconds")

describe("receiving by webhook", () => {
  it.effect("sets it with the bot's own secret, looks at it every minute, and leaves it when it ends", () =>
    Effect.gen(function* () {
      const { calls, methods, receiving } = yield* world()
      assert.deepStrictEqual(calls, [
        [
          "setWebhook",
          {
            url: address,
            secret_token: secretOf(settings, bot),
            allowed_updates: allowedUpdates,
            max_connections: 40
          }
        ]
      ])
      yield* minute
      yield* minute
      assert.isAbove(methods().length, 2)
      yield* Fiber.interrupt(receiving)
      assert.notInclude(methods(), "deleteWebhook")
      assert.deepStrictEqual([...new Set(methods().slice(1))], ["getWebhookInfo"])
    })
  )

  it.effect("sets it again when somebody changed it, not more often than it looks", () =>
    Effect.gen(function* () {
      const { info, methods, said } = yield* world()
      info.current = { url: "https://elsewhere.example", pending_update_count: 0 }
      yield* minute
      assert.deepStrictEqual(methods(), ["setWebhook", "getWebhookInfo", "setWebhook"])
      assert.include(said.join(), "changed by another program")
    })
  )

  it.effect("a failed delivery is told once, with what to do, in the log and to who asks how it is", () =>
    Effect.gen(function* () {
      const { info, intake, said } = yield* world()
      assert.isUndefined(yield* intake.health(bot))
      info.current = {
        url: address,
        pending_update_count: 5,
        last_error_date: 60,
        last_error_message: "Connection refused"
      }
      yield* minute
      yield* minute
      const trouble = yield* intake.health(bot)
      assert.include(trouble, "(Connection refused); 5 wait")
      assert.strictEqual(said.filter((line) => line.includes("could not deliver")).length, 1)
      info.current = { ...info.current, pending_update_count: 0 }
      yield* TestClock.adjust("6 minutes")
      assert.isUndefined(yield* intake.health(bot))
    })
  )

  it.effect(
    "what Telegram refuses is tried again after 30 seconds, with advice; what it does not answer, sooner",
    () =>
      Effect.gen(function* () {
        const { intake, methods, said } = yield* world(
          { _tag: "Retry", reason: "ECONNREFUSED", limit: 5, cause: "network" },
          { _tag: "Refused", code: 400, reason: "bad webhook: IP address 127.0.0.1 is reserved" }
        )
        assert.include(yield* intake.health(bot), "cannot be reached")
        yield* TestClock.adjust("1 second")
        assert.include(yield* intake.health(bot), "bad webhook")
        assert.include(said.join(), "Next try in 30s")
        assert.strictEqual(methods().length, 2)
        yield* TestClock.adjust("28 seconds")
        assert.strictEqual(methods().length, 2)
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(methods(), ["setWebhook", "setWebhook", "setWebhook"])
        assert.isUndefined(yield* intake.health(bot))
      })
  )

  it.effect("a refused token is asked about after a minute, and says what to do", () =>
    Effect.gen(function* () {
      const { intake, methods } = yield* world({ _tag: "Unauthorized" })
      assert.include(yield* intake.health(bot), "refuses the bot's token")
      yield* TestClock.adjust("47 seconds")
      assert.strictEqual(methods().length, 1)
      yield* TestClock.adjust("25 seconds")
      assert.isUndefined(yield* intake.health(bot))
      assert.deepStrictEqual(methods(), ["setWebhook", "setWebhook"])
    })
  )
})
