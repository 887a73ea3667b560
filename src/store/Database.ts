/**
 * The database as the rest of the program gets it: prepared by its owner, then reachable only through the
 * tenant's transactions, the signals between processes, and the engine's own client.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, type Redacted, Schedule } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlError } from "effect/sql"
import { type Connection, DatabaseOwner } from "./DatabaseOwner.ts"
import { EngineSql } from "./EngineSql.ts"
import { DatabaseRefused, prepare } from "./Preparation.ts"
import { engineRole, type Role, rolePassword, roles, runtimeRole, setPassword } from "./Roles.ts"
import { makeSignals, Signals } from "./Signals.ts"
import { makeTenantScope, TenantScope } from "./TenantScope.ts"

export interface DatabaseOptions {
  /** `SECRETS_KEY`: 32 bytes in base64. */
  readonly secretsKey: Redacted.Redacted
  /** Connections of the domain's pool; 10 by default. */
  readonly poolSize?: number | undefined
  /** Connections of the engine's pool; 10 by default. */
  readonly enginePoolSize?: number | undefined
}

/** Prepares the database and gives the three ways to it; the roles' clients stay in here. */
export const layer = (options: DatabaseOptions) =>
  Layer.effectContext(make(options)).pipe(Layer.provide(Reactivity.layer))

const make = Effect.fn("Database.make")(function* (options: DatabaseOptions) {
  const { connection: owner } = yield* DatabaseOwner
  yield* asOwner(owner, prepare(options.secretsKey))

  const login = (role: Role): Connection => ({
    ...owner,
    username: role,
    password: rolePassword(options.secretsKey, role)
  })
  yield* Effect.forEach(roles, (role) =>
    Effect.mapError(fitPassword(owner, options.secretsKey, role, login(role)), unreachable)
  )

  const runtime = yield* PgClient.make({
    ...login(runtimeRole),
    applicationName: "zapiska",
    maxConnections: options.poolSize ?? 10
  }).pipe(Effect.mapError(unreachable))
  const engine = yield* PgClient.make({
    ...login(engineRole),
    applicationName: "zapiska-engine",
    maxConnections: options.enginePoolSize ?? 10
  }).pipe(Effect.mapError(unreachable))
  const signals = yield* makeSignals({ ...login(runtimeRole), applicationName: "zapiska-signals" })

  return Context.make(TenantScope, makeTenantScope(runtime)).pipe(
    Context.add(Signals, signals),
    Context.add(EngineSql, EngineSql.of({ client: engine }))
  )
})

const asOwner = <A>(
  owner: Connection,
  body: Effect.Effect<A, DatabaseRefused | SqlError.SqlError, SqlClient.SqlClient>
) =>
  Effect.scoped(
    Effect.flatMap(
      PgClient.make({ ...owner, applicationName: "zapiska-owner", maxConnections: 1 }),
      (client) => Effect.provideService(body, SqlClient.SqlClient, client)
    )
  ).pipe(Effect.mapError(unreachable))

const checkLogin = (login: Connection) =>
  Effect.scoped(PgConnection.make({ ...login, applicationName: "zapiska-start" }))

/** What closes, or what starts beside us with this very key, is given as long. */
const closesWithin = "5 seconds"

/**
 * With another SECRETS_KEY than when the role was made the owner says which one counts, but never while others work
 * with the one before: their next connection would be refused.
 */
const fitPassword = (owner: Connection, secretsKey: Redacted.Redacted, role: Role, login: Connection) =>
  checkLogin(login).pipe(
    Effect.catchIf(
      (error) => error.reason._tag === "AuthenticationError",
      () =>
        Effect.gen(function* () {
          yield* refuseBesideOthers(owner)
          yield* Effect.logWarning(`The password of ${role} does not fit SECRETS_KEY; setting it anew`)
          yield* renewPassword(owner, secretsKey, role)
          yield* checkLogin(login)
        })
    ),
    Effect.retry({
      while: (error) => error._tag === "DatabaseRefused" && error.cause === undefined,
      schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ duration: closesWithin }))
    })
  )

const refuseBesideOthers = Effect.fnUntraced(function* (owner: Connection) {
  const { rows } = yield* Effect.scoped(
    Effect.flatMap(PgConnection.make({ ...owner, applicationName: "zapiska-owner" }), (connection) =>
      connection.query(
        `SELECT string_agg(format('%s (pid %s, database %s)', application_name, pid, datname), ', ' ORDER BY pid) AS live
         FROM pg_stat_activity WHERE usename = ANY($1::text[])`,
        [[...roles]]
      )
    )
  )
  const live = rows[0]?.live
  if (typeof live === "string")
    return yield* new DatabaseRefused({
      problem: `This process has another SECRETS_KEY than those that work with this PostgreSQL server: ${live}`,
      remedy:
        "Theirs stays in force. Give this one their SECRETS_KEY (or their secrets.key in DATA_DIR); to change the key, stop them first"
    })
})

const renewPassword = (owner: Connection, secretsKey: Redacted.Redacted, role: Role) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ ...owner, applicationName: "zapiska-owner" }), (connection) =>
      connection.query(setPassword(secretsKey, role))
    )
  ).pipe(
    Effect.catchIf(
      (error) => error.reason._tag === "AuthorizationError",
      (cause) =>
        Effect.fail(
          new DatabaseRefused({
            problem: `The password of ${role} does not fit SECRETS_KEY, and the database's owner may not change it`,
            remedy: `Run as a superuser: ${setPassword(secretsKey, role)};`,
            cause
          })
        )
    )
  )

/** What the driver met (`connect ECONNREFUSED 127.0.0.1:5432`) says more than what it wraps it in. */
const reasonOf = ({ message, reason: { cause } }: SqlError.SqlError): string =>
  cause instanceof Error && cause.message !== "" ? cause.message : message

export const unreachable = (error: SqlError.SqlError | DatabaseRefused) =>
  error._tag === "DatabaseRefused"
    ? error
    : new DatabaseRefused({
        problem: `The database cannot be used: ${reasonOf(error)}`,
        remedy:
          "Check that the server of DATABASE_URL runs and lets this user in; an embedded one says more in its log",
        cause: error
      })
