/** What is asked of one tenant over HTTP tells and changes nothing of another, whatever both call their things. */
import { randomUUID } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import fc from "fast-check"
import { adminApi, call, newBot } from "../../support/adminApi.ts"
import {
  filled,
  nameOf,
  type Operation,
  operations,
  payloadOf,
  payloads
} from "../../support/adminOperations.ts"
import { TestDatabase } from "../../support/Postgres.ts"

/** Begins work that goes on after the answer, which this test could not tell from the work of the other tenant. */
const goesOn = "POST /api/tenants/{tenant}/sessions/{app}/login"
/** Comes last: its name is not given again. */
const removal = "DELETE /api/tenants/{tenant}"

interface Step {
  readonly whose: "acme" | "zeta"
  readonly operation: Operation
  readonly app: "helper" | "burglar"
  readonly user: number
  readonly role: string
  /** Of the invites the tenant has made, or one that another made. */
  readonly invite: number | "foreign"
}

interface Party {
  readonly tenant: string
  readonly tokens: Readonly<Record<Step["app"], string>>
  readonly invites: Array<string>
}

const newParty = Effect.fnUntraced(function* (word: string, run: number) {
  const tenant = `${word}-${run}`
  yield* call("POST", "/api/tenants", { payload: { tenant, name: `${word} and sons` } })
  const helper = yield* newBot(`${word}${run}_helper_bot`)
  const burglar = yield* newBot(`${word}${run}_burglar_bot`)
  const party: Party = { tenant, tokens: { helper: helper.token, burglar: burglar.token }, invites: [] }
  return party
})

const payloadsOf = (
  { tenant, tokens }: Party,
  { app, user, role }: Step
): Readonly<Record<string, Schema.Json>> => ({
  ...payloads(tokens[app]),
  "POST /api/tenants/{tenant}/apps": { app, token: tokens[app] },
  "POST /api/tenants/{tenant}/users": { user, role, name: `${tenant} person` },
  "PUT /api/tenants/{tenant}/users/{user}/role": { role },
  "POST /api/tenants/{tenant}/sessions": { app, apiId: 1, apiHash: "0123456789abcdef0123456789abcdef" }
})

const take = Effect.fnUntraced(function* (party: Party, step: Step, foreign: string) {
  const own = party.invites[Number(step.invite) % Math.max(1, party.invites.length)]
  const invite = step.invite === "foreign" ? foreign : (own ?? "none")
  const places = { tenant: party.tenant, app: step.app, user: String(step.user), invite, chat: "saved" }
  const answer = yield* call(
    step.operation.method,
    filled(step.operation, places),
    payloadOf(step.operation, payloadsOf(party, step))
  )
  if (answer.body?.invite?.id !== undefined) party.invites.push(answer.body.invite.id)
  return answer
})

/** Every row of a tenant, in every table that has one. */
const rowsOf = (tenant: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* PgConnection.make((yield* TestDatabase).superuser)
      const tables = yield* connection.queryValues(
        `SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE a.attname = 'tenant_id' AND c.relkind = 'r' AND c.relnamespace = 'zapiska'::regnamespace ORDER BY 1`,
        []
      )
      const all = tables.map(
        ([table]) => `SELECT '${table}', t::text FROM zapiska.${table} AS t WHERE tenant_id = $1`
      )
      return yield* connection.queryValues(`${all.join(" UNION ALL ")} ORDER BY 1, 2`, [tenant])
    })
  )

const people = (tenant: string) =>
  Effect.map(call("GET", `/api/tenants/${tenant}/users`), ({ body }) =>
    body.map(({ user, role }: { readonly user: number; readonly role: string }) => `${user} ${role}`)
  )

it.live(
  "what is asked of a tenant is answered as if there were no other, and changes nothing of another",
  () =>
    Effect.gen(function* () {
      const all = (yield* operations).filter(({ path }) => path.includes("{tenant}"))
      assert.isAbove(all.length, 20)
      const asked = all.filter((one) => ![goesOn, removal].includes(nameOf(one)))
      assert.strictEqual(asked.length, all.length - 2)
      // Those that make what the others are about come often.
      const making = asked.filter(({ method, takes }) => takes && method === "POST")
      const steps = fc.array(
        fc.record<Step>({
          whose: fc.constantFrom("acme", "zeta"),
          operation: fc.oneof(fc.constantFrom(...making), fc.constantFrom(...asked)),
          app: fc.constantFrom("helper", "burglar"),
          user: fc.constantFrom(7, 8),
          role: fc.constantFrom("owner", "member", "reader"),
          invite: fc.oneof(fc.nat(3), fc.constant("foreign" as const))
        }),
        { minLength: 20, maxLength: 30 }
      )
      let run = 0
      const seen = new Set<string>()

      const play = Effect.fnUntraced(function* (script: ReadonlyArray<Step>) {
        run += 1
        const together = { acme: yield* newParty("acme", run), zeta: yield* newParty("zeta", run) }
        const alone = { acme: yield* newParty("solo", run), zeta: yield* newParty("sole", run) }
        for (const step of script) {
          const other = step.whose === "acme" ? together.zeta : together.acme
          const before = yield* rowsOf(other.tenant)
          const foreign = other.invites.at(-1) ?? randomUUID()
          const answer = yield* take(together[step.whose], step, foreign)
          const what = `${nameOf(step.operation)} of ${step.whose}: ${answer.text}`
          assert.deepStrictEqual(yield* rowsOf(other.tenant), before, what)
          assert.notInclude(answer.text, step.whose === "acme" ? "zeta" : "acme", what)
          const reference = yield* take(alone[step.whose], step, randomUUID())
          assert.strictEqual(answer.status, reference.status, `${what}, alone: ${reference.text}`)
          if (answer.status < 300) seen.add(nameOf(step.operation))
        }
        for (const whose of ["acme", "zeta"] as const)
          assert.deepStrictEqual(yield* people(together[whose].tenant), yield* people(alone[whose].tenant))
        const before = yield* rowsOf(together.acme.tenant)
        assert.strictEqual((yield* call("DELETE", `/api/tenants/${together.zeta.tenant}`)).status, 200)
        assert.deepStrictEqual(yield* rowsOf(together.acme.tenant), before)
      })

      const context = yield* Effect.context<Effect.Services<ReturnType<typeof play>>>()
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(steps, (script) => Effect.runPromiseWith(context)(play(script))),
          { numRuns: 6 }
        )
      )
      // Refusals alone would prove little; how many succeed, chance decides.
      assert.isAbove(seen.size, asked.length / 4, [...seen].join(", "))
    }).pipe(Effect.provide(adminApi)),
  600_000
)
