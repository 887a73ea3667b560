/**
 * PostgreSQL as part of our process: made once in DATA_DIR, started and stopped with the scope, restarted when
 * it dies, found again when we died. Everything else sees an ordinary database owner's connection.
 */
import { createHmac } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, Metric, Option, Redacted, Result, Schedule } from "effect"
import { type Connection, DatabaseOwner } from "./DatabaseOwner.ts"
import { DataDirLock } from "./DataDirLock.ts"
import { type Cluster, initialize } from "./PostgresCluster.ts"
import { LocalPostgresError } from "./PostgresError.ts"
import { place as choosePlace, type Place } from "./PostgresPlace.ts"
import * as Process from "./PostgresProcess.ts"

export const postgresRestarts = Metric.counter("postgres_restarts_total", {
  description: "Times the embedded PostgreSQL died and was started again",
  incremental: true
})

export class LocalPostgres extends Context.Service<
  LocalPostgres,
  {
    /** The superuser's connection, for what the owner may not do (backups, tests). */
    readonly superuser: Connection
    /** The server's process just now; absent while it is being restarted. */
    readonly pid: Effect.Effect<number | undefined>
  }
>()("zapiska/store/LocalPostgres") {
  /**
   * `binaries` is the `bin` directory of another PostgreSQL (17+ recommended), for systems that cannot run the
   * ones that come with us. `connections`: the most of them at a time, 50 by default. Ready once the database accepts
   * its owner.
   */
  static readonly layer = (options: Options = {}) =>
    Layer.effectContext(
      Effect.map(make(options), ({ server, owner }) =>
        Context.make(LocalPostgres, server).pipe(Context.add(DatabaseOwner, owner))
      )
    )
}

interface Options {
  readonly binaries?: string | undefined
  readonly connections?: number
}

const databaseName = "zapiska"
const ownerName = "zapiska_owner"

/** Durable, and shaped for one small process on one machine: see each for what differs from the default. */
const settings = (cluster: Cluster, { connections = 50 }: Options) => [
  `unix_socket_directories="${cluster.socketDirectory.replaceAll('"', '""')}"`,
  "listen_addresses=",
  "port=5432",
  "unix_socket_permissions=0700",
  `max_connections=${connections}`,
  "shared_buffers=128MB",
  "fsync=on",
  "synchronous_commit=on",
  // Nobody replicates from this server, so the log carries only what recovery needs.
  "wal_level=minimal",
  "max_wal_senders=0",
  "max_logical_replication_workers=0",
  // Fewer checkpoints, so fewer full-page images: a recovery of a second or two buys steadier commits.
  "max_wal_size=1GB",
  "checkpoint_timeout=15min",
  // Solid-state disks: the planner should not fear an index.
  "random_page_cost=1.1",
  "effective_cache_size=512MB",
  "jit=off",
  "timezone=UTC",
  // Rows must not reach the log: neither statements nor the DETAIL that quotes a failing row.
  "log_min_error_statement=panic",
  "log_error_verbosity=terse",
  "logging_collector=off",
  "log_destination=stderr"
]

const make = Effect.fn("LocalPostgres.make")(function* (options: Options) {
  const { dataDir } = yield* DataDirLock
  const place = yield* choosePlace({ dataDir, binaries: options.binaries })
  if (!place.home.startsWith(dataDir)) {
    yield* Effect.logInfo(`The database is in ${place.home}: the user it runs as cannot reach ${dataDir}`)
  }
  const cluster = yield* initialize(place)
  // Registered first, so it runs last: the supervisor must not restart what is being stopped.
  yield* Effect.addFinalizer(() => Process.stop(place))
  const server = yield* ready(place, cluster, options)
  const superuser = superuserConnection(server, cluster)
  const owner = yield* bootstrap(superuser, cluster)
  yield* Effect.forkScoped(supervise(place, cluster, server, options))
  return {
    server: LocalPostgres.of({
      superuser,
      pid: Effect.map(Process.running(place), (server) => Option.getOrUndefined(server)?.pid)
    }),
    owner: DatabaseOwner.of({ connection: owner })
  }
})

const superuserConnection = (server: Process.ServerFile, cluster: Cluster): Connection => ({
  host: server.socketDirectory,
  port: server.port,
  database: "postgres",
  username: cluster.superuser,
  password: cluster.password
})

/** Derived, so that there is one password to keep. */
const ownerPassword = (cluster: Cluster) =>
  createHmac("sha256", Redacted.value(cluster.password)).update(ownerName).digest("base64url")

const connect = (connection: Connection) =>
  PgConnection.make({ ...connection, applicationName: "zapiska-start", connectTimeout: "2 seconds" })

