/** Tenants, their bots, secrets and the record of changes, over HTTP. */
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TenantId } from "../../../src/domain/Ids.ts"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { Apps } from "../../../src/session/Apps.ts"
import { Vault } from "../../../src/session/Vault.ts"
import { adminApi, call, newBot, recorded } from "../../support/adminApi.ts"
import { TestDatabase } from "../../support/Postgres.ts"

/** What of a token nobody may see. */
const secretOf = (token: string) => token.slice(token.indexOf(":") + 1)

const everything = Effect.scoped(
  Effect.gen(function* () {
    const connection = yield* PgConnection.make((yield* TestDatabase).superuser)
    const tables = yield* connection.queryValues(
      `SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'zapiska'`,
      []
    )
    const rows = yield* Effect.forEach(tables, ([table]) =>
      connection.queryValues(`SELECT t::text FROM zapiska.${table} AS t`, [])
    )
    return JSON.stringify(rows)
  })
)

describe("tenants over HTTP", () => {
  it.live("are added, shown, disabled, enabled and removed, each change on record", () =>
    Effect.gen(function* () {
      const added = yield* call("POST", "/api/tenants", { payload: { tenant: "acme", name: "Acme & Co" } })
      assert.strictEqual(added.status, 201)
      assert.deepInclude(added.body, { id: "acme", name: "Acme & Co" })
      const listed = yield* call("GET", "/api/tenants")
      assert.deepStrictEqual(
        listed.body.map(({ id }: { readonly id: string }) => id),
        ["acme", "default"]
      )
      assert.deepStrictEqual((yield* call("GET", "/api/tenants/acme")).body, added.body)

      const disabled = yield* call("POST", "/api/tenants/acme/disable")
      assert.strictEqual(disabled.status, 200)
      assert.isString(disabled.body.disabledAt)
      assert.deepStrictEqual((yield* call("POST", "/api/tenants/acme/disable")).body, disabled.body)
      assert.deepStrictEqual((yield* call("POST", "/api/tenants/acme/enable")).body, added.body)

      const removed = yield* call("DELETE", "/api/tenants/acme")
      assert.strictEqual(removed.status, 200)
      assert.strictEqual(removed.body.id, "acme")
      assert.strictEqual((yield* call("GET", "/api/tenants/acme")).status, 404)
      assert.deepStrictEqual(yield* recorded("acme"), [
        "admin tenant.added acme",
        "admin tenant.disabled acme",
        "admin tenant.enabled acme",
        "admin tenant.removed acme"
      ])
    }).pipe(Effect.provide(adminApi))
  )

  it.live("that cannot be changed as asked: why, in words and with the right status", () =>
    Effect.gen(function* () {
      yield* call("POST", "/api/tenants", { payload: { tenant: "gone" } })
      yield* call("DELETE", "/api/tenants/gone")
      for (const [method, path, payload, status, reason, words] of [
        ["POST", "/api/tenants", { tenant: "default" }, 409, "TenantExists", "choose another name"],
        ["POST", "/api/tenants", { tenant: "gone" }, 409, "TenantRemoved", "not given again"],
        ["DELETE", "/api/tenants/default", undefined, 409, "TenantPermanent", "Disable it instead"],
        ["GET", "/api/tenants/nobody", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["POST", "/api/tenants/nobody/disable", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["POST", "/api/tenants/nobody/enable", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["DELETE", "/api/tenants/nobody", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["GET", "/api/tenants/nobody/apps", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["GET", "/api/tenants/nobody/tasks", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["GET", "/api/tenants/nobody/outbox", undefined, 404, "TenantUnknown", "no tenant nobody"],
        ["POST", "/api/tenants/nobody/secrets/rotate", undefined, 404, "TenantUnknown", "no tenant nobody"]
      ] as const) {
        const answer = yield* call(method, path, payload === undefined ? {} : { payload })
        assert.strictEqual(answer.status, status, `${method} ${path}: ${answer.text}`)
        assert.strictEqual(answer.body.reason, reason)
        assert.include(answer.body.message, words)
      }
    }).pipe(Effect.provide(adminApi))
  )

  it.live(
    "asked for in a way that is not understood: each field, and what is allowed there, never what was sent",
    () =>
      Effect.gen(function* () {
        const { status, body, text } = yield* call("POST", "/api/tenants", {
          payload: { tenant: "Ann's secret", nmae: "x" }
        })
        assert.strictEqual(status, 400)
        assert.deepStrictEqual(body.problems, [
          { field: "payload.nmae", problem: "there is no such field" },
          { field: "payload.tenant", problem: "TenantId: 1 to 63 of a-z, 0-9 and '-', not starting with '-'" }
        ])
        assert.include(body.message, "payload.tenant: ")
        assert.notInclude(text, "Ann's secret")
        const missing = yield* call("POST", "/api/tenants", { payload: {} })
        assert.deepStrictEqual(missing.body.problems, [{ field: "payload.tenant", problem: "it is missing" }])
        const path = yield* call("GET", "/api/tenants/NO")
        assert.deepInclude(path.body.problems[0], { field: "params.tenant" })
        const query = yield* call("GET", "/api/tenants/default/audit?before=x&after=1")
        assert.deepStrictEqual(
          new Set(query.body.problems.map(({ field }: { readonly field: string }) => field)),
          new Set(["query.after", "query.before"])
        )
      }).pipe(Effect.provide(adminApi))
  )
})

describe("bots over HTTP", () => {
  it.live("are added, rotated, disabled, enabled and removed; a token comes in and never goes out", () =>
    Effect.gen(function* () {
      yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
      const bot = yield* newBot("helper_bot")
      const { revokeToken } = yield* BotApiEmulator
      const path = "/api/tenants/acme/apps"
      const said: Array<string> = []
      const asked = (method: string, at: string, payload?: { readonly [key: string]: string }) =>
        Effect.tap(call(method, at, payload === undefined ? {} : { payload }), ({ text }) =>
          Effect.sync(() => said.push(text))
        )
      const added = yield* asked("POST", path, { app: "helper", token: bot.token })
      assert.strictEqual(added.status, 201)
      assert.deepInclude(added.body, { telegram: "accepted", username: "helper_bot" })
      assert.deepInclude(added.body.app, { tenant: "acme", app: "helper", botId: bot.id, alias: "helper" })
      assert.deepStrictEqual((yield* asked("GET", path)).body, [added.body.app])

      const { token: next } = yield* revokeToken({ bot: bot.id })
      const refused = yield* asked("POST", `${path}/helper/rotate`, { token: bot.token })
      assert.strictEqual(refused.status, 400)
      assert.strictEqual(refused.body.problems[0].field, "payload.token")
      const rotated = yield* asked("POST", `${path}/helper/rotate`, { token: next })
      assert.strictEqual(rotated.status, 200)
      const disabled = yield* asked("POST", `${path}/helper/disable`)
      assert.isString(disabled.body.disabledAt)
      assert.notProperty((yield* asked("POST", `${path}/helper/enable`)).body, "disabledAt")
      assert.strictEqual((yield* asked("DELETE", `${path}/helper`)).status, 200)
      assert.deepStrictEqual((yield* asked("GET", path)).body, [])
      assert.deepStrictEqual(yield* recorded("acme"), [
        "admin tenant.added acme",
        "admin app.added helper",
        "admin app.rotated helper",
        "admin app.disabled helper",
        "admin app.enabled helper",
        "admin app.removed helper"
      ])
      for (const secret of [bot.token, next]) assert.notInclude(said.join("\n"), secretOf(secret))
    }).pipe(Effect.provide(adminApi))
  )

  it.live("that cannot be added or changed: why, and nothing of the token", () =>
    Effect.gen(function* () {
      yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
      const bot = yield* newBot("helper_bot")
      const another = yield* newBot("another_bot")
      const path = "/api/tenants/acme/apps"
      yield* call("POST", path, { payload: { app: "helper", token: bot.token } })
      const unknown = `7000000002:${"canary".repeat(6)}`
      const before = yield* everything
      for (const [method, at, payload, status, word] of [
        ["POST", path, { app: "helper", token: another.token }, 409, "AppExists"],
        ["POST", path, { app: "second", token: bot.token }, 409, "BotTaken"],
        ["POST", path, { app: "second", token: another.token, alias: "helper" }, 409, "AliasTaken"],
        ["POST", path, { app: "second", token: "hello" }, 400, "payload.token"],
        ["POST", path, { app: "second", token: unknown }, 400, "payload.token"],
        ["POST", path, { app: "Second", token: another.token }, 400, "payload.app"],
        ["POST", path, { app: "second", alias: "nothing-there" }, 400, "payload.alias"],
        ["POST", path, { app: "second", token: 7 }, 400, "payload.token"],
        ["POST", "/api/tenants/nobody/apps", { app: "second", token: another.token }, 404, "TenantUnknown"],
        ["POST", `${path}/helper/rotate`, { token: another.token }, 409, "TokenOfAnotherBot"],
        ["POST", `${path}/nothing/rotate`, { token: another.token }, 404, "AppUnknown"],
        ["POST", `${path}/nothing/disable`, undefined, 404, "AppUnknown"],
        ["POST", `${path}/nothing/enable`, undefined, 404, "AppUnknown"],
        ["DELETE", `${path}/nothing`, undefined, 404, "AppUnknown"]
      ] as const) {
        const answer = yield* call(method, at, payload === undefined ? {} : { payload })
        const what = `${method} ${at} ${JSON.stringify(payload)}: ${answer.text}`
        assert.strictEqual(answer.status, status, what)
        assert.strictEqual(answer.body.reason ?? answer.body.problems[0].field, word, what)
        assert.isNotEmpty(answer.body.message)
        assert.notInclude(answer.text, "canary")
        assert.notInclude(answer.text, secretOf(another.token))
      }
      assert.strictEqual(yield* everything, before)
    }).pipe(Effect.provide(adminApi))
  )
})

describe("secrets over HTTP", () => {
  it.live("are sealed under a new key and stay what they are, which is on record", () =>
    Effect.gen(function* () {
      const acme = TenantId.make("acme")
      yield* call("POST", "/api/tenants", { payload: { tenant: acme } })
      const bot = yield* newBot("helper_bot")
      yield* call("POST", "/api/tenants/acme/apps", { payload: { app: "helper", token: bot.token } })
      const before = yield* everything
      const answer = yield* call("POST", "/api/tenants/acme/secrets/rotate")
      assert.deepStrictEqual([answer.status, answer.body], [200, { tenant: "acme", sealed: 1 }])
      assert.notStrictEqual(yield* everything, before)
      const apps = yield* Apps
      assert.lengthOf(yield* apps.list(acme), 1)
      const names = yield* Vault.use((vault) => vault.names(acme))
      assert.deepStrictEqual(names, [{ kind: "bot", alias: "helper" }])
      assert.include(yield* recorded("acme"), "admin secrets.rotated acme")
    }).pipe(Effect.provide(adminApi))
  )
})

it.live("a database that is away is told as such, and nothing of it", () =>
  Effect.gen(function* () {
    const { superuser } = yield* TestDatabase
    yield* Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* PgConnection.make({ ...superuser, database: "postgres" })
        yield* connection.query(`ALTER DATABASE ${superuser.database} CONNECTION LIMIT 0`)
        yield* connection.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${superuser.database}'`
        )
      })
    )
    const answer = yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
    assert.strictEqual(answer.status, 503, answer.text)
    assert.deepStrictEqual(answer.body, {
      _tag: "Unavailable",
      message: "The database does not answer; nothing was changed. Try again in a moment"
    })
  }).pipe(Effect.provide(adminApi))
)
