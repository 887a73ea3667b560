/**
 * What the owner does before anything else may use the database: roles, schemas, migrations, the first tenant,
 * and the checks without which we refuse to start.
 */
import type { Redacted } from "effect"
import { Effect, Schema } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { defaultTenant } from "../domain/Ids.ts"
import domain from "./migrations/0001_domain.ts"
import callbacks from "./migrations/0002_callbacks.ts"
import outboxOrder from "./migrations/0003_outbox_order.ts"
import fences from "./migrations/0004_fences.ts"
import vault from "./migrations/0005_vault.ts"
import tenants from "./migrations/0006_tenants.ts"
import people from "./migrations/0007_people.ts"
import sessions from "./migrations/0008_sessions.ts"
import botFences from "./migrations/0009_bot_fences.ts"
import loginLinks from "./migrations/0010_login_links.ts"
import followedChats from "./migrations/0011_followed_chats.ts"
import followedSinceLogin from "./migrations/0012_followed_since_login.ts"
import { createRole, engineRole, missingSettings, type Role, roles, runtimeRole } from "./Roles.ts"

export class DatabaseRefused extends Schema.TaggedError<DatabaseRefused>()("DatabaseRefused", {
  /** What is wrong with the database. */
  problem: Schema.String,
  /** What to do; statements are complete and safe to run as they are. */
  remedy: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `${this.problem}. ${this.remedy}`
  }
}

/** In order, forward only. A released one is never edited. */
export const migrations = {
  "0001_domain": domain,
  "0002_callbacks": callbacks,
  "0003_outbox_order": outboxOrder,
  "0004_fences": fences,
  "0005_vault": vault,
  "0006_tenants": tenants,
  "0007_people": people,
  "0008_sessions": sessions,
  "0009_bot_fences": botFences,
  "0010_login_links": loginLinks,
  "0011_followed_chats": followedChats,
  "0012_followed_since_login": followedSinceLogin
}

const migrationTable = "schema_migrations"

/** One start at a time, on any replica; any number that nothing else in the database uses. */
const startLock = 7_316_220_901

