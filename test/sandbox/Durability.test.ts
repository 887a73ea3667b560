import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { botApi, calling, emulatorProcessLayer } from "../support/emulator.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emulator-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("an emulator killed with -9", () => {
  it.live("keeps its bot, chats, files and unconfirmed updates, and goes on counting ids", () =>
    Effect.gen(function* () {
      const file = join(yield* directory, "telegram.sqlite")
      const before = yield* Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const api = yield* botApi
        const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
        yield* telegram.start({ user: chat })
        yield* telegram.sendText({ chat, text: "one" })
        const [first] = yield* calling(() => api.getUpdates({ limit: 1 }))
        yield* calling(() => api.getUpdates({ offset: (first?.update_id ?? 0) + 1, limit: 1 }))
        const bytes = new TextEncoder().encode("content")
        const photo = yield* telegram.sendFile({ chat, file: { kind: "photo", bytes } })
        const said = yield* calling(() => api.sendMessage(chat, "two"))
        yield* telegram.react({ chat, messageId: said.message_id, emoji: ["👍"] })
        return { bot: telegram.bot, chat, first, photo, said: said.message_id }
      }).pipe(Effect.provide(emulatorProcessLayer({ file })))

      yield* Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const api = yield* botApi
        assert.deepStrictEqual(telegram.bot, before.bot)
        const updates = yield* calling(() => api.getUpdates())
        assert.deepStrictEqual(
          updates.map(({ update_id, message }) => [update_id, message?.text]),
          [
            [(before.first?.update_id ?? 0) + 1, "one"],
            [(before.first?.update_id ?? 0) + 2, undefined]
          ]
        )
        const { bytes } = yield* telegram.file({ fileId: before.photo.media?.fileId ?? "" })
        assert.strictEqual(new TextDecoder().decode(bytes), "content")
        const [last] = yield* telegram.messages({ chat: before.chat })
        assert.strictEqual(last?.id, before.said)
        assert.deepStrictEqual(last?.reactions, [{ emoji: "👍", by: [before.chat] }])
        const next = yield* telegram.sendText({ chat: before.chat, text: "three" })
        assert.strictEqual(next.id, before.said + 1)
        const another = yield* telegram.createUser({ firstName: "Bob" })
        assert.strictEqual(another.id, before.chat + 1)
        const calls = yield* telegram.journal({ method: "sendMessage" })
        assert.deepStrictEqual(
          calls.map(({ messageId, outcome }) => [messageId, outcome]),
          [[before.said, "ok"]]
        )
      }).pipe(Effect.provide(emulatorProcessLayer({ file })))
    })
  )

  it.live("while a burst comes in keeps everything it acknowledged, and nothing twice", () =>
    Effect.gen(function* () {
      const file = join(yield* directory, "telegram.sqlite")
      const acknowledged: Array<string> = []
      yield* Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const { id: chat } = yield* telegram.createUser({ id: 5, firstName: "Ada" })
        const send = (index: number) =>
          Effect.map(telegram.sendText({ chat, text: `m${index}` }), () => {
            acknowledged.push(`m${index}`)
          })
        const burst = Effect.forEach(
          Array.from({ length: 5_000 }, (_, index) => index),
          send,
          { concurrency: 16 }
        )
        yield* Effect.ignore(
          Effect.raceFirst(
            burst,
            Effect.sleep("5 millis").pipe(Effect.repeat({ until: () => acknowledged.length > 300 }))
          )
        )
      }).pipe(Effect.provide(emulatorProcessLayer({ file })))
      yield* Effect.gen(function* () {
        const telegram = yield* BotApiEmulator
        const kept = (yield* telegram.messages({ chat: 5, limit: 10_000 })).map(({ text }) => text)
        const { count } = yield* telegram.pending({})
        assert.strictEqual(new Set(kept).size, kept.length)
        assert.isTrue(acknowledged.length > 300 && acknowledged.length < 5_000)
        assert.deepStrictEqual(
          acknowledged.filter((text) => !kept.includes(text)),
          []
        )
        assert.strictEqual(count, kept.length)
      }).pipe(Effect.provide(emulatorProcessLayer({ file })))
    })
  )
})
