import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { botApi, calling, emulatorLayer } from "../support/emulator.ts"

interface Delivery {
  readonly secret: string | undefined
  readonly update: { update_id: number; message?: { text?: string } }
  readonly answer: (status: number, headers?: Record<string, string>) => void
}

/** A bot's own server; each delivery waits to be answered. */
const hook = Effect.gen(function* () {
  const deliveries = yield* Queue.unbounded<Delivery>()
  const port = yield* Effect.acquireRelease(
    Effect.callback<{ port: number; close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => {
          body += chunk
        })
        request.on("end", () =>
          Queue.offerUnsafe(deliveries, {
            secret: request.headers["x-telegram-bot-api-secret-token"] as string | undefined,
            update: JSON.parse(body),
            answer: (status, headers = {}) => response.writeHead(status, headers).end()
          })
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          Effect.succeed({
            port: typeof address === "object" ? (address?.port ?? 0) : 0,
            close: () => {
              server.close()
              server.closeAllConnections()
            }
          })
        )
      })
    }),
    ({ close }) => Effect.sync(close)
  )
  return { url: `http://127.0.0.1:${port.port}/hook`, next: Queue.take(deliveries) }
})

const started = Effect.gen(function* () {
  const telegram = yield* BotApiEmulator
  const api = yield* botApi
  const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
  return { telegram, api, chat, ...(yield* hook) }
})

const live = (name: string, body: Effect.Effect<void, unknown, BotApiEmulator>) =>
  it.live(name, () => Effect.provide(body, emulatorLayer()))

describe("a webhook", () => {
  live(
    "gets what waited and what comes, one after another per chat, with the secret",
    Effect.gen(function* () {
      const { telegram, api, chat, url, next } = yield* started
      const { id: other } = yield* telegram.createUser({ firstName: "Bob" })
      yield* telegram.sendTexts({
        messages: [
          { chat, text: "a" },
          { chat, text: "b" }
        ]
      })
      yield* calling(() => api.setWebhook(url, { secret_token: "s3cret" }))
      const first = yield* next
      assert.deepStrictEqual([first.secret, first.update.message?.text], ["s3cret", "a"])
      yield* telegram.sendText({ chat: other, text: "elsewhere" })
      const second = yield* next
      assert.strictEqual(second.update.message?.text, "elsewhere")
      first.answer(200)
      const third = yield* next
      assert.strictEqual(third.update.message?.text, "b")
      third.answer(204)
      second.answer(200)
      yield* Effect.sleep("10 millis").pipe(
        Effect.andThen(telegram.pending({})),
        Effect.repeat({ until: ({ count }) => count === 0 })
      )
    }).pipe(Effect.scoped)
  )

  live(
    "gets again what it refused, as late as it asks, and says why in its info",
    Effect.gen(function* () {
      const { telegram, api, chat, url, next } = yield* started
      yield* calling(() => api.setWebhook(url))
      yield* telegram.sendText({ chat, text: "a" })
      const refused = yield* next
      refused.answer(503, { "retry-after": "0" })
      const again = yield* next
      assert.deepStrictEqual(again.update, refused.update)
      const info = yield* calling(() => api.getWebhookInfo())
      assert.strictEqual(info.pending_update_count, 1)
      assert.include(info.last_error_message, "503")
      again.answer(200)
      yield* calling(() => api.deleteWebhook({ drop_pending_updates: true }))
      assert.strictEqual((yield* calling(() => api.getWebhookInfo())).url, "")
      assert.deepStrictEqual(yield* calling(() => api.getUpdates()), [])
    }).pipe(Effect.scoped)
  )
})
