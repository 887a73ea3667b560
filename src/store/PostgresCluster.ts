/**
 * The directory PostgreSQL keeps its databases in: made once by `initdb`, beside the password that opens it and
 * the directory of its socket.
 */
import { createHash, randomBytes } from "node:crypto"
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { LocalPostgresError } from "./PostgresError.ts"
import type { Place } from "./PostgresPlace.ts"
import { dataOf, runProgram } from "./PostgresProcess.ts"

export interface Cluster {
  readonly superuser: string
  readonly password: Redacted.Redacted
  readonly passwordFile: string
  readonly socketDirectory: string
}

/** `sun_path` holds 104 bytes on macOS and 108 on Linux, with the file name and a closing zero. */
export const fitsSocket = (directory: string) => Buffer.byteLength(join(directory, ".s.PGSQL.5432")) <= 100

/** The directory, its password and its socket's directory; `initdb` when it is the first time. */
export const initialize = Effect.fn("PostgresCluster.initialize")(function* (place: Place) {
  const passwordFile = join(place.home, "password")
  const exists = existsSync(join(dataOf(place), "PG_VERSION"))
  const password = yield* files(passwordFile, () => {
    if (!exists && !existsSync(passwordFile)) writePassword(passwordFile, place)
    return Redacted.make(readFileSync(passwordFile, "utf8").trim())
  })
  if (!exists) yield* create(place, passwordFile)
  const socketDirectory = yield* files(place.home, () => makeSocketDirectory(place))
  return { superuser: "postgres", password, passwordFile, socketDirectory } satisfies Cluster
})

const writePassword = (file: string, place: Place) => {
  const half = `${file}.new`
  rmSync(half, { force: true })
  writeFileSync(half, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flush: true })
  give(half, place)
  renameSync(half, file)
}

const give = (path: string, place: Place) => {
  if (place.user) chownSync(path, place.user.uid, place.user.gid)
}

/** Into a sibling that gets its name when it is whole: a start that was cut short leaves nothing to trip over. */
const create = Effect.fnUntraced(function* (place: Place, passwordFile: string) {
  const half = join(place.home, "data.new")
  yield* files(half, () => {
    rmSync(half, { recursive: true, force: true })
    mkdirSync(half, { mode: 0o700 })
    give(half, place)
  })
  const version = yield* runProgram(place, "postgres", ["--version"])
  const major = Number(/ (\d+)/.exec(version.output)?.[1] ?? 0)
  // The built-in provider sorts and folds the same everywhere, whatever the system's libraries do.
  const locale =
    major >= 17
      ? ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
      : ["--locale=C.UTF-8"]
  const initdb = yield* runProgram(place, "initdb", [
    `--pgdata=${half}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--data-checksums",
    ...locale
  ])
  if (initdb.code !== 0) {
    return yield* new LocalPostgresError({
      problem: "The database directory cannot be made (initdb)",
      place: dataOf(place),
      remedy: "See what it says below; a full disk or a missing system library are the usual causes",
      log: initdb.output.trimEnd().split("\n").slice(-12).join("\n")
    })
  }
  yield* files(place.home, () => {
    renameSync(half, dataOf(place))
    const directory = openSync(place.home, "r")
    fsyncSync(directory)
    closeSync(directory)
  })
})

/**
 * Beside the data where the path is short enough for a socket, else in the system's directory for such things,
 * where somebody else may have taken the name: then we refuse rather than talk to a stranger.
 */
const makeSocketDirectory = (place: Place) => {
  const beside = join(place.home, "socket")
  const digest = createHash("sha256").update(place.home).digest("hex").slice(0, 16)
  const directory = fitsSocket(beside) ? beside : join(place.user ? "/tmp" : tmpdir(), `zapiska-${digest}`)
  if (!existsSync(directory)) {
    mkdirSync(directory, { mode: 0o700 })
    give(directory, place)
  }
  const stat = lstatSync(directory)
  const owner = place.user?.uid ?? process.getuid?.() ?? stat.uid
  if (!stat.isDirectory() || stat.uid !== owner) throw new Error(`${directory} belongs to somebody else`)
  chmodSync(directory, 0o700)
  return directory
}

const files = <A>(path: string, act: () => A) =>
  Effect.try({
    try: act,
    catch: (cause) =>
      new LocalPostgresError({
        problem: `The embedded PostgreSQL's files cannot be used (${cause instanceof Error ? cause.message : cause})`,
        place: path,
        remedy: "Check that it is there, that it belongs to this user and that the disk has room",
        cause
      })
  })
