/** Whatever is made for a tenant carries its name, and no other's: keys in Redis, directories, tasks, spans, logs. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Assistant } from "../support/Assistant.ts"
import { bodiesAt, collector } from "../support/collector.ts"
import { noRedis, TestRedis } from "../support/redis.ts"
import { noted, operator, served, tell } from "../support/tenants.ts"

const Value = Schema.Struct({ stringValue: Schema.optionalKey(Schema.String) })
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))
const Spans = Schema.fromJsonString(
  Schema.Struct({
    resourceSpans: Schema.Array(
      Schema.Struct({
        scopeSpans: Schema.Array(
          Schema.Struct({
            spans: Schema.Array(
              Schema.Struct({ name: Schema.String, traceId: Schema.String, attributes: Attributes })
            )
          })
        )
      })
    )
  })
)
const spansIn = (body: string) =>
  Effect.map(Schema.decodeUnknownEffect(Spans)(body), ({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  )

class Sink extends Context.Service<Sink, Effect.Success<ReturnType<typeof collector>>>()("test/Sink") {}

const adminToken = "an-admin-token-0123456789"
const world = operator.pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Effect.gen(function* () {
        const { url } = yield* TestRedis
        const sink = yield* collector()
        return Assistant.layer({
          env: {
            NOTE_WINDOW: "500 millis",
            REDIS_URL: Redacted.value(url),
            OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
            ADMIN_TOKEN: adminToken
          }
        }).pipe(Layer.merge(Layer.succeed(Sink, sink)))
      })
    )
  ),
  Layer.provideMerge(TestRedis.layer)
)

const Tasks = Schema.Array(
  Schema.Struct({ id: Schema.String, kind: Schema.String, owner: Schema.Struct({ tenant: Schema.String }) })
)
const tasksOf = (url: string) =>
  Effect.promise(async (signal) => {
    const headers = { authorization: `Bearer ${adminToken}` }
    return (await fetch(`${url}/api/tasks`, { signal, headers })).json()
  }).pipe(Effect.flatMap(Schema.decodeUnknownEffect(Tasks)))

/** What is done for a tenant on the way from a message to its answer and its commit. */
const steps = [
  "Fences.next",
  "bot.getUpdates",
  "Taking.take",
  "Inbox.receive",
  "Conversation.Receive",
  "MessageProcessor.unit",
  "NoteCreation.create",
  "KnowledgeBase.write",
  "Outbox.deliver",
  "bot.sendMessage",
  "GitProjection.project",
  "git fast-import",
  "sql.transaction"
]

describe.skipIf(noRedis !== undefined)(
  `names${noRedis === undefined ? "" : ` (skipped: ${noRedis})`}`,
  () => {
    it.live(
      "what is made for a tenant carries its name, and no other's: keys, directories, tasks, spans",
      () =>
        Effect.gen(function* () {
          const { application, dataDir } = yield* Assistant
          const { received } = yield* Sink
          const redis = yield* TestRedis
          const tenants = ["acme", "other"]
          const people = yield* Effect.forEach(tenants, served)
          for (const one of people) {
            yield* tell(one, `The plan of ${one.tenant}`)
            yield* noted(one, `The plan of ${one.tenant}`)
          }

          const keys = yield* Schema.decodeUnknownEffect(Schema.Array(Schema.String))(
            yield* redis.command("KEYS", "*")
          )
          const inKey = keys.map((key) => /^zapiska:(?:\{|sessions:)(\w+)\//.exec(key)?.[1])
          assert.deepStrictEqual(new Set(inKey), new Set(["default", ...tenants]))
          assert.deepStrictEqual(readdirSync(join(dataDir, "kb")).sort(), ["acme", "default", "other"])

          const tasks = yield* tasksOf(application.url)
          for (const tenant of tenants) {
            const theirs = tasks.filter(({ owner }) => owner.tenant === tenant)
            assert.includeMembers(
              theirs.map(({ kind }) => kind),
              ["session", "outbox", "poller", "menu", "projection", "window"]
            )
            for (const { id } of theirs) assert.include(id.split("/"), tenant)
          }

          yield* application.signal("SIGTERM")
          const spans = (yield* Effect.forEach(bodiesAt(received, "/v1/traces"), spansIn)).flat()
          const tenantOf = ({ attributes }: (typeof spans)[number]) =>
            attributes.find(({ key }) => key === "tenant")?.value.stringValue
          const mixed = [...Map.groupBy(spans, ({ traceId }) => traceId).values()]
            .map((trace) =>
              [...new Set(trace.map(tenantOf))].filter((tenant) => tenants.includes(tenant ?? ""))
            )
            .filter((found) => found.length > 1)
          assert.deepStrictEqual(mixed, [])
          for (const tenant of tenants) {
            const theirs = new Set(spans.filter((span) => tenantOf(span) === tenant).map(({ name }) => name))
            assert.deepStrictEqual(
              steps.filter((step) => !theirs.has(step)),
              [],
              tenant
            )
          }
        }).pipe(Effect.provide(world)),
      120_000
    )
  }
)
