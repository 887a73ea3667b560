import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Address } from "../../src/domain/Address.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { ChatId, defaultApp, defaultTenant, MessageId } from "../../src/domain/Ids.ts"
import { BotPort, BotRecorder, Unavailable } from "../../src/telegram/BotPort.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const address = new Address({ ...bot, chat: ChatId.make(1) })
const hello = { _tag: "Text", text: plain("hello") } as const

describe("BotPort.layerRecording", () => {
  it.effect("remembers every call in order and answers with increasing message ids", () =>
    Effect.gen(function* () {
      const port = yield* BotPort
      const recorder = yield* BotRecorder
      const first = yield* port.send(address, hello)
      const second = yield* port.send(address, hello, { replyTo: first.messageId })
      yield* port.edit(address, second.messageId, hello)
      yield* port.react(address, MessageId.make(9), "👍")
      assert.isAbove(second.messageId, first.messageId)
      const calls = yield* recorder.calls
      assert.deepStrictEqual(
        calls.map(({ method }) => method),
        ["send", "send", "edit", "react"]
      )
      assert.deepInclude(calls[1], { options: { replyTo: first.messageId } })
      assert.deepStrictEqual(yield* recorder.next, calls[0])
    }).pipe(Effect.provide(BotPort.layerRecording))
  )

  it.effect(
    "fails and dawdles as it is told, until it is told otherwise, and no longer than its caller has time",
    () =>
      Effect.gen(function* () {
        const port = yield* BotPort
        const recorder = yield* BotRecorder
        yield* recorder.before(
          "send",
          Effect.fail(new Unavailable({ method: "sendMessage", reason: "test" }))
        )
        assert.strictEqual((yield* Effect.flip(port.send(address, hello)))._tag, "Unavailable")
        yield* recorder.before("send", Effect.sleep("1 minute"))
        const slow = yield* Effect.forkChild(port.send(address, hello), { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(slow)
        const late = yield* Effect.forkChild(Effect.flip(port.send(address, hello, { deadline: 61_000 })), {
          startImmediately: true
        })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(late))._tag, "Unavailable")
        yield* recorder.before("send", Effect.void)
        yield* port.send(address, hello)
        assert.lengthOf(yield* recorder.calls, 4)
      }).pipe(Effect.provide(BotPort.layerRecording))
  )

  it.effect("gives the bytes of the files it was given", () =>
    Effect.gen(function* () {
      const port = yield* BotPort
      const recorder = yield* BotRecorder
      yield* recorder.provideFile("f", new Uint8Array([1, 2, 3]))
      const chunks = yield* Stream.runCollect(port.download(bot, { fileId: "f", fileUniqueId: "u" }))
      assert.deepStrictEqual(chunks, [new Uint8Array([1, 2, 3])])
    }).pipe(Effect.provide(BotPort.layerRecording))
  )
})
