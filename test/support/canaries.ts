/** Where secrets may turn up that would be known again. */
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { PgConnection } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "./Application.ts"
import { connectionOf } from "./Assistant.ts"

/** Made as people make one, open to all: what the program puts into it must not be. */
export const emptyDataDir = Effect.map(temporaryDirectory, (parent) => {
  const dataDir = join(parent, "data")
  mkdirSync(dataDir)
  return dataDir
})

/** Every file below a directory. */
const filesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** What others on the machine can read or list. Behind a closed directory nothing is. */
export const reachable = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const name = join(directory, entry.name)
    const found = statSync(name, { throwIfNoEntry: false })
    if (found === undefined || (found.mode & 0o077) === 0 || !(found.isFile() || found.isDirectory()))
      return []
    return [name, ...(found.isDirectory() ? reachable(name) : [])]
  })

/** The whole database as text, the tables of the engine included. */
export const dump = Effect.fnUntraced(function* (dataDir: string) {
  const connection = yield* PgConnection.make(connectionOf(dataDir))
  const tables = yield* connection.queryValues(
    `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema IN ('zapiska', 'zapiska_engine')`
  )
  assert.isAbove(tables.length, 20)
  const rows = yield* Effect.forEach(tables, ([table]) =>
    connection.queryValues(`SELECT t::text FROM ${table} AS t`)
  )
  return rows.flat(2).join("\n")
}, Effect.scoped)

/** The files of an installation but those that are for one secret each; those of its tables are looked at as rows. */
export const placesIn = (dataDir: string): Readonly<Record<string, string>> => {
  const own = ["db/password", "secrets.key", "admin.token"].map((name) => join(dataDir, name))
  const files = filesIn(dataDir).filter(
    (file) => !own.includes(file) && !file.startsWith(join(dataDir, "db/data/base"))
  )
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, "latin1")]))
}

/** Which secret is in which place. */
export const found = (
  places: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>
): ReadonlyArray<string> =>
  Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([what, secret]) =>
      text.includes(secret) ? [`${what} in ${place}`] : []
    )
  )

/** A key of Telegram's as it may be written down: as it is (in files read as Latin 1), and the ways programs show bytes. */
export const keyCanaries = (what: string, key: Buffer): Readonly<Record<string, string>> => {
  // A part of it would be bad enough, and base 64 of whole groups of three bytes is the same in whatever it is part of.
  const part = key.subarray(0, 30)
  return {
    [what]: part.toString("latin1"),
    [`${what} in hexadecimal`]: part.toString("hex"),
    [`${what} in base 64`]: part.toString("base64"),
    [`${what} in base 64 of URLs`]: part.toString("base64url"),
    [`${what} as JSON`]: part.join(","),
    [`${what} as it is printed`]: part.join(", ")
  }
}
