/**
 * A real PostgreSQL database of one's own for a test: `Layer.provide(TestDatabase.layer)` gives `TenantScope`,
 * `Signals` and `EngineSql` on a freshly migrated database with the tenant `default`, dropped with the scope.
 */
import { randomBytes } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { inject } from "vitest"
import * as Database from "../../src/store/Database.ts"
import { type Connection, DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { redacted, secretsKey, templateDatabase } from "./TestServer.ts"

/** The database's superuser and owner connections, for tests that look behind the services. */
export class TestDatabase extends Context.Service<
  TestDatabase,
  { readonly superuser: Connection; readonly owner: Connection }
>()("test/TestDatabase") {
  /** A new database, copied from `template`, with its owner. */
  static readonly layerOwner = (template: string = templateDatabase) =>
    Layer.effectContext(
      Effect.gen(function* () {
        const server = inject("postgres")
        const database = `test_${randomBytes(6).toString("hex")}`
        const administer = (statement: string) =>
          Effect.scoped(
            Effect.flatMap(PgConnection.make(redacted(server.superuser)), (connection) =>
              connection.query(statement)
            )
          ).pipe(Effect.orDie)
        yield* Effect.acquireRelease(
          administer(`CREATE DATABASE ${database} TEMPLATE ${template} OWNER ${server.owner.username}`),
          () => administer(`DROP DATABASE ${database} WITH (FORCE)`)
        )
        const owner = { ...redacted(server.owner), database }
        return Context.make(TestDatabase, {
          superuser: { ...redacted(server.superuser), database },
          owner
        }).pipe(Context.add(DatabaseOwner, { connection: owner }))
      })
    )

  /** With a small pool, since many test files share one server. */
  static readonly layerWith = (options: { readonly poolSize: number }) =>
    Database.layer({ secretsKey: Redacted.make(secretsKey), enginePoolSize: 5, ...options }).pipe(
      Layer.provideMerge(TestDatabase.layerOwner()),
      Layer.orDie
    )

  static readonly layer = TestDatabase.layerWith({ poolSize: 5 })
}
