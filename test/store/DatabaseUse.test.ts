import { hostname } from "node:os"
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { DatabaseUse, type Use } from "../../src/store/DatabaseUse.ts"
import { eventually, launch, ready, temporaryDirectory } from "../support/Application.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { secretsKey, urlOf } from "../support/TestServer.ts"

/** As a process of its own would have it: until the scope closes. */
const use = (how: Use) =>
  Effect.map(Layer.build(Layer.fresh(DatabaseUse.layer(how))), (services) =>
    Context.get(services, DatabaseUse)
  )

const administer = (statement: string) =>
  Effect.scoped(
    Effect.flatMap(TestDatabase, ({ superuser }) =>
      Effect.flatMap(PgConnection.make(superuser), (connection) => connection.query(statement))
    )
  )

const ofThisDatabase = `application_name LIKE 'zapiska on %' AND datname = current_database()`
const holding = Effect.map(
  administer(`SELECT a.pid FROM pg_locks JOIN pg_stat_activity a USING (pid)
    WHERE locktype = 'advisory' AND granted AND ${ofThisDatabase}`),
  ({ rows }) => rows.map(({ pid }) => Number(pid))
)
const terminate = administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ofThisDatabase}`)

/** Waits in the queue of the lock, and has it as soon as the connection of its holder is lost. */
const rival = Effect.gen(function* () {
  const { superuser } = yield* TestDatabase
  const connection = yield* PgConnection.make({ ...superuser, applicationName: "a rival" })
  const taken = yield* Effect.forkChild(connection.query("SELECT pg_advisory_lock(1514229586, 1)"))
  yield* eventually(
    "the rival waits",
    Effect.map(
      administer(`SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
        WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()`),
      ({ rows }) => rows.length > 0
    )
  )
  return taken
})

describe("DatabaseUse", () => {
  it.live("who works alone is refused beside anybody, and told who that is", () =>
    Effect.gen(function* () {
      for (const other of ["alone", "together"] as const) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* use(other)
            const [pid] = yield* holding
            const refused = yield* Effect.flip(Effect.scoped(use("alone")))
            assert.include(
              refused.message,
              `zapiska on ${hostname().slice(0, 40)}:${process.pid} (pid ${pid} `
            )
            assert.include(refused.message, "Stop that first")
          })
        )
      }
    }).pipe(Effect.provide(TestDatabase.layerOwner()))
  )

  it.live("replicas work together, and with nobody who works alone", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* use("together")
          yield* use("together")
          assert.lengthOf(yield* holding, 2)
        })
      )
      yield* use("alone")
      const refused = yield* Effect.flip(Effect.scoped(use("together")))
      assert.include(refused.message, "no replica of a cluster")
    }).pipe(Effect.provide(TestDatabase.layerOwner()))
  )

  it.live("a start waits for one that is just ending", () =>
    Effect.gen(function* () {
      const taken = yield* Deferred.make<void>()
      const before = yield* Effect.forkChild(
        Effect.scoped(
          use("alone").pipe(
            Effect.andThen(Deferred.succeed(taken, undefined)),
            Effect.andThen(Effect.sleep("1 second"))
          )
        )
      )
      yield* Deferred.await(taken)
      yield* use("alone")
      yield* Fiber.join(before)
    }).pipe(Effect.provide(TestDatabase.layerOwner()))
  )

  it.live("a lost connection is renewed with its lock", () =>
    Effect.gen(function* () {
      yield* use("alone")
      const [before] = yield* holding
      yield* terminate
      yield* eventually(
        "it is held anew",
        Effect.map(holding, (now) => now.length === 1 && now[0] !== before)
      )
    }).pipe(Effect.provide(TestDatabase.layerOwner()))
  )

  it.live("who finds the database taken when the connection is back is told to stop", () =>
    Effect.gen(function* () {
      const { lost } = yield* use("alone")
      const taken = yield* rival
      yield* terminate
      yield* Fiber.join(taken)
      const told = yield* Effect.flip(lost)
      assert.include(told.message, "in use by a rival")
    }).pipe(Effect.provide(TestDatabase.layerOwner()))
  )

  it.live(
    "a second process on the database of DATABASE_URL refuses to start; the first ends when it loses it",
    () =>
      Effect.gen(function* () {
        const { owner } = yield* TestDatabase
        const env = { DATABASE_URL: urlOf(owner), SECRETS_KEY: secretsKey }
        const first = yield* launch({ dataDir: yield* temporaryDirectory, env })
        yield* ready(first)
        const second = yield* launch({ dataDir: yield* temporaryDirectory, env })
        assert.strictEqual((yield* second.ended).code, 1)
        assert.include(second.output(), `zapiska on ${hostname().slice(0, 40)}:${first.pid}`)
        assert.isTrue((yield* Effect.promise(() => fetch(`${first.url}/health/ready`))).ok)

        const taken = yield* rival
        yield* terminate
        yield* Fiber.join(taken)
        assert.strictEqual((yield* first.ended).code, 1)
        assert.include(first.output(), "is in use by a rival")
      }).pipe(Effect.provide(TestDatabase.layerOwner())),
    120_000
  )
})
