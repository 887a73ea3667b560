/** What a failure of the database is to who asked over HTTP: for `Effect.catchTag("SqlError", databaseAway)`. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { isTransient } from "../../store/SqlFailure.ts"
import { Unavailable } from "./Refusals.ts"

/** A server that is away or busy is told as such; a statement that is wrong is a defect of ours. */
export const databaseAway = (error: SqlError.SqlError): Effect.Effect<never, Unavailable> =>
  isTransient(error)
    ? Effect.andThen(
        Effect.logWarning("The database did not answer the admin API", error),
        new Unavailable({
          message: "The database does not answer; nothing was changed. Try again in a moment"
        })
      )
    : Effect.die(error)
