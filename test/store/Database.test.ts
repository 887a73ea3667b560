import { randomBytes } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { assert, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { defaultTenant } from "../../src/domain/Ids.ts"
import * as Database from "../../src/store/Database.ts"
import { type Connection, DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { DataDirLock } from "../../src/store/DataDirLock.ts"
import { EngineSql } from "../../src/store/EngineSql.ts"
import { LocalPostgres } from "../../src/store/LocalPostgres.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { secretsKey } from "../support/TestServer.ts"
import { temporaryDirectory } from "./Starter.ts"

/** A server of this file's own: roles are shared by all databases of a server, and these tests change them. */
const ownServer = Layer.unwrap(
  Effect.map(temporaryDirectory, (dataDir) =>
    LocalPostgres.layer().pipe(Layer.provide(DataDirLock.layer({ dataDir })))
  )
)

/** A new, empty database on it. */
const emptyDatabase = Effect.gen(function* () {
  const { superuser } = yield* LocalPostgres
  const { connection: owner } = yield* DatabaseOwner
  const database = `test_${randomBytes(6).toString("hex")}`
  yield* run(superuser, `CREATE DATABASE ${database} OWNER zapiska_owner`)
  return { owner: { ...owner, database }, superuser: { ...superuser, database } }
})

const open = (owner: Connection, key = secretsKey) =>
  Layer.build(
    Database.layer({ secretsKey: Redacted.make(key), poolSize: 2, enginePoolSize: 2 }).pipe(
      Layer.provide(Layer.succeed(DatabaseOwner, { connection: owner }))
    )
  )

const run = (connection: Connection, ...statements: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(connection), (opened) =>
      Effect.forEach(statements, (statement) => opened.query(statement), { discard: true })
    )
  )

/** The statements of a message, as an operator would copy them. */
const statementsIn = (message: string) =>
  message
    .slice(message.search(/\b(ALTER|CREATE|DROP|REVOKE) /))
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "")

const tenants = (services: Context.Context<TenantScope>) =>
  Context.get(services, TenantScope).transaction(defaultTenant, (sql) => sql`SELECT tenant_id FROM tenants`)

