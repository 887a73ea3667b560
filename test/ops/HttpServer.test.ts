import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Logger, Metric, type Scope, Stream, Tracer } from "effect"
import { HttpRouter, type HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Health, NotReady } from "../../src/ops/Health.ts"
import { CannotListen, listen, localUrl, serve } from "../../src/ops/HttpServer.ts"
import { processMetrics } from "../../src/ops/Metrics.ts"
import { opsRoutes } from "../../src/ops/OpsRoutes.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { eventually } from "../support/Application.ts"
import { ask } from "../support/ask.ts"
import { freePort } from "../support/freePort.ts"

const botToken = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"

const options = { host: "127.0.0.1", port: 0, alternatives: 0 }
const secret = { authorization: "Bearer canary-0123456789" }

const extra = Layer.mergeAll(
  HttpRouter.add(
    "POST",
    "/long",
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ text }) =>
      Effect.map(text, ({ length }) => HttpServerResponse.text(String(length)))
    )
  ),
  HttpRouter.add("GET", "/boom", Effect.die(new Error(`canary ${botToken}`))),
  HttpRouter.add(
    "GET",
    "/endless",
    HttpServerResponse.stream(Stream.concat(Stream.succeed(new Uint8Array([46])), Stream.never))
  )
)

const server = serve(
  Layer.merge(opsRoutes([{ path: "/sandbox", words: "A chat & more" }]), extra),
  [],
  [{ name: "Bot.Example", below: "/telegram/" }]
).pipe(
  Layer.provideMerge(listen(options)),
  Layer.provideMerge(Layer.mergeAll(Health.layer, Scrubber.layer, processMetrics, Logger.layer([])))
)

const test = (
  name: string,
  body: Effect.Effect<unknown, unknown, HttpServer.HttpServer | Health | Scope.Scope>
) => it.live(name, () => body.pipe(Effect.provide(server)))

describe("the ops routes", () => {
  test(
    "liveness answers, readiness follows the checks",
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/health/live")).status, 200)
      const ready = yield* ask("/health/ready")
      assert.strictEqual(ready.status, 200)
      assert.isTrue(JSON.parse(ready.body).ready)
      const health = yield* Health
      yield* health.register(
        "database",
        new NotReady({ reason: `refused postgres://u:canary@h ${botToken}` })
      )
      const not = yield* ask("/health/ready")
      assert.strictEqual(not.status, 503)
      assert.strictEqual(JSON.parse(not.body).checks[0].reason, "refused postgres://<hidden>@h <hidden>")
      assert.strictEqual((yield* ask("/health/live")).status, 200)
    })
  )

  test(
    "metrics are Prometheus text with our prefix, and the process is measured",
    Effect.gen(function* () {
      const counter = Metric.counter("test_total", { description: "For the test", incremental: true })
      yield* Metric.update(Metric.withAttributes(counter, { kind: "a" }), 2)
      const { status, body, headers } = yield* ask("/metrics")
      assert.strictEqual(status, 200)
      assert.include(String(headers["content-type"]), "text/plain")
      assert.include(body, "# HELP zapiska_test_total For the test\n# TYPE zapiska_test_total counter\n")
      assert.include(body, 'zapiska_test_total{kind="a"} 2\n')
      assert.match(body, /^zapiska_process_resident_memory_bytes \d{7,}$/m)
      assert.match(body, /^zapiska_process_start_time_seconds \d{10}$/m)
      assert.match(body, /^zapiska_event_loop_lag_seconds\{quantile="0.99"\} [\d.e-]+$/m)
      for (const line of body.split("\n").filter((one) => one !== "" && !one.startsWith("#")))
        assert.match(line, /^zapiska_\w+(\{.*\})? \S+$/)
    })
  )

  test(
    "the first page links to what there is",
    Effect.gen(function* () {
      const { body, headers } = yield* ask("/")
      assert.include(String(headers["content-type"]), "text/html")
      assert.include(body, '<a href="/sandbox">A chat &amp; more</a>')
      assert.include(body, '<a href="/metrics">')
      assert.strictEqual(headers["x-content-type-options"], "nosniff")
    })
  )

  test(
    "a handler that dies tells the client nothing",
    Effect.gen(function* () {
      const { status, body } = yield* ask("/boom")
      assert.strictEqual(status, 500)
      assert.notInclude(body, "canary")
    })
  )
})

