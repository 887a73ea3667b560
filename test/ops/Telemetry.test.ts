import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer, Metric, Redacted, Schema } from "effect"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { type TelemetryOptions, telemetry } from "../../src/ops/Telemetry.ts"
import { bodiesAt, collector } from "../support/collector.ts"

const botToken = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
const registered = 'canary "registered" secret'
/** What must be found nowhere: the secrets, and each in the spelling of JSON. */
const canaries = [botToken, registered, JSON.stringify(registered).slice(1, -1), "canary-password"]

class Failed extends Schema.TaggedError<Failed>()("Failed", { url: Schema.String, cause: Schema.Defect() }) {
  override get message() {
    return `failed at ${this.url}`
  }
}

/** A secret through every door: message, structure, annotation, cause, nested cause, defect, span, event, metric. */
const leaky = Effect.gen(function* () {
  yield* Effect.logInfo(`GET https://api.telegram.org/bot${botToken}/getMe`)
  yield* Effect.logInfo("structure", { deep: [{ token: botToken, also: registered }] })
  yield* Effect.logInfo("annotated").pipe(
    Effect.annotateLogs({ url: "postgres://u:canary-password@h/d", registered })
  )
  yield* Effect.fail(
    new Failed({ url: `/bot${botToken}`, cause: new Error(registered, { cause: new Error(botToken) }) })
  ).pipe(
    Effect.withSpan("leaky.child", { attributes: { token: botToken } }),
    Effect.catchCause((cause) => Effect.logError("caught", cause))
  )
  yield* Effect.die(new Error(`defect ${registered}`)).pipe(
    Effect.withSpan("leaky.died"),
    Effect.catchCause((cause) => Effect.logError("died", cause))
  )
  yield* Effect.annotateCurrentSpan({ secret: registered })
  const span = yield* Effect.currentSpan
  span.event(`event ${botToken}`, 0n, { secret: registered })
  yield* Metric.update(
    Metric.withAttributes(Metric.counter("leaky_total", { incremental: true }), { label: botToken }),
    1
  )
}).pipe(Effect.withSpan("leaky.parent"), Effect.orDie)

const registering = Effect.flatMap(Scrubber, (scrubber) => scrubber.register(Redacted.make(registered)))

const options: TelemetryOptions = { level: "info", format: "json", otlpEndpoint: undefined, version: "1.2.3" }

/** Everything a program writes to the console. */
const consoleOf = (program: Effect.Effect<unknown, never, Scrubber>, more: Partial<TelemetryOptions> = {}) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const write = (...parts: ReadonlyArray<unknown>) => {
      lines.push(parts.join(" "))
    }
    yield* program.pipe(
      Effect.provide(telemetry({ ...options, ...more }).pipe(Layer.provideMerge(Scrubber.layer))),
      Effect.provideService(Console.Console, {
        ...console,
        log: write,
        error: write,
        warn: write,
        info: write
      })
    )
    return lines
  })

const spanNames = (body: string): ReadonlyArray<string> =>
  JSON.parse(body).resourceSpans.flatMap(
    (resource: { scopeSpans: Array<{ spans: Array<{ name: string }> }> }) =>
      resource.scopeSpans.flatMap((scope) => scope.spans.map((span) => span.name))
  )

describe("the console", () => {
  for (const format of ["json", "pretty"] as const) {
    it.effect(`${format}: no secret passes, by whatever door it came`, () =>
      Effect.gen(function* () {
        const lines = yield* consoleOf(Effect.andThen(registering, leaky), { format })
        const all = lines.join("\n")
        for (const canary of canaries) assert.notInclude(all, canary)
        assert.include(all, "<hidden>")
        for (const word of ["structure", "annotated", "caught", "died"]) assert.include(all, word)
      })
    )
  }

  it.effect("json: one object a line, with the operation and its trace", () =>
    Effect.gen(function* () {
      const lines = yield* consoleOf(
        Effect.logWarning("slow", { rows: 3n }).pipe(
          Effect.annotateLogs({ tenant: "default" }),
          Effect.withSpan("Outbox.dispatch")
        )
      )
      assert.strictEqual(lines.length, 1)
      const line = JSON.parse(lines[0]!)
      assert.strictEqual(line.level, "WARN")
      assert.strictEqual(line.operation, "Outbox.dispatch")
      assert.deepStrictEqual(line.annotations, { tenant: "default" })
      assert.match(line.traceId, /^[0-9a-f]{32}$/)
      assert.match(line.timestamp, /^\d{4}-.*Z$/)
    })
  )

  it.effect("pretty: time, level and words in one line, the cause below it", () =>
    Effect.gen(function* () {
      const lines = yield* consoleOf(
        Effect.andThen(
          Effect.logInfo("listening").pipe(Effect.annotateLogs({ port: 8080 })),
          Effect.catchCause(Effect.fail(new Failed({ url: "/x", cause: "y" })), (cause) =>
            Effect.logError("no", cause)
          )
        ),
        { format: "pretty" }
      )
      assert.match(stripVTControlCharacters(lines[0]!), /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening port=8080$/)
      assert.match(lines[1]!, /ERROR.* no\n {4}Failed: failed at \/x/)
    })
  )

  it.effect("says nothing below its level", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(Effect.logInfo("quiet"), Effect.logError("loud"))
      const lines = yield* consoleOf(program, { level: "error" })
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], "loud")
      assert.deepStrictEqual(yield* consoleOf(program, { level: "none" }), [])
    })
  )
})

describe("OTLP", () => {
  it.live("one trace arrives with its logs and metrics, and not one secret", () =>
    Effect.gen(function* () {
      const { url, received } = yield* collector()
      yield* consoleOf(Effect.andThen(registering, leaky), { otlpEndpoint: url })
      const bodyOf = (path: string) => bodiesAt(received, path).join("\n")
      const traces = JSON.parse(bodyOf("/v1/traces"))
      assert.sameMembers([...spanNames(bodyOf("/v1/traces"))], ["leaky.parent", "leaky.child", "leaky.died"])
      const resource = JSON.stringify(traces.resourceSpans[0].resource)
      assert.include(resource, '"zapiska"')
      assert.include(resource, '"1.2.3"')
      const traceIds = new Set(
        [...bodyOf("/v1/traces").matchAll(/"traceId":"(\w+)"/g)].map((match) => match[1])
      )
      assert.strictEqual(traceIds.size, 1)
      const logs = JSON.parse(bodyOf("/v1/logs")).resourceLogs[0].scopeLogs[0].logRecords
      assert.isAtLeast(logs.length, 5)
      for (const record of logs) assert.isTrue(traceIds.has(record.traceId), "a log outside the trace")
      assert.include(bodyOf("/v1/metrics"), '"leaky_total"')
      const all = received.map((one) => one.body).join("\n")
      assert.include(all, "event <hidden>")
      for (const canary of canaries) assert.notInclude(all, canary)
    }).pipe(Effect.scoped)
  )

  it.live("a collector that is away takes nothing from the program", () =>
    Effect.gen(function* () {
      const lines = yield* consoleOf(Effect.withSpan(Effect.logInfo("hello"), "x"), {
        otlpEndpoint: "http://127.0.0.1:9"
      })
      assert.include(lines[0], "hello")
    })
  )

  it.live("a collector that refuses is said on the console", () =>
    Effect.gen(function* () {
      const { url } = yield* collector(400)
      const lines = yield* consoleOf(Effect.withSpan(Effect.logInfo("hello"), "x"), { otlpEndpoint: url })
      assert.include(lines.join("\n"), "The export of telemetry has trouble")
    }).pipe(Effect.scoped)
  )
})
