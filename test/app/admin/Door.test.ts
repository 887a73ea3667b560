/** The bearer is the only way to anything the admin API offers, whatever is added to it. */
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { adminApi, adminToken, call, newBot } from "../../support/adminApi.ts"
import {
  filled,
  nameOf,
  type Operation,
  operations,
  payloadOf,
  payloads
} from "../../support/adminOperations.ts"
import { TestDatabase } from "../../support/Postgres.ts"

const rows = Effect.scoped(
  Effect.gen(function* () {
    const connection = yield* PgConnection.make((yield* TestDatabase).superuser)
    const tables = yield* connection.queryValues(
      `SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'zapiska' ORDER BY 1`,
      []
    )
    return yield* Effect.forEach(tables, ([table]) =>
      connection.queryValues(`SELECT t::text FROM zapiska.${table} AS t ORDER BY 1`, [])
    )
  })
)

const wrong = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom("", "Bearer", "null", `${adminToken}x`, adminToken.slice(1), adminToken.toUpperCase()),
  fc.stringMatching(/^[\x21-\x7e]{0,60}$/),
  fc.nat(adminToken.length - 1).map((at) => `${adminToken.slice(0, at)}?${adminToken.slice(at + 1)}`)
)

it.live("nothing is told or changed without the token, whatever is asked and whatever is sent instead", () =>
  Effect.gen(function* () {
    const all = yield* operations
    assert.isAbove(all.length, 12)
    yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
    const bot = yield* newBot("helper_bot")
    yield* call("POST", "/api/tenants/acme/apps", { payload: { app: "helper", token: bot.token } })
    const known = payloads((yield* newBot("burglar_bot")).token)
    const before = yield* rows

    const context = yield* Effect.context<Effect.Services<ReturnType<typeof call>>>()
    const attempt = fc.asyncProperty(fc.constantFrom(...all), wrong, async (operation, token) => {
      const options = { token, ...payloadOf(operation, known) }
      const answer = await Effect.runPromiseWith(context)(call(operation.method, filled(operation), options))
      assert.strictEqual(answer.status, 401, nameOf(operation))
      assert.deepStrictEqual(Object.keys(answer.body).sort(), ["_tag", "message"])
      assert.notInclude(answer.text, adminToken)
    })
    yield* Effect.promise(() => fc.assert(attempt, { numRuns: 300 }))
    for (const operation of all) {
      const options = { token: undefined, ...payloadOf(operation, known) }
      assert.strictEqual((yield* call(operation.method, filled(operation), options)).status, 401)
    }
    assert.deepStrictEqual(yield* rows, before)

    // With the token each of them is let in: what was refused above was refused for want of it.
    for (const operation of all.toSorted((a, b) => rank(a) - rank(b))) {
      const { status, text } = yield* call(operation.method, filled(operation), payloadOf(operation, known))
      assert.notInclude([400, 401, 403, 405, 500], status, `${nameOf(operation)}: ${text}`)
    }
    assert.notDeepEqual(yield* rows, before)
  }).pipe(Effect.provide(adminApi))
)

/** What removes comes last. */
const rank = ({ method }: Operation) => (method === "DELETE" ? 1 : 0)
