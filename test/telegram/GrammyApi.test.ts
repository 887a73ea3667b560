import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Layer, Redacted, Stream, Tracer } from "effect"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import * as Faulty from "./support/FaultyServer.ts"
import { printed } from "./support/printed.ts"

const { bot, faultyServer, token } = Faulty
const secret = token.split(":")[1]!
const once = { idempotent: false, timeout: "20 seconds" } as const

const sendWithin = (timeout: Duration.Input) =>
  Effect.flatMap(GrammyApi, (api) =>
    api.call(bot, "sendMessage", { chat_id: 1, text: "hello" }, { ...once, timeout })
  )
const send = sendWithin(once.timeout)

const document = new TextEncoder().encode("the bytes of a document")
const upload = Effect.flatMap(GrammyApi, (api) =>
  api.call(
    bot,
    "sendDocument",
    { chat_id: 1, document: "attach://file" },
    {
      ...once,
      files: [{ part: "file", filename: "a.txt", size: document.length, bytes: Stream.make(document) }]
    }
  )
)
const read = Stream.runDrain(
  Stream.unwrap(Effect.map(GrammyApi, (api) => api.file(bot, "photos/1.jpg", { from: 3 })))
)
const poll = Effect.flatMap(GrammyApi, (api) =>
  api.getUpdates(bot, { timeout: "1 second", allowedUpdates: [], connection: "fresh" })
)

/** Every way to Telegram. */
const ways = { send, upload, read, poll }

const faults: ReadonlyArray<readonly [string, Faulty.Step, string]> = [
  ["a refusal that repeats the token", Faulty.refuse(400, `Bad Request: /bot${token}/ is odd`), "Refused"],
  ["a refusal that repeats it encoded", Faulty.refuse(400, `/bot${encodeURIComponent(token)}/`), "Refused"],
  ["429", Faulty.refuse(429, "Too Many Requests", { retry_after: 3 }), "Wait"],
  ["a 502 page", Faulty.page(502), "Unknown"],
  ["a JSON answer of another service", Faulty.json(200, { status: "fine" }), "Unknown"],
  ["an empty answer", (_call, response) => response.end(), "Unknown"],
  ["null", Faulty.json(200, null), "Unknown"],
  ["a cut before processing", Faulty.cut("before"), "Unknown"],
  ["a cut after processing", Faulty.cut("after"), "Unknown"],
  ["a truncated answer", Faulty.truncate, "Unknown"],
  ["silence", Faulty.silence, "Unknown"]
]

