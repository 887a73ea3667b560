import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { botApi, calling, emulatorLayer } from "../support/emulator.ts"

describe("BotApiEmulator", () => {
  it.live("a person's message reaches the bot, and the bot's answer the person", () =>
    Effect.gen(function* () {
      const telegram = yield* BotApiEmulator
      const api = yield* botApi
      const { id: chat } = yield* telegram.createUser({ firstName: "Ada", language: "en" })
      yield* telegram.start({ user: chat })
      const sent = yield* telegram.sendText({ chat, text: "hello #tag" })
      const updates = yield* calling(() => api.getUpdates())
      assert.deepStrictEqual(
        updates.map(({ message }) => message?.text),
        ["/start", "hello #tag"]
      )
      assert.strictEqual(updates[1]?.message?.message_id, sent.id)
      const answer = yield* calling(() =>
        api.sendMessage(chat, "hi", { reply_parameters: { message_id: sent.id } })
      )
      const messages = yield* telegram.messages({ chat })
      assert.strictEqual(messages[0]?.id, answer.message_id)
      assert.strictEqual(messages[0]?.reply?.messageId, sent.id)
    }).pipe(Effect.provide(emulatorLayer()))
  )
})
