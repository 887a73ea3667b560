/** The whole assistant as a process of its own, the emulator as another, and a look behind both. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlClient } from "effect/sql"
import { BotApiEmulator, type SendText } from "../src/sandbox/Control.ts"
import { type Application, start, temporaryDirectory } from "../test/support/Application.ts"
import { emulatorProcessLayer } from "../test/support/emulator.ts"

export interface Login {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

/** The superuser of the embedded PostgreSQL of a data directory that is in use. */
export const loginOf = (dataDir: string): Login => {
  const [, , , port, socket] = readFileSync(join(dataDir, "db/data/postmaster.pid"), "utf8").split("\n")
  return {
    host: socket!,
    port: Number(port),
    user: "postgres",
    password: readFileSync(join(dataDir, "db/password"), "utf8").trim()
  }
}

/** The process id of the server of a data directory. */
export const postgresPid = (dataDir: string): number =>
  Number(readFileSync(join(dataDir, "db/data/postmaster.pid"), "utf8").split("\n")[0])

export const connect = (login: Login, database: string) =>
  PgClient.make({
    host: login.host,
    port: login.port,
    database,
    username: login.user,
    password: Redacted.make(login.password),
    maxConnections: 2
  }).pipe(Effect.provide(Reactivity.layer))

export class Product extends Context.Service<
  Product,
  {
    readonly application: Application
    readonly dataDir: string
    readonly login: Login
    /** The product's database, seen by its superuser: row-level security hides nothing. */
    readonly sql: SqlClient.SqlClient
  }
>()("bench/Product") {
  /**
   * Started on an empty directory, against an emulator without pace limits whose own file is not synced to the
   * disk: Telegram's durability is not ours to measure.
   */
  static readonly layer = (env: Readonly<Record<string, string>>) =>
    Layer.effectContext(
      Effect.gen(function* () {
        const emulator = yield* BotApiEmulator
        const dataDir = yield* temporaryDirectory
        const application = yield* start({ dataDir, emulator, env: { LOG_LEVEL: "warn", ...env } })
        const login = loginOf(dataDir)
        const sql = yield* connect(login, "zapiska")
        yield* Effect.addFinalizer(() => application.signal("SIGTERM"))
        return Context.make(Product, { application, dataDir, login, sql })
      })
    ).pipe(Layer.provideMerge(emulator))
}

const emulator = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    emulatorProcessLayer({ file: join(directory, "emulator.sqlite"), durability: "relaxed" })
  )
)

/** People by id, all of whom have the bot in their list. */
export const people = Effect.fnUntraced(function* (from: number, count: number) {
  const { createUser } = yield* BotApiEmulator
  yield* Effect.forEach(
    Array.from({ length: count }, (_, index) => from + index),
    (id) => createUser({ id, firstName: `Person ${id}`, language: "en" }),
    { concurrency: 64, discard: true }
  )
})

/** About 150 characters with a hashtag, as people write. */
export const sentence = (chat: number, nth: number): SendText => ({
  chat,
  text: `Thought ${nth} of ${chat}: remember to compare the quotes for the kitchen before Friday, ask Anna about the colour, and book the train for the week after. #home`
})

/** The signals of the product's database. */
export const listener = (channel: string) =>
  Effect.gen(function* () {
    const { login } = yield* Product
    const connection = yield* PgConnection.make({
      host: login.host,
      port: login.port,
      database: "zapiska",
      username: login.user,
      password: Redacted.make(login.password)
    })
    const pinned = yield* connection.pin
    return yield* pinned.listen(channel)
  })

/** Unconfirmed updates: none left means that all of them are stored. */
export const pending = Effect.flatMap(BotApiEmulator, ({ pending }) =>
  Effect.map(pending({}), ({ count }) => count)
)
