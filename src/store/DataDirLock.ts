/**
 * One process per DATA_DIR. An exclusive SQLite transaction on a lock file is an operating-system lock: it is
 * gone with the process that held it, however that ended, so there is nothing stale to clean up. (POSIX drops
 * such a lock when its process closes any descriptor of the file: nothing else here may open it.)
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Context, Effect, Layer, Option, Schedule, Schema } from "effect"

export class DataDirHeld extends Schema.TaggedError<DataDirHeld>()("DataDirHeld", {
  dataDir: Schema.String,
  pid: Schema.optionalKey(Schema.Int)
}) {
  override get message() {
    const holder = this.pid === undefined ? "another process" : `process ${this.pid}`
    return `${this.dataDir} is in use by ${holder}. Stop it first, or give this one another DATA_DIR.`
  }
}

export class DataDirUnusable extends Schema.TaggedError<DataDirUnusable>()("DataDirUnusable", {
  dataDir: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.dataDir} cannot hold our data: ${why}. Make it writable for this user, or set another DATA_DIR.`
  }
}

export class DataDirLock extends Context.Service<
  DataDirLock,
  {
    /** The locked directory, absolute. */
    readonly dataDir: string
  }
>()("zapiska/store/DataDirLock") {
  /** Creates the directory (0700) when it is missing and holds its lock until the scope closes. */
  static readonly layer = (options: { readonly dataDir: string }) => Layer.effect(DataDirLock, hold(options))
}

/** `SQLITE_BUSY`: somebody else has the lock. */
const isBusy = (cause: unknown) =>
  cause instanceof Error &&
  "errcode" in cause &&
  typeof cause.errcode === "number" &&
  (cause.errcode & 255) === 5

const hold = Effect.fn("DataDirLock.hold")(function* (options: { readonly dataDir: string }) {
  const dataDir = resolve(options.dataDir)
  const lockFile = join(dataDir, "lock")
  const pidFile = join(dataDir, "lock.pid")
  const unusable = (cause: unknown) => new DataDirUnusable({ dataDir, cause })

  yield* Effect.try({ try: () => mkdirSync(dataDir, { recursive: true, mode: 0o700 }), catch: unusable })
  const database = yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        // Made before SQLite does, whose files are readable by everybody.
        if (!existsSync(lockFile)) closeSync(openSync(lockFile, "a", 0o600))
        // Two that start at once can block each other for a moment; then one gets it.
        return new DatabaseSync(lockFile, { timeout: 300 })
      },
      catch: unusable
    }),
    (opened) => Effect.sync(() => opened.close())
  )
  // The transaction never writes; its journal file would only puzzle people.
  yield* Effect.try({
    try: () => database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE"),
    catch: (cause) => (isBusy(cause) ? new DataDirHeld({ dataDir }) : unusable(cause))
  }).pipe(
    Effect.catchTag("DataDirHeld", () =>
      Effect.flatMap(holderOf(pidFile), (pid) => Effect.fail(new DataDirHeld({ dataDir, ...pid })))
    )
  )
  yield* Effect.try({
    try: () => writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 }),
    catch: unusable
  })
  return DataDirLock.of({ dataDir })
})

/** The winner of a simultaneous start writes its pid a moment after it has the lock. */
const holderOf = (pidFile: string) =>
  Effect.try(() => Number.parseInt(readFileSync(pidFile, "utf8"), 10)).pipe(
    Effect.tap((pid) => Effect.try(() => process.kill(pid, 0))),
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "2 seconds" }))),
    Effect.option,
    Effect.map(Option.match({ onNone: () => ({}), onSome: (pid) => ({ pid }) }))
  )