layer(ownServer, { excludeTestServices: true })((it) => {
  it.effect("replicas starting at once on an empty database all come up, with the tenant `default`", () =>
    Effect.gen(function* () {
      const { owner } = yield* emptyDatabase
      const started = yield* Effect.forEach([1, 2, 3], () => open(owner), { concurrency: 3 })
      for (const services of started)
        assert.deepStrictEqual(yield* tenants(services), [{ tenant_id: "default" }])
    })
  )

  it.effect(
    "the runtime role and the engine's cannot reach each other's tables, nor change their own bounds",
    () =>
      Effect.gen(function* () {
        const { owner } = yield* emptyDatabase
        const services = yield* open(owner)
        const engine = Context.get(services, EngineSql).client
        const scope = Context.get(services, TenantScope)
        yield* engine`CREATE TABLE cluster_messages (id int)`
        const engineSchema =
          yield* engine`SELECT schemaname FROM pg_tables WHERE tablename = 'cluster_messages'`
        assert.deepStrictEqual(engineSchema, [{ schemaname: "zapiska_engine" }])
        const provided = yield* SqlClient.SqlClient.pipe(
          Effect.provide(EngineSql.layerSqlClient.pipe(Layer.provide(Layer.succeedContext(services))))
        )
        assert.strictEqual(provided, engine)

        const asRuntime = (statement: string) =>
          Effect.flip(scope.transaction(defaultTenant, (sql) => sql.unsafe(statement)))
        for (const statement of [
          "SELECT * FROM zapiska_engine.cluster_messages",
          "CREATE TABLE mine (id int)",
          "TRUNCATE handled_updates",
          "ALTER TABLE handled_updates DISABLE ROW LEVEL SECURITY",
          "SET ROLE zapiska_owner",
          "SELECT * FROM schema_migrations"
        ]) {
          assert.strictEqual((yield* asRuntime(statement)).reason._tag, "AuthorizationError", statement)
        }
        const engineReads = yield* Effect.flip(engine`SELECT * FROM zapiska.handled_updates`)
        assert.strictEqual(engineReads.reason._tag, "AuthorizationError")
      })
  )

  it.effect(
    "refuses to start as a superuser or past row-level security, with the statement that mends it",
    () =>
      Effect.gen(function* () {
        const { owner, superuser } = yield* emptyDatabase
        yield* Effect.scoped(open(owner))
        for (const power of ["SUPERUSER", "BYPASSRLS"]) {
          yield* run(superuser, `ALTER ROLE zapiska_runtime ${power}`)
          const refused = yield* Effect.flip(Effect.scoped(open(owner)))
          assert.include(refused.message, "row-level security")
          yield* run(superuser, ...statementsIn(refused.message))
        }
        assert.lengthOf(yield* tenants(yield* open(owner)), 1)
      })
  )

  it.effect("refuses to start when a role may become one that row-level security does not hold", () =>
    Effect.gen(function* () {
      const { owner, superuser } = yield* emptyDatabase
      yield* Effect.scoped(open(owner))
      yield* run(superuser, "CREATE ROLE go_between NOLOGIN", `GRANT ${superuser.username} TO go_between`)
      for (const lent of [superuser.username, "zapiska_owner", "go_between"]) {
        // Who made the role is a member of it, and could not be lent to it.
        if (lent === "zapiska_owner") yield* run(superuser, "REVOKE zapiska_engine FROM zapiska_owner")
        yield* run(superuser, `GRANT ${lent} TO zapiska_engine`)
        const refused = yield* Effect.flip(Effect.scoped(open(owner)))
        assert.include(refused.message, "is a member of one that is not", lent)
        yield* run(superuser, ...statementsIn(refused.message))
      }
      yield* run(superuser, "GRANT zapiska_engine TO zapiska_owner WITH ADMIN OPTION")
      assert.lengthOf(yield* tenants(yield* open(owner)), 1)
    })
  )

  it.effect(
    "refuses to start with a tenant's table that anybody could read, with the statements that mend it",
    () =>
      Effect.gen(function* () {
        const { owner } = yield* emptyDatabase
        yield* Effect.scoped(open(owner))
        for (const mistake of [
          "ALTER TABLE zapiska.outbox DISABLE ROW LEVEL SECURITY",
          "ALTER TABLE zapiska.outbox NO FORCE ROW LEVEL SECURITY",
          "DROP POLICY tenant_isolation ON zapiska.outbox",
          "CREATE POLICY everybody ON zapiska.outbox USING (true)",
          "CREATE POLICY directory ON zapiska.outbox FOR SELECT USING (current_setting('app.directory', true) = 'on')",
          "ALTER POLICY tenant_isolation ON zapiska.outbox USING (tenant_id = tenant_id)",
          "ALTER POLICY tenant_isolation ON zapiska.outbox WITH CHECK (true)",
          "CREATE TABLE zapiska.forgotten (tenant_id text)"
        ]) {
          yield* run(owner, mistake)
          const refused = yield* Effect.flip(Effect.scoped(open(owner)))
          assert.match(refused.message, /does not hold for (outbox|forgotten)/, mistake)
          yield* run(owner, ...statementsIn(refused.message))
        }
        assert.lengthOf(yield* tenants(yield* open(owner)), 1)
      })
  )

  it.effect("refuses a database that a newer version has migrated", () =>
    Effect.gen(function* () {
      const { owner } = yield* emptyDatabase
      yield* Effect.scoped(open(owner))
      yield* run(
        owner,
        "INSERT INTO zapiska.schema_migrations (migration_id, name) VALUES (9999, 'tomorrow')"
      )
      const refused = yield* Effect.flip(open(owner))
      assert.include(refused.message, "newer than this program")
      assert.include(refused.message, "9999")
    })
  )

  it.effect("another SECRETS_KEY gives the roles new passwords", () =>
    Effect.gen(function* () {
      const { owner } = yield* emptyDatabase
      yield* Effect.scoped(open(owner))
      const other = Buffer.alloc(32, "another").toString("base64")
      assert.lengthOf(yield* tenants(yield* open(owner, other)), 1)
    })
  )

  it.effect("another SECRETS_KEY is refused beside a process that runs, which goes on as it was", () =>
    Effect.gen(function* () {
      const { owner } = yield* emptyDatabase
      const running = yield* open(owner)
      const refused = yield* Effect.flip(
        Effect.scoped(open(owner, Buffer.alloc(32, "a stranger").toString("base64")))
      )
      assert.include(refused.message, "another SECRETS_KEY")
      assert.match(refused.message, /zapiska-signals \(pid \d+/)
      // Both passwords are as they were.
      yield* Effect.scoped(open(owner))
      assert.lengthOf(yield* tenants(running), 1)
    })
  )

  it.effect("says that the server cannot be reached, and what to check", () =>
    Effect.gen(function* () {
      const owner = {
        host: "127.0.0.1",
        port: 1,
        database: "none",
        username: "nobody",
        password: Redacted.make("secret")
      }
      const refused = yield* Effect.flip(open(owner))
      assert.include(refused.message, "DATABASE_URL")
      assert.notInclude(refused.message, "secret")
    })
  )
})

it.live("an owner who may not create roles is given the SQL for somebody who may; no password is in it", () =>
  Effect.gen(function* () {
    const { owner, superuser } = yield* emptyDatabase
    yield* run(superuser, "ALTER ROLE zapiska_owner NOCREATEROLE")
    const refused = yield* Effect.flip(Effect.scoped(open(owner)))
    assert.include(refused.message, "CREATE ROLE zapiska_runtime")
    assert.include(refused.message, "PASSWORD 'SCRAM-SHA-256$")
    yield* run(superuser, ...statementsIn(refused.message))
    assert.lengthOf(yield* tenants(yield* open(owner)), 1)
  }).pipe(Effect.provide(ownServer))
)
