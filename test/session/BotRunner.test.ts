import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Layer, Logger, Option, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Readiness from "../../src/app/Readiness.ts"
import { defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Health } from "../../src/ops/Health.ts"
import { BotRunner } from "../../src/session/BotRunner.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort, BotRecorder, Unauthorized } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { Intake } from "../../src/telegram/Intake.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const menus = [{ commands: [{ command: "help", description: "Help" }] }]

const bots = Bots.layer([{ ...bot, token: Redacted.make("7:secret") }])
const outbox = Layer.mock(Outbox, { dispatch: () => Effect.never })
const intake = (poll: Intake["Service"]["poll"]) =>
  Layer.succeed(Intake, { poll, lastPoll: () => Effect.succeedNone })

/** What is below the runner in the process: `below` closes after it. */
const runner = (poll: Intake["Service"]["poll"], below: Layer.Layer<never> = Layer.empty) =>
  BotRunner.layer.pipe(
    Layer.provideMerge(below),
    Layer.provideMerge(Layer.mergeAll(intake(poll), outbox, bots, BotPort.layerRecording)),
    Layer.provideMerge(TaskManager.layer)
  )

const refusing: Intake["Service"]["poll"] = () => Effect.fail(new Unauthorized({ method: "getUpdates" }))

describe("BotRunner", () => {
  it.effect("its pollers have ended before what it was built on closes", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const polling = yield* Deferred.make<void>()
      const poll = () =>
        Deferred.succeed(polling, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.ensuring(Effect.sync(() => order.push("poller")))
        )
      const below = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => order.push("engine"))))
      yield* Effect.gen(function* () {
        const { start } = yield* BotRunner
        yield* start(bot, menus)
        yield* Deferred.await(polling)
      }).pipe(Effect.provide(runner(poll, below)))
      assert.deepStrictEqual(order, ["poller", "engine"])
    })
  )

  it.effect(
    "a refused token ends poller and menu, is told once as a sentence, and makes us not ready",
    () => {
      const said: Array<unknown> = []
      const logger = Logger.make(({ cause, logLevel, message }) => {
        if (logLevel === "Error") said.push(message, cause)
      })
      const database = Layer.mock(TenantScope, { transaction: () => Effect.never })
      return Effect.gen(function* () {
        const health = yield* Health
        const tasks = yield* TaskManager
        const { start, refusal } = yield* BotRunner
        const recorder = yield* BotRecorder
        assert.isTrue(Option.isNone(yield* refusal(bot)))
        yield* recorder.before("setCommands", Effect.fail(new Unauthorized({ method: "setMyCommands" })))
        const ended = yield* tasks.changes.pipe(
          Stream.filter(({ kind, status }) => kind !== "outbox" && status === "succeeded"),
          Stream.take(2),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* start(bot, menus)
        assert.sameMembers(
          (yield* Fiber.join(ended)).map(({ kind }) => kind),
          ["poller", "menu"]
        )
        const reason = Option.getOrThrow(yield* refusal(bot)).message
        assert.match(reason, /Telegram refuses the bot's token/)
        assert.deepStrictEqual(said, [[reason], Cause.empty])
        const asking = yield* Effect.forkChild(health.ready, { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        const { checks } = yield* Fiber.join(asking)
        assert.deepInclude(checks, { name: "telegram/default/default", ready: false, reason })
      }).pipe(
        Effect.provide(
          Readiness.layer.pipe(
            Layer.provideMerge(runner(refusing)),
            Layer.provideMerge(Health.layer),
            Layer.provide(database),
            Layer.provideMerge(Logger.layer([logger]))
          )
        )
      )
    }
  )
})
