/** Starts that cannot be, and starts after an end that was no good one. */

import { existsSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import {
  type ApplicationOptions,
  eventually,
  launch,
  ready,
  start,
  temporaryDirectory
} from "./support/Application.ts"
import { emulatorLayer } from "./support/emulator.ts"

/** Each start makes a database, and the machine may be busy with other tests. */
const patient = { timeout: 240_000 }
const together = { concurrent: true, ...patient }

/** Starts what is to fail: its exit code and everything it said. */
const refused = Effect.fnUntraced(function* (options: ApplicationOptions) {
  const application = yield* launch(options)
  const { code } = yield* application.ended.pipe(
    Effect.timeoutOrElse({
      duration: "2 minutes",
      orElse: () => Effect.die(new Error(`It did not end:\n${application.output()}`))
    })
  )
  const said = application.output()
  assert.strictEqual(code, 1, said)
  assert.notMatch(said, /\n\s+at .*:\d+/, "a stack where a sentence would do")
  return said
})

/** A server in our own process that takes a port. */
const takenPort = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => void server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("boot", () => {
  it.live(
    "everything that is wrong with the configuration is told at once, and no secret",
    () =>
      Effect.gen(function* () {
        const said = yield* refused({
          dataDir: yield* temporaryDirectory,
          env: {
            TELEGRAM_BOT_TOKEN: "not-a-token-but-secret",
            HTTP_PORT: "eighty",
            NOTE_WINDOW: "soon",
            DATABASE_URL: "mysql://root:hunter2hunter2@db/x",
            LOG_LEVEL: "loud"
          }
        })
        for (const name of ["TELEGRAM_BOT_TOKEN", "HTTP_PORT", "NOTE_WINDOW", "DATABASE_URL", "LOG_LEVEL"]) {
          assert.match(said, new RegExp(`^ {2}${name}: .*\n {4}allowed: `, "m"))
        }
        assert.match(said, /5 problems/)
        assert.notMatch(said, /not-a-token-but-secret|hunter2/)
      }),
    together
  )

  it.live(
    "a port that is taken is named, with the way out, before a database is made",
    () =>
      Effect.gen(function* () {
        const { port } = yield* takenPort
        const dataDir = yield* temporaryDirectory
        const said = yield* refused({ dataDir, env: { HTTP_PORT: String(port) } })
        assert.match(said, new RegExp(`Port ${port} is taken.*HTTP_PORT`))
        assert.isFalse(existsSync(join(dataDir, "db")))
      }),
    together
  )

  it.live(
    "a database that cannot be reached is named, without its password",
    () =>
      Effect.gen(function* () {
        const { port, close } = yield* takenPort
        close()
        const said = yield* refused({
          dataDir: yield* temporaryDirectory,
          env: { DATABASE_URL: `postgres://zapiska:hunter2hunter2@127.0.0.1:${port}/notes` }
        })
        assert.match(said, new RegExp(`127\\.0\\.0\\.1:${port}`))
        assert.match(said, /DATABASE_URL/)
        assert.notInclude(said, "hunter2")
      }),
    together
  )

  it.live(
    "a directory that cannot hold the data is named",
    () =>
      Effect.gen(function* () {
        const said = yield* refused({
          dataDir: yield* temporaryDirectory,
          env: { DATA_DIR: "/dev/null/zapiska" }
        })
        assert.match(said, /\/dev\/null\/zapiska cannot hold our data.*DATA_DIR/s)
      }),
    together
  )

  it.live(
    "a machine without git is told what is missing",
    () =>
      Effect.gen(function* () {
        const said = yield* refused({ dataDir: yield* temporaryDirectory, env: { PATH: "/nonexistent" } })
        assert.match(said, /git.*(?:install|Install)/s)
      }),
    together
  )

  it.live(
    "of two starts at the same instant on an empty directory one runs, the other names its pid",
    () =>
      Effect.gen(function* () {
        const dataDir = yield* temporaryDirectory
        const both = yield* Effect.all([launch({ dataDir }), launch({ dataDir })], { concurrency: 2 })
        const loser = yield* Effect.raceFirst(Effect.as(both[0].ended, 0), Effect.as(both[1].ended, 1))
        const [lost, won] = [both[loser]!, both[1 - loser]!]
        yield* ready(won)
        assert.strictEqual((yield* lost.ended).code, 1)
        assert.include(lost.output(), `in use by process ${won.pid}`)
        assert.notMatch(lost.output(), /\n\s+at .*:\d+/)
        assert.include(yield* refused({ dataDir }), `in use by process ${won.pid}`)
      }),
    patient
  )

  it.live(
    "a token that Telegram refuses: not ready and why, in one sentence, and nobody is sent to the bot",
    () =>
      Effect.gen(function* () {
        const { apiRoot, bot } = yield* BotApiEmulator
        const application = yield* launch({
          dataDir: yield* temporaryDirectory,
          emulator: { apiRoot, bot: { ...bot, token: `${bot.token}x` } },
          env: { TELEGRAM_ALLOWED_USERS: "" }
        })
        yield* eventually(
          "it has started",
          Effect.sync(() => application.output().includes("Your notes")),
          { detail: application.output }
        )
        // Its lease comes before its first call.
        yield* eventually(
          "it is not ready, and says why",
          Effect.promise(() =>
            fetch(`${application.url}/health/ready`).then(
              async (answer) => answer.status === 503 && /refuses the bot's token/.test(await answer.text())
            )
          ),
          { detail: application.output }
        )
        yield* eventually(
          "the log says so",
          Effect.sync(() => application.output().includes("its bot cannot work")),
          { detail: application.output }
        )
        const said = application.output()
        assert.notMatch(said, /is ready|\/start|"_tag"|\n\s+at .*:\d+/)
        assert.strictEqual(said.match(/"level":"ERROR"/g)?.length, 1)
      }).pipe(Effect.provide(emulatorLayer())),
    patient
  )

  it.live(
    "the way to claim the bot is told on the console alone, and the repository is there before a note",
    () =>
      Effect.gen(function* () {
        const emulator = yield* BotApiEmulator
        const dataDir = yield* temporaryDirectory
        const application = yield* start({ dataDir, emulator, env: { TELEGRAM_ALLOWED_USERS: "" } })
        const told = () =>
          application
            .output()
            .split("\n")
            .filter((line) => line.includes("/start"))
        yield* eventually(
          "it tells how",
          Effect.sync(() => told().length > 0)
        )
        assert.strictEqual(told().length, 1)
        assert.match(told()[0]!, /^Nobody may use the bot yet\. .* @\w+ .*: \/start \S+$/)
        // The next step is the last thing a newcomer reads; what Telegram answers the bot comes when it comes.
        const lines = application.output().trimEnd().split("\n")
        assert.strictEqual(lines.filter((line) => !line.includes('"Session default/')).at(-1), told()[0])
        const repository = join(dataDir, "kb", "default", "notes")
        yield* eventually(
          "the repository is there",
          Effect.sync(() => existsSync(join(repository, ".git")) && existsSync(join(repository, "index.md")))
        )
      }).pipe(Effect.provide(emulatorLayer())),
    patient
  )

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(
      `${signal} ends it within five seconds, with a last word and nothing left running`,
      () =>
        Effect.gen(function* () {
          const dataDir = yield* temporaryDirectory
          const begun = yield* Clock.currentTimeMillis
          const application = yield* start({ dataDir })
          const started = (yield* Clock.currentTimeMillis) - begun
          const pidFile = join(dataDir, "db", "data", "postmaster.pid")
          const postgres = Number(readFileSync(pidFile, "utf8").split("\n")[0])
          const { millis } = yield* application.signal(signal)
          // A machine on which even the start takes longer is too busy to tell.
          assert.isBelow(millis, Math.max(5_000, started))
          assert.match(application.output(), /Stopping/)
          assert.notMatch(application.output(), /"level":"(?:WARN|ERROR)|\n\s+at .*:\d+/)
          // On a machine that is busy the database may still be writing; it was told to end.
          yield* eventually(
            "its PostgreSQL has ended too",
            Effect.match(
              Effect.try(() => process.kill(postgres, 0)),
              { onFailure: () => true, onSuccess: () => false }
            )
          )
        }),
      patient
    )
  }

  it.live(
    "after kill -9 the next start just works; a database of a newer program is refused",
    () =>
      Effect.gen(function* () {
        const dataDir = yield* temporaryDirectory
        const first = yield* start({ dataDir })
        yield* first.signal("SIGKILL")
        const second = yield* start({ dataDir })
        assert.match(second.output(), /Reusing the PostgreSQL/)
        assert.notMatch(second.output(), /"level":"(?:WARN|ERROR)/)

        const [, , , port, host] = readFileSync(join(dataDir, "db", "data", "postmaster.pid"), "utf8").split(
          "\n"
        )
        yield* Effect.scoped(
          Effect.flatMap(
            PgConnection.make({
              host: host!,
              port: Number(port),
              database: "zapiska",
              username: "postgres",
              password: Redacted.make(readFileSync(join(dataDir, "db", "password"), "utf8").trim())
            }),
            (connection) =>
              connection.query(
                "INSERT INTO zapiska.schema_migrations (migration_id, name) VALUES (9999, 'later')"
              )
          )
        )
        yield* second.signal("SIGTERM")
        const said = yield* refused({ dataDir })
        assert.match(said, /newer/)
        yield* eventually(
          "its PostgreSQL has ended too",
          Effect.sync(() => {
            try {
              readFileSync(join(dataDir, "db", "data", "postmaster.pid"))
              return false
            } catch {
              return true
            }
          })
        )
      }),
    patient
  )
})
