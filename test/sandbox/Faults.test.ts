import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { GrammyError, HttpError } from "grammy"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import type { FaultEffect } from "../../src/sandbox/Fault.ts"
import { botApi, calling, emulatorLayer, refusalOf } from "../support/emulator.ts"

const started = Effect.gen(function* () {
  const telegram = yield* BotApiEmulator
  const api = yield* botApi
  const { id: chat } = yield* telegram.createUser({ firstName: "Ada" })
  yield* telegram.start({ user: chat })
  const send = (text: string, signal?: AbortSignal) =>
    calling(() => api.sendMessage(chat, text, {}, signal as never))
  const said = Effect.map(telegram.messages({ chat }), (messages) =>
    messages.filter(({ from }) => from.isBot).map(({ text }) => text)
  )
  return { telegram, api, chat, send, said }
})

const live = (name: string, body: Effect.Effect<void, unknown, BotApiEmulator>) =>
  it.live(name, () => Effect.provide(body, emulatorLayer()))

const once = (effect: FaultEffect) =>
  BotApiEmulator.use((telegram) => telegram.addFault({ effect, method: "sendMessage", times: 1 }))

describe("a fault", () => {
  for (const [effect, code, processed] of [
    [{ _tag: "Refuse", code: 429, retryAfter: 7 }, 429, false],
    [{ _tag: "Refuse", code: 500 }, 500, false],
    [{ _tag: "Refuse", code: 401 }, 401, false],
    [{ _tag: "Refuse", code: 403 }, 403, false],
    [{ _tag: "Refuse", code: 400, migrateToChatId: -100123 }, 400, false]
  ] as const) {
    live(
      `refuses with ${code} once, without doing anything`,
      Effect.gen(function* () {
        const { api, chat, send, said, telegram } = yield* started
        yield* once(effect)
        const error = yield* refusalOf(() => api.sendMessage(chat, "a"))
        assert.strictEqual(error.error_code, code)
        if ("retryAfter" in effect) assert.strictEqual(error.parameters.retry_after, 7)
        if ("migrateToChatId" in effect) assert.strictEqual(error.parameters.migrate_to_chat_id, -100123)
        yield* send("b")
        assert.deepStrictEqual(yield* said, ["b"])
        const [entry] = yield* telegram.journal({ method: "sendMessage" })
        assert.deepStrictEqual([entry?.outcome, entry?.status, entry?.processed], ["fault", code, processed])
        assert.strictEqual(entry?.retryAfter, "retryAfter" in effect ? effect.retryAfter : undefined)
      })
    )
  }

  for (const [effect, processed, status] of [
    [{ _tag: "Html", status: 502 }, false, 502],
    [{ _tag: "Html", status: 502, processed: true }, true, 502],
    [{ _tag: "DropBefore" }, false, 0],
    [{ _tag: "DropAfter" }, true, 0],
    [{ _tag: "Reset" }, false, 0],
    [{ _tag: "Reset", processed: true }, true, 0],
    [{ _tag: "Truncate" }, true, 0],
    [{ _tag: "HalfClose", processed: true }, true, 0],
    [{ _tag: "HalfClose" }, false, 0]
  ] as const) {
    live(
      `${JSON.stringify(effect)} leaves the client without an answer, the call ${processed ? "" : "not "}done`,
      Effect.gen(function* () {
        const { send, said, telegram } = yield* started
        yield* once(effect)
        // grammY's client does not notice a body that breaks off: only its own deadline ends such a call.
        const error = yield* Effect.flip(send("a", AbortSignal.timeout(3_000)))
        assert.instanceOf(error, HttpError)
        yield* send("b")
        assert.deepStrictEqual(yield* said, processed ? ["b", "a"] : ["b"])
        const [entry] = yield* telegram.journal({ method: "sendMessage" })
        assert.deepStrictEqual(
          [entry?.outcome, entry?.status, entry?.processed],
          ["fault", status, processed]
        )
      })
    )
  }

  for (const effect of [{ _tag: "Truncate" }, { _tag: "HalfClose" }] as const) {
    live(
      `${effect._tag} ends the connection before the announced length`,
      Effect.gen(function* () {
        const { telegram } = yield* started
        yield* telegram.addFault({ effect, method: "getMe" })
        const body = yield* Effect.exit(
          Effect.tryPromise(() =>
            fetch(`${telegram.apiRoot}/bot${telegram.bot.token}/getMe`).then((response) => response.text())
          )
        )
        assert.strictEqual(body._tag, "Failure")
      })
    )
  }

  live(
    "hangs until the client gives up; the next call is served",
    Effect.gen(function* () {
      const { send, said } = yield* started
      yield* once({ _tag: "Hang" })
      assert.instanceOf(yield* Effect.flip(send("a", AbortSignal.timeout(2_000))), HttpError)
      yield* send("b")
      assert.deepStrictEqual(yield* said, ["b"])
    })
  )

  live(
    "delays one chat while another one is served",
    Effect.gen(function* () {
      const { telegram, api, chat, send } = yield* started
      const { id: other } = yield* telegram.createUser({ firstName: "Bob" })
      yield* telegram.start({ user: other })
      yield* telegram.addFault({ effect: { _tag: "Delay", millis: 3_000 }, chat })
      const order: Array<string> = []
      const note = (name: string) => Effect.sync(() => order.push(name))
      yield* Effect.all(
        [
          Effect.andThen(send("slow"), note("slow")),
          Effect.andThen(
            calling(() => api.sendMessage(other, "fast")),
            note("fast")
          )
        ],
        { concurrency: 2 }
      )
      assert.deepStrictEqual(order, ["fast", "slow"])
    })
  )

  live(
    "meets only what its rule names, skips as many as told, and goes when removed",
    Effect.gen(function* () {
      const { telegram, api, chat, send, said } = yield* started
      const { id } = yield* telegram.addFault({
        effect: { _tag: "Refuse", code: 500 },
        method: "SENDMESSAGE",
        skip: 1,
        times: 5
      })
      yield* send("a")
      assert.instanceOf(yield* Effect.flip(send("b")), GrammyError)
      yield* calling(() => api.sendDice(chat, "🎲"))
      yield* telegram.removeFault({ id })
      yield* send("c")
      assert.deepStrictEqual((yield* said).filter(Boolean), ["c", "a"])
    })
  )

  live(
    "without a method spares getUpdates; with * it meets it too",
    Effect.gen(function* () {
      const { telegram, api } = yield* started
      yield* telegram.addFault({ effect: { _tag: "Refuse", code: 502 } })
      assert.strictEqual((yield* calling(() => api.getUpdates())).length, 1)
      yield* telegram.clearFaults({})
      yield* telegram.addFault({ effect: { _tag: "DropAfter" }, method: "*" })
      assert.instanceOf(yield* Effect.flip(calling(() => api.getUpdates())), HttpError)
      yield* telegram.clearFaults({})
      assert.strictEqual((yield* calling(() => api.getUpdates())).length, 1)
    })
  )
})

