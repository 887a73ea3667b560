/** The engine's tables, made by the engine's own migrations: by one process at a time, as they do not expect two. */
import { Effect, Layer } from "effect"
import { SqlMessageStorage, SqlRunnerStorage } from "effect/cluster"
import { SqlClient } from "effect/sql"

/** Any number that nothing else in the database uses. */
const migrationLock = 7_316_220_902

const migrations = Layer.merge(SqlMessageStorage.layerMigrations({}), SqlRunnerStorage.layerMigrations({}))

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql
      .withTransaction(
        Effect.andThen(
          sql`SELECT pg_advisory_xact_lock(${migrationLock}::bigint)`,
          Effect.scoped(Layer.build(migrations))
        )
      )
      .pipe(Effect.orDie)
  })
)
