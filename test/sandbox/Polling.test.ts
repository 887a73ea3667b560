import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { GrammyError } from "grammy"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { botApi, calling, emulatorLayer, refusalOf } from "../support/emulator.ts"

const withTexts = Effect.fnUntraced(function* (...texts: ReadonlyArray<string>) {
  const telegram = yield* BotApiEmulator
  const api = yield* botApi
  const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
  yield* telegram.sendTexts({ messages: texts.map((text) => ({ chat, text })) })
  return { telegram, api, chat }
})

const texts = (updates: ReadonlyArray<{ message?: { text?: string } }>) =>
  updates.map(({ message }) => message?.text)

describe("getUpdates", () => {
  it.live("hands the same updates out again until an offset confirms them", () =>
    Effect.gen(function* () {
      const { telegram, api } = yield* withTexts("a", "b", "c")
      const once = yield* calling(() => api.getUpdates())
      const twice = yield* calling(() => api.getUpdates({ limit: 2 }))
      assert.deepStrictEqual(texts(once), ["a", "b", "c"])
      assert.deepStrictEqual(twice, once.slice(0, 2))
      const rest = yield* calling(() => api.getUpdates({ offset: once[1]!.update_id }))
      assert.deepStrictEqual(texts(rest), ["b", "c"])
      assert.strictEqual((yield* telegram.pending({})).count, 2)
      yield* calling(() => api.getUpdates({ offset: once[2]!.update_id + 1 }))
      assert.strictEqual((yield* telegram.pending({})).count, 0)
      assert.deepStrictEqual(yield* calling(() => api.getUpdates({ offset: 0 })), [])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("with a negative offset begins that far from the end and forgets what is before", () =>
    Effect.gen(function* () {
      const { telegram, api } = yield* withTexts("a", "b", "c")
      assert.deepStrictEqual(texts(yield* calling(() => api.getUpdates({ offset: -2 }))), ["b", "c"])
      assert.strictEqual((yield* telegram.pending({})).count, 2)
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("waits for something to come, as long as it was asked to", () =>
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* withTexts()
      assert.deepStrictEqual(yield* calling(() => api.getUpdates({ timeout: 1 })), [])
      const waiting = yield* Effect.forkChild(calling(() => api.getUpdates({ timeout: 40 })))
      yield* Effect.sleep("100 millis")
      yield* telegram.sendText({ chat, text: "at last" })
      assert.deepStrictEqual(texts(yield* Fiber.join(waiting)), ["at last"])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("ends the older of two polls with 409", () =>
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* withTexts()
      const older = yield* Effect.forkChild(Effect.flip(calling(() => api.getUpdates({ timeout: 40 }))))
      yield* Effect.sleep("100 millis")
      const newer = yield* Effect.forkChild(calling(() => api.getUpdates({ timeout: 40 })))
      const error = yield* Fiber.join(older)
      assert.instanceOf(error, GrammyError)
      assert.strictEqual(error.error_code, 409)
      assert.include(error.description, "terminated by other getUpdates request")
      yield* telegram.sendText({ chat, text: "for the newer" })
      assert.deepStrictEqual(texts(yield* Fiber.join(newer)), ["for the newer"])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("is refused with 409 while a webhook is set", () =>
    Effect.gen(function* () {
      const { api } = yield* withTexts()
      yield* calling(() => api.setWebhook("http://127.0.0.1:9/hook"))
      const refused = yield* refusalOf(() => api.getUpdates())
      assert.strictEqual(refused.error_code, 409)
      assert.include(refused.description, "webhook is active")
      yield* calling(() => api.deleteWebhook())
      assert.deepStrictEqual(yield* calling(() => api.getUpdates()), [])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("remembers which kinds the bot wants; reactions only come when asked for", () =>
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* withTexts("a")
      const kinds = Effect.map(
        calling(() => api.getUpdates({ offset: -10 })),
        (updates) => updates.map((update) => Object.keys(update).filter((key) => key !== "update_id")[0])
      )
      yield* telegram.react({ chat, messageId: 1, emoji: ["👍"] })
      assert.deepStrictEqual(yield* kinds, ["message"])
      yield* calling(() => api.getUpdates({ allowed_updates: ["message_reaction"] }))
      yield* telegram.react({ chat, messageId: 1, emoji: [] })
      yield* telegram.sendText({ chat, text: "unwanted" })
      assert.deepStrictEqual(yield* kinds, ["message", "message_reaction"])
      yield* calling(() => api.getUpdates({ allowed_updates: [] }))
      yield* telegram.editText({ chat, messageId: 1, text: "b" })
      assert.deepStrictEqual(yield* kinds, ["message", "message_reaction", "edited_message"])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("forgets updates after 24 hours and pressed buttons after 150 seconds", () =>
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* withTexts("a")
      const keyboard = { inline_keyboard: [[{ text: "go", callback_data: "go" }]] }
      const { message_id } = yield* calling(() => api.sendMessage(chat, "?", { reply_markup: keyboard }))
      const { callbackId } = yield* telegram.pressOnly({ chat, messageId: message_id, data: "go" })
      yield* telegram.advance({ millis: 149_000 })
      assert.strictEqual((yield* calling(() => api.getUpdates())).length, 2)
      yield* telegram.advance({ millis: 2_000 })
      assert.deepStrictEqual(texts(yield* calling(() => api.getUpdates())), ["a"])
      const late = yield* refusalOf(() => api.answerCallbackQuery(callbackId))
      assert.include(late.description, "query is too old")
      yield* telegram.advance({ millis: 24 * 3_600_000 })
      assert.deepStrictEqual(yield* calling(() => api.getUpdates()), [])
    }).pipe(Effect.provide(emulatorLayer()))
  )

  it.live("delivers duplicates, old ids and unknown kinds when a test injects them", () =>
    Effect.gen(function* () {
      const { telegram, api } = yield* withTexts("a", "b")
      const seen = yield* calling(() => api.getUpdates())
      const offset = seen[1]!.update_id + 1
      yield* calling(() => api.getUpdates({ offset }))
      yield* telegram.redeliver({ count: 2, reversed: true })
      const { updateId } = yield* telegram.inject({ update: { brand_new_kind: { any: 1 } } })
      yield* telegram.inject({ updateId: 7, update: { message: { odd: true } } })
      const again = yield* calling(() => api.getUpdates({ offset }))
      assert.deepStrictEqual(
        again.map(({ update_id }) => update_id),
        [seen[1]!.update_id, seen[0]!.update_id, updateId, 7]
      )
      assert.deepStrictEqual(again[0], seen[1])
      assert.deepStrictEqual(yield* calling(() => api.getUpdates({ offset: updateId + 1 })), [])
    }).pipe(Effect.provide(emulatorLayer()))
  )
})
