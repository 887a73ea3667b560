import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Redacted, type Scope } from "effect"
import type { HttpServer } from "effect/http"
import { adminRoutes } from "../../../src/app/AdminApi.ts"
import { ChatId, defaultApp, defaultTenant } from "../../../src/domain/Ids.ts"
import { AdminToken, sameSecret } from "../../../src/ops/HttpApi.ts"
import { listen, serve } from "../../../src/ops/HttpServer.ts"
import { Scrubber } from "../../../src/ops/Scrub.ts"
import { Tenants } from "../../../src/store/Tenants.ts"
import { TaskManager } from "../../../src/task/TaskManager.ts"
import { Undelivered } from "../../../src/telegram/Undelivered.ts"
import { nothingBehind } from "../../support/adminApi.ts"
import { ask } from "../../support/ask.ts"

const admin = "canary-admin-token-0123456789"
const botToken = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"

const row = {
  id: 7,
  tenant: defaultTenant,
  app: defaultApp,
  chat: ChatId.make(1),
  state: "unknown",
  delivery: "result",
  reason: `sendMessage: odd ${botToken}`,
  attempts: 2,
  createdAt: "2026-11-22T10:00:00.000Z",
  endedAt: "2026-11-22T10:00:01.000Z"
} as const
const undelivered = Layer.mock(Undelivered, {
  list: (_tenant, before) => Effect.succeed(before === undefined ? [row] : [])
})

const serverWith = <A>(behind: Layer.Layer<Layer.Success<typeof nothingBehind> | A>) =>
  serve(adminRoutes, []).pipe(
    Layer.provideMerge(listen({ host: "127.0.0.1", port: 0, alternatives: 0 })),
    Layer.provideMerge(Layer.mergeAll(TaskManager.layer, Scrubber.layer, undelivered, behind)),
    Layer.provide(Layer.succeed(AdminToken, Redacted.make(admin)))
  )
const server = serverWith(Layer.merge(nothingBehind, Logger.layer([])))

const test = (
  name: string,
  body: Effect.Effect<unknown, unknown, HttpServer.HttpServer | TaskManager | Scope.Scope>
) => it.live(name, () => body.pipe(Effect.provide(server)))

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
    "shows operators the messages nobody may have got, and nobody else",
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/api/outbox")).status, 401)
      const { status, body } = yield* ask("/api/outbox", { authorization: `Bearer ${admin}` })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(body), [{ ...row, reason: "sendMessage: odd <hidden>" }])
      const older = yield* ask("/api/outbox?before=7", { authorization: `Bearer ${admin}` })
      assert.strictEqual(older.body, "[]")
      const odd = yield* ask("/api/outbox?before=x", { authorization: `Bearer ${admin}` })
      assert.strictEqual(odd.status, 400)
    })
  )

  it.live("tells who asked nothing of a defect of its own, and the log everything", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message, cause }) => {
        lines.push(message, Cause.pretty(cause))
      })
      const torn = Layer.mock(Tenants, { list: Effect.die(new Error("torn")) })
      const { status, body } = yield* ask("/api/tenants", { authorization: `Bearer ${admin}` }).pipe(
        Effect.provide(serverWith(Layer.mergeAll(nothingBehind, torn, Logger.layer([logger]))))
      )
      assert.deepStrictEqual([status, body], [500, ""])
      assert.match(lines.join("\n"), /The admin API could not answer\n.*torn/)
    })
  )

  test(
    "describes itself, and its page needs nothing from elsewhere",
    Effect.gen(function* () {
      const document = JSON.parse((yield* ask("/api/openapi.json")).body)
      for (const path of ["/api/tasks", "/api/outbox"]) assert.property(document.paths, path)
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
