import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import { emulatorLayer } from "../support/emulator.ts"

interface Span {
  readonly name: string
  readonly traceId: string
}

/** An OTLP/HTTP collector that keeps what it is sent, as it was sent. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly bodies: Array<string>; readonly close: () => void }>(
    (resume) => {
      const bodies: Array<string> = []
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          bodies.push(Buffer.concat(chunks).toString())
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, bodies, close: () => server.close() }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const spansIn = (bodies: ReadonlyArray<string>): ReadonlyArray<Span> =>
  bodies.flatMap((body) => {
    const { resourceSpans = [] } = JSON.parse(body)
    return resourceSpans.flatMap((resource: { scopeSpans: ReadonlyArray<{ spans: ReadonlyArray<Span> }> }) =>
      resource.scopeSpans.flatMap(({ spans }) => spans)
    )
  })

it.live("one trace follows an update through storage, window, note and answer; it tells no secrets", () =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const { bodies, url } = yield* collector
    const application = yield* start({
      dataDir: yield* temporaryDirectory,
      emulator,
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, NOTE_WINDOW: "500 millis" }
    })
    const ann = yield* emulator.createUser({ firstName: "Ann" })
    yield* emulator.sendText({ chat: ann.id, text: "canary of a message" })
    yield* eventually(
      "the note is announced",
      Effect.map(emulator.messages({ chat: ann.id }), (all) => all.some((one) => one.text?.includes("Saved")))
    )
    yield* Effect.sleep("300 millis")
    yield* application.signal("SIGTERM")
    const spans = spansIn(bodies)
    const trace = spans.find(({ name }) => name === "NoteCreation.create")?.traceId
    assert.isDefined(trace)
    const names = new Set(spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name))
    for (const name of [
      "Inbox.receive",
      "Conversation.Receive",
      "MessageProcessor.unit",
      "KnowledgeBase.write",
      "Outbox.deliver"
    ]) {
      assert.isTrue(names.has(name), `${name} is missing among ${[...names].join(", ")}`)
    }
    const everything = bodies.join("\n")
    assert.notInclude(everything, "canary of a message")
    assert.notInclude(everything, emulator.bot.token)
  }).pipe(Effect.scoped, Effect.provide(emulatorLayer()))
)
