/**
 * One real PostgreSQL for the whole test run, in a directory that is removed afterwards, with a migrated
 * template from which each test file gets a database of its own (see Postgres.ts).
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { TestProject } from "vitest/node"
import * as Database from "../../src/store/Database.ts"
import { DatabaseOwner } from "../../src/store/DatabaseOwner.ts"
import { DataDirLock } from "../../src/store/DataDirLock.ts"
import { LocalPostgres } from "../../src/store/LocalPostgres.ts"
import { plain, secretsKey, type TestServer, templateDatabase } from "./TestServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    postgres: TestServer
  }
}

export default async function setup(project: TestProject) {
  const scope = Effect.runSync(Scope.make())
  const dataDir = mkdtempSync(join(tmpdir(), "zapiska-test-"))
  const close = async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(dataDir, { recursive: true, force: true })
  }
  const started = await Effect.runPromiseExit(start(dataDir, scope))
  if (Exit.isFailure(started)) {
    await close()
    throw new Error(`the PostgreSQL of the tests did not start\n${started.cause}`)
  }
  watch(dataDir)
  project.provide("postgres", started.value)
  return close
}

/** A test run that is killed cannot clean up: this waits for its end and does. */
const watch = (dataDir: string) =>
  spawn(
    "sh",
    [
      "-c",
      `while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 2; done
       [ -d "$2" ] && kill -QUIT "$(head -n 1 "$2/db/data/postmaster.pid")" && sleep 2; rm -rf "$2"`,
      "watch",
      String(process.pid),
      dataDir
    ],
    { detached: true, stdio: "ignore" }
  ).unref()

const start = Effect.fnUntraced(function* (dataDir: string, scope: Scope.Scope) {
  // Some tests bring several whole assistants, each with connections of its own.
  const services = yield* LocalPostgres.layer({ connections: 200 }).pipe(
    Layer.provide(DataDirLock.layer({ dataDir })),
    Layer.buildWithScope(scope)
  )
  const superuser = Context.get(services, LocalPostgres).superuser
  const owner = Context.get(services, DatabaseOwner).connection
  yield* Effect.scoped(
    Effect.flatMap(PgConnection.make(superuser), (connection) =>
      connection.query(`CREATE DATABASE ${templateDatabase} OWNER ${owner.username}`)
    )
  )
  const template = Layer.succeed(DatabaseOwner, { connection: { ...owner, database: templateDatabase } })
  yield* Effect.scoped(
    Layer.build(Database.layer({ secretsKey: Redacted.make(secretsKey) }).pipe(Layer.provide(template)))
  )
  return { superuser: plain(superuser), owner: plain(owner) }
})
