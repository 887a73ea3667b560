/**
 * The emulator's file: one SQLite database, and group commit. Operations are synchronous and see each other's
 * writes; what runs in one turn of the event loop is made durable by one commit, and nobody is answered before it.
 */
import { closeSync, openSync } from "node:fs"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { Deferred, Effect, type Exit, Result, type Scope } from "effect"

const schema = `
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bots (
  id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, username TEXT NOT NULL, name TEXT NOT NULL,
  allowed TEXT, webhook TEXT);
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chats (
  bot INTEGER, id INTEGER, json TEXT NOT NULL, activity INTEGER NOT NULL, last INTEGER,
  PRIMARY KEY (bot, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  bot INTEGER, chat INTEGER, id INTEGER, thread INTEGER NOT NULL, json TEXT NOT NULL, reactions TEXT NOT NULL,
  PRIMARY KEY (bot, chat, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS updates (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, bot INTEGER NOT NULL, id INTEGER NOT NULL, lane TEXT NOT NULL,
  json TEXT NOT NULL, expires INTEGER NOT NULL, forced INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS updates_bot ON updates (bot, id);
CREATE TABLE IF NOT EXISTS callbacks (
  id TEXT PRIMARY KEY, bot INTEGER NOT NULL, chat INTEGER NOT NULL, message INTEGER NOT NULL,
  user INTEGER NOT NULL, at INTEGER NOT NULL, answer TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
  id TEXT PRIMARY KEY, bot INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, media TEXT NOT NULL,
  bytes BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS files_path ON files (bot, path);
CREATE TABLE IF NOT EXISTS commands (
  bot INTEGER, scope TEXT, language TEXT, json TEXT NOT NULL, PRIMARY KEY (bot, scope, language)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, bot INTEGER NOT NULL, method TEXT NOT NULL, chat INTEGER, json TEXT NOT NULL);
`

/** "full": an answered operation survives a power cut. "relaxed": only the process being killed; for benchmarks. */
export type Durability = "full" | "relaxed"

export interface Storage {
  readonly all: <Row>(sql: string, ...values: ReadonlyArray<SQLInputValue>) => Array<Row>
  readonly get: <Row>(sql: string, ...values: ReadonlyArray<SQLInputValue>) => Row | undefined
  readonly run: (sql: string, ...values: ReadonlyArray<SQLInputValue>) => void
  /** Runs `operation`; a failure or an exception takes back what it wrote. Only inside `commit`. */
  readonly attempt: <A, E>(operation: () => Result.Result<A, E>) => Result.Result<A, E>
  /** Runs `operation` at once and answers when what it wrote is durable. */
  readonly commit: <A, E>(operation: () => Result.Result<A, E>) => Effect.Effect<A, E>
  /** Runs `operation` at once without waiting: for what nobody is told about. */
  readonly write: (operation: () => void) => void
  /** Called once what was written so far is durable; forgotten when it is taken back. */
  readonly afterCommit: (act: () => void) => void
}

interface Batch {
  readonly done: Deferred.Deferred<void>
  readonly acts: Array<() => void>
}

const open = (file: string, durability: Durability) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Made before SQLite does, whose files are readable by everybody; those beside it get the same mode.
      if (file !== ":memory:") closeSync(openSync(file, "a", 0o600))
      const database = new DatabaseSync(file)
      database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000")
      database.exec(`PRAGMA synchronous = ${durability === "full" ? "FULL" : "OFF"}`)
      database.exec(schema)
      return database
    }),
    (database) => Effect.sync(() => database.close())
  )

/** Opens or creates `file` (`:memory:` for nothing durable). Committed and closed with the scope. */
export const make = Effect.fnUntraced(function* (
  file: string,
  durability: Durability
): Effect.fn.Return<Storage, never, Scope.Scope> {
  const database = yield* open(file, durability)
  const context = yield* Effect.context<never>()
  const statements = new Map<string, StatementSync>()
  const prepared = (sql: string) => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const statement = database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  const run = (sql: string, ...values: ReadonlyArray<SQLInputValue>) => void prepared(sql).run(...values)

  let batch: Batch | undefined

  const finish = Effect.suspend(() => {
    const ending = batch
    if (ending === undefined) return Effect.void
    batch = undefined
    const committing = Effect.sync(() => {
      run("COMMIT")
      for (const act of ending.acts) act()
    })
    const takeBack = (exit: Exit.Exit<void>) =>
      Effect.andThen(
        exit._tag === "Failure" && database.isTransaction ? Effect.sync(() => run("ROLLBACK")) : Effect.void,
        Deferred.done(ending.done, exit)
      )
    return Effect.uninterruptible(Effect.flatMap(Effect.exit(committing), takeBack))
  })
  yield* Effect.addFinalizer(() => finish)

  const begin = (): Batch => {
    if (batch !== undefined) return batch
    run("BEGIN IMMEDIATE")
    const begun = { done: Deferred.makeUnsafe<void>(), acts: [] }
    batch = begun
    // After the input that has already arrived, which thereby shares this commit.
    Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, finish))
    return begun
  }

  const attempt: Storage["attempt"] = (operation) => {
    const acts = batch?.acts ?? []
    const before = acts.length
    run("SAVEPOINT operation")
    const tried = Result.try({ try: operation, catch: (defect) => defect })
    const failed = Result.isFailure(tried) || Result.isFailure(tried.success)
    if (failed) {
      run("ROLLBACK TO operation")
      acts.length = before
    }
    run("RELEASE operation")
    if (Result.isFailure(tried)) throw tried.failure
    return tried.success
  }

  return {
    all: <Row>(sql: string, ...values: ReadonlyArray<SQLInputValue>) =>
      prepared(sql).all(...values) as Array<Row>,
    get: <Row>(sql: string, ...values: ReadonlyArray<SQLInputValue>) =>
      prepared(sql).get(...values) as Row | undefined,
    run,
    attempt,
    commit: (operation) =>
      Effect.suspend(() => {
        const current = begin()
        const result = attempt(operation)
        return Effect.flatMap(Deferred.await(current.done), () => Effect.fromResult(result))
      }),
    write: (operation) => {
      begin()
      operation()
    },
    afterCommit: (act) => void batch?.acts.push(act)
  }
})
