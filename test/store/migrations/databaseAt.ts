/** Databases as earlier versions left them, for tests of what the migrations since then make of them. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { Migrator, SqlClient } from "effect/sql"
import * as Database from "../../../src/store/Database.ts"
import { migrations } from "../../../src/store/Preparation.ts"
import { runtimeRole } from "../../../src/store/Roles.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { secretsKey } from "../../support/TestServer.ts"

export const empty = TestDatabase.layerOwner("template1").pipe(Layer.provideMerge(Reactivity.layer))

/** The database with all its migrations. */
export const migrated = Database.layer({
  secretsKey: Redacted.make(secretsKey),
  poolSize: 1,
  enginePoolSize: 1
})

interface Filled<E> {
  readonly tenant: string
  /** What the tenant has, as its owner writes it. */
  readonly fill: (sql: PgClient.PgClient) => Effect.Effect<unknown, E>
}

/** The empty database, brought to the version with that migration, and filled. */
export const databaseAt = Effect.fnUntraced(function* <E>(
  migration: number,
  tenants: ReadonlyArray<Filled<E>>
) {
  const { owner } = yield* TestDatabase
  const sql = yield* PgClient.make({ ...owner, maxConnections: 1 })
  const old = Object.fromEntries(
    Object.entries(migrations).filter(([name]) => Number.parseInt(name, 10) <= migration)
  ) as typeof migrations
  yield* sql`CREATE SCHEMA zapiska`
  yield* sql.unsafe(`GRANT USAGE ON SCHEMA zapiska TO ${runtimeRole}`)
  yield* sql`SELECT set_config('search_path', 'zapiska', false)`
  yield* Migrator.make({})({ loader: Migrator.fromRecord(old), table: "schema_migrations" }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql)
  )
  for (const { fill, tenant } of tenants) {
    yield* sql`SELECT set_config('app.tenant_id', ${tenant}, false)`
    yield* sql`INSERT INTO tenants (tenant_id) VALUES (${tenant}) ON CONFLICT DO NOTHING`
    yield* fill(sql)
  }
})
