/** The whole assistant with another bot in it: what a program's own tests do, in one line each. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option } from "effect"
import { ProcessEnvironment } from "../../src/app/AppConfig.ts"
import * as Application from "../../src/app/Application.ts"
import { Sandbox } from "../../src/app/Sandbox.ts"
import { BotPort, BotRecorder, type RecordedCall, Unavailable } from "../../src/telegram/BotPort.ts"
import { eventually, temporaryDirectory } from "../support/Application.ts"

const failing = BotPort.layerRecordingWith(
  Effect.fail(new Unavailable({ method: "any", reason: "it is down" }))
)
const slow = BotPort.layerRecordingWith(Effect.sleep("1 hour"))

/** A body in the whole assistant, on an empty directory; people write to it in its own sandbox. */
const inAssistant = <A, E, E2>(
  assistant: Layer.Layer<A, E>,
  body: (dataDir: string) => Effect.Effect<void, E2, A>
) =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const variables = {
      DATA_DIR: dataDir,
      HTTP_PORT: "0",
      LOG_LEVEL: "fatal",
      NOTE_WINDOW: "500 millis"
    }
    yield* Effect.provide(body(dataDir), assistant).pipe(
      Effect.provideService(ProcessEnvironment, { variables, directory: dataDir })
    )
  }).pipe(Effect.scoped)

const says = (text: string) =>
  Effect.gen(function* () {
    const telegram = Option.getOrThrow(yield* Sandbox)
    const { id } = yield* telegram.createUser({ firstName: "Ann" })
    yield* telegram.sendText({ chat: id, text })
    return { telegram, id }
  })

/** Empty before the first commit. */
const notes = (dataDir: string): string =>
  spawnSync("git", ["log", "-p"], { cwd: join(dataDir, "kb", "default", "notes"), encoding: "utf8" })
    .stdout ?? ""

const noted = (dataDir: string, text: string) =>
  eventually(
    "the note is committed",
    Effect.sync(() => notes(dataDir).includes(text))
  )

const said = (calls: ReadonlyArray<RecordedCall>) =>
  calls.flatMap((call) =>
    (call.method === "send" || call.method === "edit") && call.content._tag === "Text"
      ? [call.content.text.text]
      : []
  )

describe("the whole assistant with another bot in it", () => {
  it.live("a recording one remembers the answers, and Telegram hears nothing", () =>
    inAssistant(Application.layerWith({ bot: BotPort.layerRecording }), (dataDir) =>
      Effect.gen(function* () {
        const recorder = yield* BotRecorder
        const { telegram, id } = yield* says("Buy milk")
        yield* noted(dataDir, "Buy milk")
        yield* eventually(
          "the answer is said",
          Effect.map(recorder.calls, (calls) => said(calls).some((text) => text.includes("Buy milk")))
        )
        assert.deepStrictEqual(
          (yield* telegram.messages({ chat: id })).filter(({ from }) => from.isBot),
          []
        )
      })
    )
  )

  it.live("a failing one loses no message and no answer: both are there when it is well again", () =>
    inAssistant(Application.layerWith({ bot: failing }), (dataDir) =>
      Effect.gen(function* () {
        const recorder = yield* BotRecorder
        yield* says("Buy bread")
        yield* noted(dataDir, "Buy bread")
        const before = (yield* recorder.calls).length
        for (const method of ["send", "edit", "identity"] as const)
          yield* recorder.before(method, Effect.void)
        yield* eventually(
          "the answer is said",
          Effect.map(recorder.calls, (calls) =>
            said(calls.slice(before)).some((text) => text.includes("Buy bread"))
          )
        )
      })
    )
  )

  it.live("a slow one delays no note and no shutdown", () =>
    inAssistant(Application.layerWith({ bot: slow }), (dataDir) =>
      Effect.gen(function* () {
        yield* says("Buy salt")
        yield* noted(dataDir, "Buy salt")
      })
    )
  )
})
