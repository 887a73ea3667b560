import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Metric, Redacted, type Scope, Stream, Tracer } from "effect"
import { HttpRouter, type HttpServer, HttpServerResponse } from "effect/http"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { Health, NotReady } from "../../src/ops/Health.ts"
import { AdminToken, sameSecret } from "../../src/ops/HttpApi.ts"
import { CannotListen, localUrl, serveHttp } from "../../src/ops/HttpServer.ts"
import { processMetrics } from "../../src/ops/Metrics.ts"
import { opsRoutes } from "../../src/ops/OpsRoutes.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { freePort } from "../support/Application.ts"

const admin = "canary-admin-token-0123456789"
const botToken = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"

const options = { host: "127.0.0.1", port: 0, alternatives: 0, names: [] }

const extra = Layer.mergeAll(
  HttpRouter.add("GET", "/boom", Effect.die(new Error(`canary ${botToken}`))),
  HttpRouter.add(
    "GET",
    "/endless",
    HttpServerResponse.stream(Stream.concat(Stream.succeed(new Uint8Array([46])), Stream.never))
  )
)

const server = serveHttp(
  Layer.merge(opsRoutes([{ path: "/sandbox", words: "A chat & more" }]), extra),
  options
).pipe(
  Layer.provideMerge(
    Layer.mergeAll(Health.layer, TaskManager.layer, Scrubber.layer, processMetrics, Logger.layer([]))
  ),
  Layer.provide(Layer.succeed(AdminToken, Redacted.make(admin)))
)

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly body: string
}

/** A request as a stranger could make it: every header is ours to choose. */
const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  Effect.flatMap(localUrl, (base) =>
    Effect.callback<Answer, Error>((resume) => {
      const sent = request(new URL(path, base), { method, headers, agent: false }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () =>
          resume(
            Effect.succeed({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString()
            })
          )
        )
      })
      sent.on("error", (error) => resume(Effect.fail(error)))
      sent.end()
    })
  )

const test = (
  name: string,
  body: Effect.Effect<unknown, unknown, HttpServer.HttpServer | Health | TaskManager | Scope.Scope>
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

describe("the admin API", () => {
  test(
    "refuses without the token, with a wrong one and with another scheme",
    Effect.gen(function* () {
      for (const authorization of [
        undefined,
        "Bearer",
        "Bearer wrong",
        `Bearer ${admin}x`,
        `Basic ${admin}`
      ]) {
        const { status, body } = yield* ask(
          "/api/tasks",
          authorization === undefined ? {} : { authorization }
        )
        assert.strictEqual(status, 401, authorization)
        assert.notInclude(body, admin)
        assert.include(body, "ADMIN_TOKEN")
      }
    })
  )

  test(
    "lists the tasks, their errors without secrets",
    Effect.gen(function* () {
      const tasks = yield* TaskManager
      const task = { kind: "poller", description: "polls the bot", owner: { tenant: defaultTenant } }
      yield* tasks.start({ ...task, id: "alive" }, Effect.never)
      yield* tasks.start({ ...task, id: "broken" }, Effect.fail(new Error(`GET /bot${botToken}/getMe`)))
      const { status, body } = yield* ask("/api/tasks", { authorization: `Bearer ${admin}` })
      assert.strictEqual(status, 200)
      const [alive, broken] = JSON.parse(body)
      assert.deepInclude(alive, { ...task, id: "alive", status: "running", restarts: 0 })
      assert.isNumber(alive.started)
      assert.deepInclude(broken, { id: "broken", status: "failed", error: "GET /<hidden>/getMe" })
    })
  )

  test(
    "describes itself, and its page needs nothing from elsewhere",
    Effect.gen(function* () {
      const document = JSON.parse((yield* ask("/api/openapi.json")).body)
      assert.property(document.paths, "/api/tasks")
      assert.deepStrictEqual(document.components.securitySchemes.bearer, { type: "http", scheme: "Bearer" })
      const page = yield* ask("/api/docs")
      assert.strictEqual(page.status, 200)
      assert.notMatch(page.body, /<(script|link|img)[^>]+(src|href)="(https?:)?\/\//)
    })
  )

  it("compares secrets of any length", () => {
    assert.isTrue(sameSecret(admin, admin))
    for (const other of ["", admin.slice(1), `${admin} `, "ä"]) assert.isFalse(sameSecret(other, admin))
  })
})

describe("the server", () => {
  test(
    "refuses foreign names and origins on every path, known or not",
    Effect.gen(function* () {
      for (const path of ["/", "/metrics", "/health/live", "/api/tasks", "/nowhere"]) {
        const foreign = yield* ask(path, { host: "evil.example", authorization: `Bearer ${admin}` })
        assert.strictEqual(foreign.status, 403, path)
        assert.include(foreign.body, "evil.example")
        const origin = yield* ask(path, { origin: "https://evil.example", authorization: `Bearer ${admin}` })
        assert.strictEqual(origin.status, 403, path)
      }
      const own = yield* localUrl
      assert.strictEqual((yield* ask("/", { origin: own.replace(/\/$/, "") })).status, 200)
      assert.strictEqual((yield* ask("/nowhere")).status, 404)
    })
  )

  test(
    "a taken port is an error that names the variable",
    Effect.gen(function* () {
      const port = Number(new URL(yield* localUrl).port)
      const exit = yield* Effect.exit(
        Effect.scoped(Layer.build(serveHttp(Layer.empty, { ...options, port })))
      )
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
      const other = yield* localUrl.pipe(
        Effect.provide(serveHttp(Layer.empty, { ...options, port, alternatives: 20 }))
      )
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
        yield* ask("/api/tasks", { authorization: `Bearer ${admin}` })
      }).pipe(Effect.provide(server), Effect.provideService(Tracer.Tracer, tracer))
      const seen = spans.map((span) => JSON.stringify([span.name, ...span.attributes]))
      assert.isTrue(seen.some((span) => span.includes("/api/tasks")))
      assert.isFalse(seen.some((span) => span.includes("/health") || span.includes("/metrics")))
      assert.notInclude(seen.join(), admin)
    })
  )

  it.live("answers requests that come before its routes are there, with come back later", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const routes = Layer.effectDiscard(Effect.sleep("300 millis"))
      const served = Layer.build(serveHttp(routes, { ...options, port }))
      yield* Effect.forkScoped(served, { startImmediately: true })
      yield* Effect.sleep("100 millis")
      const early = yield* Effect.promise((signal) => fetch(`http://127.0.0.1:${port}/`, { signal }))
      assert.strictEqual(early.status, 503)
      yield* Effect.sleep("400 millis")
      const later = yield* Effect.promise((signal) => fetch(`http://127.0.0.1:${port}/`, { signal }))
      assert.strictEqual(later.status, 404)
    }).pipe(Effect.timeout("5 seconds"), Effect.scoped)
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
