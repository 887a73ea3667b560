import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually, start, temporaryDirectory } from "../support/Application.ts"
import { bodiesAt, collector } from "../support/collector.ts"
import { emulatorLayer } from "../support/emulator.ts"

interface Span {
  readonly name: string
  readonly traceId: string
}

const spansIn = (bodies: ReadonlyArray<string>): ReadonlyArray<Span> =>
  bodies.flatMap((body) => {
    const { resourceSpans } = JSON.parse(body)
    return resourceSpans.flatMap((resource: { scopeSpans: ReadonlyArray<{ spans: ReadonlyArray<Span> }> }) =>
      resource.scopeSpans.flatMap(({ spans }) => spans)
    )
  })

it.live("one trace follows an update through storage, window, note and answer; it tells no secrets", () =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const { received, url } = yield* collector()
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
    // What has not ended yet ends with the process.
    yield* application.signal("SIGTERM")
    const spans = spansIn(bodiesAt(received, "/v1/traces"))
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
    const everything = received.map(({ body }) => body).join("\n")
    assert.notInclude(everything, "canary of a message")
    assert.notInclude(everything, emulator.bot.token)
  }).pipe(Effect.scoped, Effect.provide(emulatorLayer()))
)
