/**
 * Who works with a database: one process alone, or the replicas of a cluster together. Two that each take it for
 * their own would both answer everybody, so a lock on a kept connection says who it is; it is gone with its process.
 */
import { hostname } from "node:os"
import { PgConnection } from "@effect/sql-pg"
import { Context, Deferred, Effect, Layer, Queue, Schedule } from "effect"
import { unreachable } from "./Database.ts"
import { type Connection, DatabaseOwner } from "./DatabaseOwner.ts"
import { DatabaseRefused } from "./Preparation.ts"

/** `alone`: every conversation is this process's. `together`: each replica has a part of them. */
export type Use = "alone" | "together"

export class DatabaseUse extends Context.Service<
  DatabaseUse,
  {
    /** Fails when others work with the database in our place: this process has to stop. */
    readonly lost: Effect.Effect<never, DatabaseRefused>
  }
>()("zapiska/store/DatabaseUse") {
  /** A server of our own, which nobody else knows of. */
  static readonly layerOwn = Layer.succeed(DatabaseUse, { lost: Effect.never })

  /** Refuses where others work with it; held until the scope closes. */
  static readonly layer = (use: Use) =>
    Layer.effect(
      DatabaseUse,
      Effect.flatMap(DatabaseOwner, ({ connection }) => hold(connection, use))
    )
}

/** Any two numbers nothing else locks in the database. */
const lock = [1_514_229_586, 1] as const

/** For one that ended a moment ago, or that will not come back from a lost connection. */
const goneWithin = "5 seconds"

/** A host that vanished is noticed by the server within half a minute. */
const noticed = { tcp_keepalives_idle: "10", tcp_keepalives_interval: "5", tcp_keepalives_count: "3" }

const hold = Effect.fn("DatabaseUse.hold")(function* (connection: Connection, use: Use) {
  const held = yield* Deferred.make<void>()
  const lost = yield* Deferred.make<never, DatabaseRefused>()

  const session = Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* PgConnection.make({
        ...connection,
        applicationName: `zapiska on ${hostname().slice(0, 40)}:${process.pid}`,
        startupParameters: noticed,
        keepAlive: "10 seconds"
      })
      const pinned = yield* opened.pin
      // Nobody calls; it fails as soon as the connection does.
      const silence = yield* pinned.listen("zapiska_use")
      yield* take(pinned, use)
      yield* Deferred.succeed(held, undefined)
      return yield* Effect.forever(Queue.take(silence))
    })
  )
  yield* session.pipe(
    Effect.tapError((error) =>
      Effect.gen(function* () {
        if (error._tag === "SqlError" && (yield* Deferred.isDone(held)))
          yield* Effect.logWarning(
            `The connection that keeps the database for us is lost (${error.message}); connecting again`
          )
      })
    ),
    Effect.retry({
      // While nobody reaches the database nobody takes it from us.
      while: (error) => error._tag === "SqlError" && Deferred.isDoneUnsafe(held),
      schedule: Schedule.spaced("250 millis").pipe(Schedule.jittered)
    }),
    Effect.catch((error) => Deferred.fail(lost, unreachable(error))),
    Effect.forkScoped
  )
  yield* Effect.raceFirst(Deferred.await(held), Deferred.await(lost))
  return DatabaseUse.of({ lost: Deferred.await(lost) })
})

const take = Effect.fnUntraced(function* (connection: PgConnection.PgConnection, use: Use) {
  const attempt = use === "alone" ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared"
  yield* Effect.gen(function* () {
    const { rows } = yield* connection.query(`SELECT ${attempt}(${lock.join()}) AS taken`)
    if (rows[0]?.taken !== true) return yield* refusal(use, yield* holders(connection))
  }).pipe(
    Effect.retry({
      while: ({ _tag }) => _tag === "DatabaseRefused",
      schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ duration: goneWithin }))
    })
  )
})

const holders = (connection: PgConnection.PgConnection) =>
  Effect.map(
    connection.query(`
      SELECT coalesce(string_agg(format('%s (pid %s at PostgreSQL%s)', a.application_name, a.pid, ', from ' || host(a.client_addr)),
        ', ' ORDER BY a.pid), 'a process that ended just now') AS who
      FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.classid = ${lock[0]} AND l.objid = ${lock[1]}
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`),
    ({ rows }) => String(rows[0]?.who)
  )

const refusal = (use: Use, who: string) =>
  new DatabaseRefused(
    use === "alone"
      ? {
          problem: `The database of DATABASE_URL is in use by ${who}`,
          remedy:
            "Stop that first, give this process a database of its own, or make all of them replicas of one cluster (CLUSTER_HOST and REDIS_URL)"
        }
      : {
          problem: `The database of DATABASE_URL is in use by a process that is no replica of a cluster: ${who}`,
          remedy: "Stop that first, or make it a replica too (CLUSTER_HOST and REDIS_URL)"
        }
  )