describe("the pace", () => {
  const paced = (name: string, body: Effect.Effect<void, unknown, BotApiEmulator>) =>
    it.live(name, () => Effect.provide(body, emulatorLayer({ rates: "telegram" })))

  paced(
    "of a chat tolerates a short burst, then answers 429 until it has rested",
    Effect.gen(function* () {
      const { telegram, api, chat, send } = yield* started
      for (const text of ["1", "2", "3", "4"]) yield* send(text)
      const { message_id } = yield* send("5")
      const error = yield* refusalOf(() => api.editMessageText(chat, message_id, "6"))
      assert.strictEqual(error.error_code, 429)
      assert.strictEqual(error.parameters.retry_after, 1)
      yield* calling(() => api.sendChatAction(chat, "typing"))
      yield* telegram.advance({ millis: 1_000 })
      yield* calling(() => api.editMessageText(chat, message_id, "6"))
      const calls = yield* telegram.journal({ chat })
      assert.strictEqual(calls.filter(({ outcome }) => outcome === "limited").length, 1)
      yield* telegram.setRates({ rates: "off" })
      for (const text of ["7", "8", "9"]) yield* send(text)
    })
  )

  paced(
    "of a group is 20 a minute",
    Effect.gen(function* () {
      const { telegram, api, chat } = yield* started
      const { id: group } = yield* telegram.createGroup({ title: "Team", members: [chat] })
      const send = (text: string) => calling(() => api.sendMessage(group, text))
      for (let count = 0; count < 29; count++) {
        yield* send("x")
        yield* telegram.advance({ millis: 1_000 })
      }
      const error = yield* refusalOf(() => api.sendMessage(group, "x"))
      assert.strictEqual(error.error_code, 429)
      yield* telegram.advance({ millis: 60_000 })
      yield* send("x")
    })
  )
})
