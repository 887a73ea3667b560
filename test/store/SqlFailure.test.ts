import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { PrometheusMetrics } from "effect/observability"
import type { SqlClient } from "effect/sql"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { telemetry } from "../../src/ops/Telemetry.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { collector } from "../support/collector.ts"
import { TestDatabase } from "../support/Postgres.ts"

const canary = "canary of a message"

/** What the server answers with the row in its DETAIL, and in its CONTEXT. */
const violations: Record<string, (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>> = {
  "23502": (sql) =>
    sql`INSERT INTO outbox (tenant_id, app, bot_id, chat_id, key, delivery, action)
      VALUES (${defaultTenant}, 'app', 1, 1, ${canary}, 'result', NULL)`,
  "23514": (sql) =>
    sql`INSERT INTO outbox (tenant_id, app, bot_id, chat_id, key, delivery, action)
      VALUES (${defaultTenant}, 'app', 1, 1, 'key', 'neither', ${canary})`,
  "23505": (sql) =>
    Effect.replicateEffect(
      sql`INSERT INTO knowledge_bases (tenant_id, name) VALUES (${defaultTenant}, ${canary})`,
      2
    ),
  "22P05": (sql) => sql`SELECT ${JSON.stringify({ text: `${canary}\u0000` })}::jsonb`
}

for (const [code, violate] of Object.entries(violations)) {
  it.live(`a row the server refuses (${code}) is in no log, span or metric`, () =>
    Effect.gen(function* () {
      const scope = yield* TenantScope
      const { url, received } = yield* collector()
      const lines: Array<string> = []
      const write = (...parts: ReadonlyArray<unknown>) => {
        lines.push(parts.join(" "))
      }
      for (const format of ["json", "pretty"] as const) {
        yield* scope.transaction(defaultTenant, violate).pipe(
          Effect.withSpan("Outbox.write"),
          Effect.tapError((error) => Effect.sync(() => assert.include(JSON.stringify(error), code))),
          Effect.catchCause((cause) => Effect.logError("Writing failed", cause)),
          Effect.provide(
            telemetry({ level: "trace", format, otlpEndpoint: url, version: "1" }).pipe(
              Layer.provideMerge(Scrubber.layer)
            )
          ),
          Effect.provideService(Console.Console, { ...console, log: write, error: write })
        )
      }
      const told = [...lines, ...received.map(({ body }) => body), yield* PrometheusMetrics.format()].join(
        "\n"
      )
      assert.include(told, "Writing failed")
      assert.include(told, "Outbox.write")
      assert.include(told, "Query failed")
      assert.notInclude(told, "canary")
    }).pipe(Effect.scoped, Effect.provide(TestDatabase.layer))
  )
}
