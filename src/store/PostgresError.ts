/** The one error of running PostgreSQL ourselves: what happened, to what, what to do, and the server's words. */
import { Schema } from "effect"

export class LocalPostgresError extends Schema.TaggedError<LocalPostgresError>()("LocalPostgresError", {
  /** What could not be done. */
  problem: Schema.String,
  /** The file, directory or program it happened to. */
  place: Schema.String,
  remedy: Schema.String,
  /** The last lines of the server's log. */
  log: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    const log = this.log === undefined ? "" : `\nPostgreSQL said:\n${this.log}`
    return `${this.problem}: ${this.place}. ${this.remedy}${log}`
  }
}

export const failedToRun = (program: string, cause: unknown) =>
  new LocalPostgresError({
    problem: "A program of PostgreSQL cannot be run",
    place: program,
    remedy:
      "Install the dependencies again (npm ci), or set POSTGRES_BINARIES to the bin directory of an installed PostgreSQL",
    cause
  })
