import { it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AppId, defaultTenant } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import * as LocksMemory from "../../src/lock/LocksMemory.ts"
import { BotRunner } from "../../src/session/BotRunner.ts"
import { BotSessions } from "../../src/session/BotSessions.ts"
import { Replicas } from "../../src/session/Replicas.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { Intake } from "../../src/telegram/Intake.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { become, bot, botId, enqueue, entry } from "../telegram/support/OutboxRows.ts"

const former = { tenant: defaultTenant, app: AppId.make("helper") }
const token = Redacted.make(`${botId}:secret`)

const runner = BotRunner.layer.pipe(
  Layer.provideMerge(Outbox.layer),
  Layer.provideMerge(
    Layer.mergeAll(
      Bots.layer([
        { ...former, token },
        { ...bot, token }
      ]),
      LocksMemory.layer.pipe(Layer.provide(Fences.layer)),
      Layer.mock(Intake, { receive: () => Effect.never }),
      BotPort.layerRecording,
      Pacer.layer,
      BotSessions.layerNone,
      Replicas.layerSole,
      TaskManager.layer
    )
  ),
  Layer.provideMerge(TestDatabase.layer)
)

it.live("a bot that was removed and added under another name sends its answers", () =>
  Effect.gen(function* () {
    const { start, stop } = yield* BotRunner
    for (const key of ["first", "second"]) {
      yield* start(former, [])
      yield* enqueue(entry(key))
      yield* become({ [key]: "sent" })
      yield* stop(former)
    }
    yield* start(bot, [])
    yield* enqueue(entry("third"))
    yield* become({ third: "sent" })
  }).pipe(Effect.provide(runner))
)
