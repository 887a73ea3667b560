import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { AppConfig, ProcessEnvironment } from "../../src/app/AppConfig.ts"
import * as Http from "../../src/app/Http.ts"
import { observability } from "../../src/app/Observability.ts"
import { Secrets } from "../../src/app/Secrets.ts"
import { Health } from "../../src/ops/Health.ts"
import { localUrl } from "../../src/ops/HttpServer.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { Undelivered } from "../../src/telegram/Undelivered.ts"
import { nothingBehind } from "../support/adminApi.ts"
import { ask } from "../support/ask.ts"

it.live("from an environment to a server that knows its token and hides it in every line", () =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "zapiska-http-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const lines: Array<string> = []
    const log = (...parts: ReadonlyArray<unknown>) => {
      lines.push(parts.join(" "))
    }
    const page = HttpRouter.add("GET", "/page", HttpServerResponse.text("a page"))
    const app = Http.routes(page, [{ path: "/page", words: "Page" }]).pipe(
      Layer.provideMerge(Http.port),
      Layer.provideMerge(Secrets.layer),
      Layer.provide(
        Layer.mergeAll(Health.layer, TaskManager.layer, nothingBehind, Layer.mock(Undelivered, {}))
      ),
      Layer.provideMerge(observability),
      Layer.provideMerge(AppConfig.layer),
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(ProcessEnvironment, {
            variables: {
              HTTP_PORT: "0",
              LOG_FORMAT: "json",
              HTTP_PROT: "1",
              ADMIN_TOKEN: "canary-admin-token",
              PUBLIC_URL: "https://notes.example",
              REDIS_URL: "redis://canary-redis"
            },
            directory
          }),
          Layer.succeed(Console.Console, { ...console, log })
        )
      )
    )
    const token = yield* Effect.gen(function* () {
      const base = yield* localUrl
      const { adminToken } = yield* Secrets
      const get = (path: string, headers: Record<string, string> = {}) =>
        Effect.promise(() => fetch(new URL(path, base), { headers }).then((answer) => answer.text()))
      assert.strictEqual(yield* get("/page"), "a page")
      assert.include(yield* get("/"), 'href="/page"')
      assert.strictEqual(
        yield* get("/api/tasks", { authorization: `Bearer ${Redacted.value(adminToken)}` }),
        "[]"
      )
      // The public name leads to the login page and nowhere else.
      const asked = (path: string) => Effect.map(ask(path, { host: "notes.example" }), ({ status }) => status)
      assert.strictEqual(yield* asked("/login/assets/login.css"), 200)
      for (const path of ["/", "/sessions", "/api/tasks", "/metrics"])
        assert.strictEqual(yield* asked(path), 403, path)
      yield* Effect.logError(`oops ${Redacted.value(adminToken)}`)
      yield* Effect.logError("redis://canary-redis is away")
      return Redacted.value(adminToken)
    }).pipe(Effect.provide(app), Effect.provideService(Console.Console, { ...console, log }))
    assert.strictEqual(token, "canary-admin-token")
    assert.include(lines.join("\n"), "perhaps HTTP_PORT was meant")
    assert.include(lines.join("\n"), "oops <hidden>")
    assert.include(lines.join("\n"), "<hidden> is away")
    assert.notInclude(lines.join("\n"), token)
  }).pipe(Effect.scoped)
)