describe("the server", () => {
  test(
    "refuses foreign names and origins on every path, known or not",
    Effect.gen(function* () {
      for (const path of ["/", "/metrics", "/health/live", "/nowhere"]) {
        const foreign = yield* ask(path, { host: "evil.example" })
        assert.strictEqual(foreign.status, 403, path)
        assert.include(foreign.body, "evil.example")
        const origin = yield* ask(path, { origin: "https://evil.example" })
        assert.strictEqual(origin.status, 403, path)
      }
      const own = yield* localUrl
      assert.strictEqual((yield* ask("/", { origin: own.replace(/\/$/, "") })).status, 200)
      assert.strictEqual((yield* ask("/nowhere")).status, 404)
    })
  )

  test(
    "a guest's name is good below its own path only",
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/telegram/a/b", { host: "bot.example" })).status, 404)
      for (const path of ["/", "/health/live", "/telegram", "/telegramm/a"])
        assert.strictEqual((yield* ask(path, { host: "bot.example" })).status, 403, path)
      assert.strictEqual((yield* ask("/telegram/a/b", { host: "evil.example" })).status, 403)
    })
  )

  test(
    "no more of a body is read than any route wants, whoever sends it",
    Effect.gen(function* () {
      const most = 1024 * 1024
      assert.strictEqual((yield* ask("/long", {}, "POST", "x".repeat(most))).body, String(most))
      assert.strictEqual((yield* ask("/long", {}, "POST", "x".repeat(most + 1))).status, 413)
    })
  )

  test(
    "a taken port is an error that names the variable",
    Effect.gen(function* () {
      const port = Number(new URL(yield* localUrl).port)
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(listen({ ...options, port }))))
      const error = Exit.findError(exit)
      assert.strictEqual(error._tag, "Success")
      if (error._tag === "Success") {
        assert.instanceOf(error.success, CannotListen)
        assert.include(error.success.message, `Port ${port} is taken`)
        assert.include(error.success.message, "HTTP_PORT")
      }
    })
  )

  test(
    "where nobody chose the port the next free one is taken",
    Effect.gen(function* () {
      const port = Number(new URL(yield* localUrl).port)
      const other = yield* localUrl.pipe(Effect.provide(listen({ ...options, port, alternatives: 20 })))
      const taken = Number(new URL(other).port)
      assert.isTrue(taken > port && taken <= port + 20)
    })
  )

  it.live("traces what people ask, without the token, and not the endless health checks", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (given) => {
          const span = new Tracer.NativeSpan(given)
          spans.push(span)
          return span
        }
      })
      yield* Effect.gen(function* () {
        for (const path of ["/health/live", "/health/ready", "/metrics"]) yield* ask(path)
        yield* ask("/", secret)
      }).pipe(Effect.provide(server), Effect.provideService(Tracer.Tracer, tracer))
      const seen = spans.map((span) => JSON.stringify([span.name, ...span.attributes]))
      assert.isTrue(seen.some((span) => span.includes("url.path")))
      assert.isFalse(seen.some((span) => span.includes("/health") || span.includes("/metrics")))
      assert.notInclude(seen.join(), "canary")
    })
  )

  it.live("answers requests that come before its routes are there, with come back later", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const ready = yield* Deferred.make<void>()
      const routes = Layer.effectDiscard(Deferred.await(ready))
      const served = Layer.build(serve(routes, []).pipe(Layer.provide(listen({ ...options, port }))))
      yield* Effect.forkScoped(served, { startImmediately: true })
      const status = Effect.tryPromise((signal) => fetch(`http://127.0.0.1:${port}/`, { signal })).pipe(
        Effect.match({ onSuccess: (answer) => answer.status, onFailure: () => undefined })
      )
      yield* eventually(
        "it is asked to come back",
        Effect.map(status, (now) => now !== undefined)
      )
      assert.strictEqual(yield* status, 503)
      yield* Deferred.succeed(ready, undefined)
      yield* eventually(
        "its routes are there",
        Effect.map(status, (now) => now !== 503)
      )
      assert.strictEqual(yield* status, 404)
    }).pipe(Effect.scoped)
  )

  it.live("closes although a client holds a stream open", () =>
    Effect.gen(function* () {
      const cut = yield* Effect.gen(function* () {
        const base = yield* localUrl
        return yield* Effect.callback<Promise<void>>((resume) => {
          const sent = request(new URL("/endless", base), { agent: false }, (response) => {
            const ended = new Promise<void>((end) => {
              response.on("close", () => end())
              response.on("error", () => end())
            })
            response.once("data", () => resume(Effect.succeed(ended)))
          })
          sent.on("error", () => {})
          sent.end()
        })
      }).pipe(Effect.provide(server))
      yield* Effect.promise(() => cut)
    })
  )
})
