import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { Migrator, SqlClient } from "effect/sql"
import { TenantId } from "../../../src/domain/Ids.ts"
import * as Database from "../../../src/store/Database.ts"
import { migrations } from "../../../src/store/Preparation.ts"
import { runtimeRole } from "../../../src/store/Roles.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { secretsKey } from "../../support/TestServer.ts"

interface Person {
  readonly app: string
  readonly user: number
  readonly role: string
  readonly language?: string
}

/** A database as the version with migration 5 left it, with members of two tenants. */
const before = Effect.fnUntraced(function* (members: Readonly<Record<string, ReadonlyArray<Person>>>) {
  const { owner } = yield* TestDatabase
  const sql = yield* PgClient.make({ ...owner, maxConnections: 1 })
  const old = Object.fromEntries(
    Object.entries(migrations).filter(([name]) => Number.parseInt(name, 10) <= 5)
  ) as typeof migrations
  yield* sql`CREATE SCHEMA zapiska`
  yield* sql.unsafe(`GRANT USAGE ON SCHEMA zapiska TO ${runtimeRole}`)
  yield* sql`SELECT set_config('search_path', 'zapiska', false)`
  yield* Migrator.make({})({ loader: Migrator.fromRecord(old), table: "schema_migrations" }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql)
  )
  for (const [tenant, people] of Object.entries(members)) {
    yield* sql`SELECT set_config('app.tenant_id', ${tenant}, false)`
    yield* sql`INSERT INTO tenants (tenant_id) VALUES (${tenant})`
    for (const { app, user, role, language = null } of people) {
      yield* sql`INSERT INTO members (tenant_id, app, user_id, role, name, language)
        VALUES (${tenant}, ${app}, ${user}::bigint, ${role}, ${`${user} of ${app}`}, ${language})`
    }
  }
})

const empty = TestDatabase.layerOwner("template1").pipe(Layer.provideMerge(Reactivity.layer))

it.live(
  "who was in several bots of a tenant is in it once, as the highest they were, and nobody is lost",
  () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        before({
          alpha: [
            { app: "default", user: 1, role: "reader", language: "ru" },
            { app: "second", user: 1, role: "owner" },
            { app: "third", user: 1, role: "member" },
            { app: "default", user: 2, role: "member", language: "en" },
            { app: "second", user: 3, role: "reader" }
          ],
          beta: [
            { app: "default", user: 1, role: "reader" },
            { app: "second", user: 1, role: "member", language: "de" },
            { app: "second", user: 4, role: "owner" }
          ]
        })
      )
      const database = Database.layer({
        secretsKey: Redacted.make(secretsKey),
        poolSize: 1,
        enginePoolSize: 1
      })
      const rows = yield* Effect.provide(
        TenantScope.use(({ transaction }) =>
          Effect.forEach(["alpha", "beta"], (tenant) =>
            transaction(
              TenantId.make(tenant),
              (sql) => sql<{ user: number; role: string; language: string | null }>`
              SELECT user_id::int AS user, role, language FROM members ORDER BY 1`
            )
          )
        ),
        database
      )
      assert.deepStrictEqual(rows, [
        [
          { user: 1, role: "owner", language: "ru" },
          { user: 2, role: "member", language: "en" },
          { user: 3, role: "reader", language: null }
        ],
        [
          { user: 1, role: "member", language: "de" },
          { user: 4, role: "owner", language: null }
        ]
      ])
    }).pipe(Effect.provide(empty))
)