/** The server of the directory, accepting connections: the one that runs already, or a new one. */
const ready = Effect.fn("LocalPostgres.ready")(function* (place: Place, cluster: Cluster, options: Options) {
  const found = yield* Process.running(place)
  if (Option.isSome(found)) {
    yield* Effect.logInfo("Reusing the PostgreSQL that an earlier process left running")
    const adopted = yield* Effect.result(accepting(place, cluster))
    if (Result.isSuccess(adopted)) return adopted.success
    // Only one that ended meanwhile is replaced; one that runs and lets nobody in is not ours to kill.
    if (Option.isSome(yield* Process.running(place))) return yield* adopted.failure
  }
  yield* Process.clearRemains(place, cluster.socketDirectory)
  // Once spawned it must become visible to `stop`, whatever happens to this fiber.
  yield* Effect.uninterruptible(
    Effect.flatMap(Process.launch(place, settings(cluster, options)), (child) =>
      Effect.repeat(Process.running(place), {
        until: (server) => Option.isSome(server) || Process.hasExited(child),
        schedule: Schedule.spaced("2 millis")
      })
    )
  )
  return yield* accepting(place, cluster)
})

/** Waits while the server lives (a recovery may take its time) until it accepts a connection. */
const accepting = (place: Place, cluster: Cluster) =>
  Effect.gen(function* () {
    const server = yield* Process.running(place)
    if (Option.isNone(server)) return yield* died(place)
    return yield* Effect.scoped(connect(superuserConnection(server.value, cluster))).pipe(
      Effect.as(server.value),
      Effect.mapError((error) =>
        error.reason._tag === "AuthenticationError"
          ? new LocalPostgresError({
              problem: "The embedded PostgreSQL does not accept its own password",
              place: cluster.passwordFile,
              remedy: "Put back the file that was made with this database (it is part of the backup)",
              cause: error
            })
          : ("starting" as const)
      )
    )
  }).pipe(
    Effect.retry({
      while: (error) => error === "starting",
      schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "5 minutes" }))
    }),
    Effect.catchIf(
      (error) => error === "starting",
      () =>
        Effect.flatMap(Process.logTail(place), (log) =>
          Effect.fail(
            new LocalPostgresError({
              problem: "The embedded PostgreSQL runs but accepts no connection",
              place: Process.dataOf(place),
              remedy: "Look at its log; a very long recovery only needs another start",
              log
            })
          )
        )
    )
  )

const died = (place: Place) =>
  Effect.flatMap(Process.logTail(place), (log) =>
    Effect.fail(
      new LocalPostgresError({
        problem: "The embedded PostgreSQL ended right after its start",
        place: Process.dataOf(place),
        remedy: "Its last words are below; most often the disk is full or its files belong to another user",
        log
      })
    )
  )

/** The owner is no superuser here either, so that the embedded profile cannot do what a server's could not. */
const bootstrap = Effect.fn("LocalPostgres.bootstrap")(function* (superuser: Connection, cluster: Cluster) {
  const password = ownerPassword(cluster)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* connect(superuser)
      const [have] = yield* connection.queryValues(
        "SELECT to_regrole($1) IS NOT NULL, EXISTS (SELECT FROM pg_database WHERE datname = $2)",
        [ownerName, databaseName]
      )
      if (!have?.[0]) {
        yield* connection.query(
          `CREATE ROLE ${ownerName} LOGIN NOSUPERUSER CREATEROLE PASSWORD '${password}'`
        )
      }
      if (!have?.[1]) yield* connection.query(`CREATE DATABASE ${databaseName} OWNER ${ownerName}`)
    })
  ).pipe(
    Effect.mapError(
      (cause) =>
        new LocalPostgresError({
          problem: "The database cannot be created in the embedded PostgreSQL",
          place: databaseName,
          remedy: "The cause is below; a full disk is the usual one",
          log: cause.message,
          cause
        })
    )
  )
  return {
    ...superuser,
    database: databaseName,
    username: ownerName,
    password: Redacted.make(password)
  } satisfies Connection
})

/**
 * Starts the server again whenever it is gone: killed for memory, by hand, by a full disk. Pools reconnect by
 * themselves; nobody else need know.
 */
const supervise = (
  place: Place,
  cluster: Cluster,
  server: Process.ServerFile,
  options: Options
): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* Process.gone(place, server.pid, "100 millis")
    yield* Metric.update(postgresRestarts, 1)
    yield* Effect.logError("PostgreSQL is gone; starting it again")
    const next = yield* ready(place, cluster, options).pipe(
      Effect.tapCause((cause) => Effect.logError("PostgreSQL does not start", cause)),
      Effect.retry(
        Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
          Schedule.jittered
        )
      ),
      // Retried without end, so what is left is a broken invariant.
      Effect.orDie
    )
    yield* Effect.logInfo("PostgreSQL is back")
    return next
  }).pipe(Effect.flatMap((next) => supervise(place, cluster, next, options)))