/** Everything in one transaction: a start that fails changes nothing. */
export const prepare = Effect.fn("Database.prepare")(function* (secretsKey: Redacted.Redacted) {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(${startLock}::bigint)`
      yield* ensureRoles(secretsKey)
      yield* ensureSchemas
      yield* migrate
      yield* sql`SELECT set_config('app.tenant_id', ${defaultTenant}, true)`
      yield* sql`INSERT INTO tenants (tenant_id) VALUES (${defaultTenant}) ON CONFLICT DO NOTHING`
      yield* checkRoles
      yield* checkTables
      yield* checkPolicies
    })
  )
})

const isForbidden = (error: SqlError.SqlError) => error.reason._tag === "AuthorizationError"

const ensureRoles = Effect.fnUntraced(function* (secretsKey: Redacted.Redacted) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ rolname: Role; rolconfig: ReadonlyArray<string> | null }>`
    SELECT rolname, rolconfig FROM pg_roles WHERE rolname IN (${runtimeRole}, ${engineRole})`
  const statements = roles.flatMap((role) => {
    const row = rows.find(({ rolname }) => rolname === role)
    return [...(row ? [] : [createRole(secretsKey, role)]), ...missingSettings(role, row?.rolconfig ?? null)]
  })
  yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }).pipe(
    Effect.catchIf(isForbidden, (cause) =>
      Effect.fail(
        new DatabaseRefused({
          problem: "The user of DATABASE_URL may not create the roles Zapiska runs as",
          remedy: `Run this once as a superuser and start again:\n${statements.map((statement) => `${statement};`).join("\n")}`,
          cause
        })
      )
    )
  )
})

const ensureSchemas = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [schemas] = yield* sql<{ domain: boolean; engine: boolean }>`
    SELECT to_regnamespace('zapiska') IS NOT NULL AS domain, to_regnamespace('zapiska_engine') IS NOT NULL AS engine`
  const statements = [
    ...(schemas?.domain ? [] : ["CREATE SCHEMA zapiska", `GRANT USAGE ON SCHEMA zapiska TO ${runtimeRole}`]),
    // The owner's schema with the engine's tables: the engine makes and keeps them itself.
    ...(schemas?.engine
      ? []
      : ["CREATE SCHEMA zapiska_engine", `GRANT USAGE, CREATE ON SCHEMA zapiska_engine TO ${engineRole}`])
  ]
  yield* Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }).pipe(
    Effect.catchIf(isForbidden, (cause) =>
      Effect.fail(
        new DatabaseRefused({
          problem: "The user of DATABASE_URL may not create schemas in the database",
          remedy: "Make it the owner of the database: ALTER DATABASE <name> OWNER TO <user>;",
          cause
        })
      )
    )
  )
  // Migrations name their tables without a schema.
  yield* sql`SELECT set_config('search_path', 'zapiska', true)`
})

const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: migrationTable }).pipe(
    Effect.catchTag("MigrationError", (cause) =>
      Effect.fail(
        new DatabaseRefused({
          problem: `The database cannot be brought up to this version: ${cause.message}`,
          remedy: "Nothing was changed. Start the version that was used before, and report this one",
          cause
        })
      )
    )
  )
  const known = Math.max(...Object.keys(migrations).map((name) => Number.parseInt(name, 10)))
  const [latest] = yield* sql<{
    id: number | null
  }>`SELECT max(migration_id) AS id FROM ${sql(migrationTable)}`
  if (latest?.id && latest.id > known) {
    return yield* new DatabaseRefused({
      problem: `The database is newer than this program: it has migration ${latest.id}, the program knows up to ${known}`,
      remedy: "Start the newer version again; there is no way back for the data but a backup from before"
    })
  }
})

/** A superuser or BYPASSRLS role would see every tenant's rows without a word. */
const checkRoles = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const excessive = yield* sql<{ rolname: string }>`
    SELECT rolname FROM pg_roles WHERE rolname IN (${runtimeRole}, ${engineRole}) AND (rolsuper OR rolbypassrls)`
  if (excessive.length > 0) {
    return yield* new DatabaseRefused({
      problem: "A role that must be held by row-level security is a superuser or has BYPASSRLS",
      remedy: `Run as a superuser: ${excessive.map((role) => `ALTER ROLE ${role.rolname} NOSUPERUSER NOBYPASSRLS;`).join(" ")}`
    })
  }
  // What a role is a member of it can become, or has without becoming it; directly or by way of others.
  const lent = yield* sql<{ statement: string }>`
    SELECT format('REVOKE %I FROM %I GRANTED BY %I;', lent.rolname, ours.rolname, grantor.rolname) AS statement
    FROM pg_auth_members m
    JOIN pg_roles ours ON ours.oid = m.member AND ours.rolname IN (${runtimeRole}, ${engineRole})
    JOIN pg_roles lent ON lent.oid = m.roleid
    JOIN pg_roles grantor ON grantor.oid = m.grantor
    WHERE EXISTS (
      SELECT FROM pg_roles o WHERE pg_has_role(lent.oid, o.oid, 'MEMBER') AND (o.rolsuper OR o.rolbypassrls
        OR o.oid IN (SELECT relowner FROM pg_class WHERE relnamespace = 'zapiska'::regnamespace)))
    ORDER BY 1`
  if (lent.length > 0) {
    return yield* new DatabaseRefused({
      problem:
        "A role that must be held by row-level security is a member of one that is not: a superuser, one with BYPASSRLS, or the tables' owner",
      remedy: `Run as a superuser: ${lent.map(({ statement }) => statement).join(" ")}`
    })
  }
})

/** Every table with a tenant has row-level security enabled, forced on its owner, and a policy. */
const checkTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const open = yield* sql<{ relname: string; policy: boolean }>`
    SELECT c.relname, EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_isolation') AS policy
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'zapiska'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT (c.relrowsecurity AND c.relforcerowsecurity
        AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_isolation'))
    ORDER BY c.relname`
  if (open.length > 0) {
    const statements = open.flatMap(({ relname, policy }) => [
      `ALTER TABLE zapiska.${relname} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`,
      ...(policy ? [] : [`CREATE POLICY tenant_isolation ON zapiska.${relname} ${tenantPolicy};`])
    ])
    return yield* new DatabaseRefused({
      problem: `Row-level security does not hold for ${open.map(({ relname }) => relname).join(", ")}`,
      remedy: `Somebody changed the tables. Run as their owner:\n${statements.join("\n")}`
    })
  }
})

const tenantPolicy = `USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))
  WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))`

interface Policy {
  readonly table: string
  readonly name: string
  readonly drop: string
  readonly command: string
  readonly roles: string
  readonly qual: string | null
  readonly check: string | null
}

/** As PostgreSQL writes an expression down, without what its versions differ in. */
const bare = (expression: string | null) => expression?.replace(/::text|[\s()]/g, "")
const ofTenant = bare("tenant_id = NULLIF(current_setting('app.tenant_id', true), '')")
const ofDirectory = bare("current_setting('app.directory', true) = 'on'")

const isOurs = ({ table, name, command, roles: given, qual, check }: Policy): boolean =>
  given === "{public}" &&
  (name === "tenant_isolation"
    ? command === "ALL" && bare(qual) === ofTenant && bare(check) === ofTenant
    : name === "directory" &&
      (table === "tenants" || table === "apps") &&
      command === "SELECT" &&
      bare(qual) === ofDirectory)

/** Policies add up: one more, or one that says more, opens a table that looks secured. */
const checkPolicies = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const policies = yield* sql<Policy>`
    SELECT tablename AS table, policyname AS name, cmd AS command, roles::text AS roles, qual, with_check AS check,
      format('DROP POLICY %I ON zapiska.%I;', policyname, tablename) AS drop
    FROM pg_policies WHERE schemaname = 'zapiska' AND permissive = 'PERMISSIVE' ORDER BY 1, 2`
  const foreign = policies.filter((policy) => !isOurs(policy))
  if (foreign.length === 0) return
  const statements = foreign.flatMap(({ table, name, drop }) => [
    drop,
    ...(name === "tenant_isolation"
      ? [`CREATE POLICY tenant_isolation ON zapiska.${table} ${tenantPolicy};`]
      : []),
    ...(name === "directory" && (table === "tenants" || table === "apps")
      ? [
          `CREATE POLICY directory ON zapiska.${table} FOR SELECT USING (current_setting('app.directory', true) = 'on');`
        ]
      : [])
  ])
  return yield* new DatabaseRefused({
    problem: `Row-level security does not hold for ${foreign.map(({ table, name }) => `${table} (policy ${name})`).join(", ")}`,
    remedy: `Somebody changed the tables. Run as their owner:\n${statements.join("\n")}`
  })
})