describe("GrammyApi", () => {
  describe.each(faults)("%s", (_name, step, expected) => {
    it.live(`comes to ${expected}, and the token is in no printing of the error`, () =>
      Effect.gen(function* () {
        const server = yield* faultyServer
        server.script.push(step)
        const cause = yield* sendWithin(step === Faulty.silence ? "300 millis" : once.timeout).pipe(
          Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer))),
          Effect.sandbox,
          Effect.flip
        )
        const error = Cause.squash(cause)
        assert.propertyVal(error, "_tag", "CallFailed")
        assert.nestedPropertyVal(error, "outcome._tag", expected)
        const text = yield* printed(cause)
        assert.isAbove(text.length, 200)
        assert.notInclude(text, secret)
      }).pipe(Effect.scoped)
    )
  })

  describe.each([
    ["a port nobody listens on", "http://127.0.0.1:2"],
    ["a name nobody has", "http://zapiska.invalid"],
    ["an address that is none", "nowhere"]
  ])("%s", (_name, apiRoot) => {
    it.live("is certainly not sent, and the token is in no printing of the error", () =>
      Effect.gen(function* () {
        const bots = Bots.layer([{ ...bot, token: Redacted.make(token), apiRoot }])
        const cause = yield* send.pipe(
          Effect.provide(GrammyApi.layer.pipe(Layer.provide(bots))),
          Effect.sandbox,
          Effect.flip
        )
        assert.nestedPropertyVal(Cause.squash(cause), "outcome._tag", "Retry")
        assert.notInclude(yield* printed(cause), secret)
      })
    )
  })

  /** What a connection of another way is waited for longer than a test waits. */
  const quick = faults.filter(([name]) => name !== "silence")
  describe.each(Object.entries(ways))("the way of %s", (_name, way) => {
    it.live("prints no token, whatever goes wrong", () =>
      Effect.gen(function* () {
        const server = yield* faultyServer
        const api = Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer)))
        let failures = 0
        for (const [, step] of quick) {
          server.script.push(step)
          const exit = yield* Effect.exit(way.pipe(api))
          if (Exit.isSuccess(exit)) continue
          failures += 1
          assert.notInclude(yield* printed(exit.cause), secret)
        }
        for (const apiRoot of ["http://127.0.0.1:2", "http://zapiska.invalid", "nowhere", "http://[::/"]) {
          const bots = Bots.layer([{ ...bot, token: Redacted.make(token), apiRoot }])
          const exit = yield* Effect.exit(way.pipe(Effect.provide(GrammyApi.layer.pipe(Layer.provide(bots)))))
          assert.isTrue(Exit.isFailure(exit))
          if (Exit.isFailure(exit)) assert.notInclude(yield* printed(exit.cause), secret)
        }
        assert.isAbove(failures, 3)
      }).pipe(Effect.scoped)
    )
  })

  it.live("leaves no token in the spans of what goes wrong", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const server = yield* faultyServer
      const api = GrammyApi.layer.pipe(Layer.provide(server.layer))
      for (const [, step] of quick)
        for (const way of Object.values(ways)) {
          server.script.push(step)
          yield* Effect.exit(
            way.pipe(
              Effect.provide(api),
              Effect.withSpan("outside"),
              Effect.provideService(Tracer.Tracer, tracer)
            )
          )
        }
      const broken = spans.filter(({ status }) => status._tag === "Ended" && Exit.isFailure(status.exit))
      assert.isAbove(broken.length, quick.length)
      for (const span of spans) assert.notInclude(inspect(span, { depth: 20, showHidden: true }), secret)
    }).pipe(Effect.scoped)
  )

  it.live("gives back what Telegram answers, with what it was asked", () =>
    Effect.gen(function* () {
      const server = yield* faultyServer
      const api = Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer)))
      const message = yield* send.pipe(api)
      assert.isNumber(message.message_id)
      assert.deepInclude(server.calls[0], { method: "sendMessage", payload: { chat_id: 1, text: "hello" } })
      const me = yield* Effect.flatMap(GrammyApi, (grammy) =>
        grammy.call(bot, "getMe", undefined, once)
      ).pipe(api)
      assert.strictEqual(me.username, "notes_bot")
    }).pipe(Effect.scoped)
  )

  it.live("hands updates over as they came and asks for exactly what it was told to", () =>
    Effect.gen(function* () {
      const server = yield* faultyServer
      const odd = [{ update_id: 5, something_new: { a: 1 } }, { no_id: true }]
      server.script.push(Faulty.json(200, { ok: true, result: odd }))
      const updates = yield* Effect.flatMap(GrammyApi, (api) =>
        api.getUpdates(bot, {
          offset: 7,
          timeout: "20 seconds",
          limit: 50,
          allowedUpdates: ["message"],
          connection: "fresh"
        })
      ).pipe(Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer))))
      assert.deepStrictEqual(updates, odd)
      assert.deepStrictEqual(server.calls[0]?.payload, {
        offset: 7,
        timeout: 20,
        limit: 50,
        allowed_updates: ["message"]
      })
    }).pipe(Effect.scoped)
  )

  it.live("aborts the request when it is interrupted", () =>
    Effect.gen(function* () {
      const server = yield* faultyServer
      const closed = yield* Effect.callback<void>((resume) => {
        server.script.push((_call, response) => {
          response.socket?.once("close", () => resume(Effect.void))
          running.interruptUnsafe()
        })
        const running = Effect.runFork(
          Effect.flatMap(GrammyApi, (api) =>
            api.getUpdates(bot, { timeout: "50 seconds", allowedUpdates: [] })
          ).pipe(Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer))))
        )
      }).pipe(Effect.timeoutOption("30 seconds"))
      assert.strictEqual(closed._tag, "Some")
    }).pipe(Effect.scoped)
  )

  it.live("streams a file, and says when Telegram no longer gives it out", () =>
    Effect.gen(function* () {
      const server = yield* faultyServer
      server.script.push((_call, response) => {
        response.write("first ")
        response.end("second")
      })
      server.script.push(Faulty.page(404))
      const read = Stream.unwrap(Effect.map(GrammyApi, (api) => api.file(bot, "photos/1.jpg"))).pipe(
        Stream.decodeText(),
        Stream.mkString,
        Effect.provide(GrammyApi.layer.pipe(Layer.provide(server.layer)))
      )
      assert.strictEqual(yield* read, "first second")
      const error = yield* Effect.flip(read)
      assert.nestedPropertyVal(error, "outcome._tag", "FileExpired")
    }).pipe(Effect.scoped)
  )

  it.live("answers for unknown bots with their name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(send).pipe(
        Effect.provide(GrammyApi.layer.pipe(Layer.provide(Bots.layer([]))))
      )
      assert.strictEqual(error._tag, "BotUnknown")
    })
  )
})
