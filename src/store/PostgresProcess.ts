/**
 * The server as a process: starting it in a session of its own, finding one that an earlier process of ours
 * left behind, asking it to stop. PostgreSQL's own `postmaster.pid` says which process serves a directory.
 */
import { type ChildProcess, spawn } from "node:child_process"
import {
  chownSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { join } from "node:path"
import { type Duration, Effect, Option, Schedule } from "effect"
import { failedToRun, LocalPostgresError } from "./PostgresError.ts"
import type { Place } from "./PostgresPlace.ts"

/** What `postmaster.pid` says of the server of a data directory. */
export interface ServerFile {
  readonly pid: number
  readonly port: number
  readonly socketDirectory: string
}

/** Lines as in PostgreSQL's miscadmin.h: pid, data directory, start time, port, socket directory, … */
export const parseServerFile = (text: string): ServerFile | undefined => {
  const [pid, , , port, socketDirectory] = text.split("\n")
  return pid && port && socketDirectory
    ? { pid: Number(pid), port: Number(port), socketDirectory: socketDirectory.trim() }
    : undefined
}

export const dataOf = (place: Place) => join(place.home, "data")
export const logOf = (place: Place) => join(place.home, "server.log")

/** For the child: no more of our environment than the programs need, so that no secret travels along. */
const environment = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }

const identity = (place: Place) => (place.user ? { uid: place.user.uid, gid: place.user.gid } : {})

export const serverFile = (place: Place): Effect.Effect<ServerFile | undefined> =>
  Effect.try(() => readFileSync(join(dataOf(place), "postmaster.pid"), "utf8")).pipe(
    Effect.map(parseServerFile),
    Effect.orElseSucceed(() => undefined)
  )

/**
 * Whether that process is a server on this directory, not one that got the number of a dead one: a server's
 * working directory is its data directory. A zombie has none.
 */
const serves = (place: Place, pid: number): Effect.Effect<boolean> =>
  process.platform === "linux"
    ? Effect.try(() => readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataOf(place))).pipe(
        Effect.orElseSucceed(() => false)
      )
    : run("ps", ["-o", "args=", "-p", String(pid)], {}).pipe(
        Effect.map(({ output }) => output.includes(dataOf(place))),
        Effect.orElseSucceed(() => false)
      )

/** Ends when the process does. */
export const gone = (place: Place, pid: number, every: Duration.Input) =>
  (process.platform === "linux" ? serves(place, pid) : exists(pid)).pipe(
    Effect.repeat({ while: (alive: boolean) => alive, schedule: Schedule.spaced(every) }),
    Effect.asVoid
  )

const exists = (pid: number) => Effect.isSuccess(Effect.try(() => process.kill(pid, 0)))

/** The running server of the directory, if there is one. */
export const running = Effect.fnUntraced(function* (place: Place) {
  const file = yield* serverFile(place)
  return file && (yield* serves(place, file.pid)) ? Option.some(file) : Option.none()
})

/** Starts the server detached: a Ctrl-C in the terminal reaches us and not it, and it outlives a kill of us. */
export const launch = (place: Place, settings: ReadonlyArray<string>) =>
  Effect.try({
    try: () => {
      const log = openLog(place)
      const child = spawn(
        join(place.binaries, "postgres"),
        ["-D", dataOf(place), ...settings.flatMap((setting) => ["-c", setting])],
        { ...identity(place), cwd: "/", env: environment, detached: true, stdio: ["ignore", log, log] }
      )
      closeSync(log)
      child.unref()
      return child
    },
    catch: (cause) => failedToRun(join(place.binaries, "postgres"), cause)
  }).pipe(Effect.flatMap(spawned))

/** `spawn` reports a missing or unsuitable program by an event. */
const spawned = (child: ChildProcess) =>
  Effect.callback<ChildProcess, LocalPostgresError>((resume) => {
    child.once("spawn", () => resume(Effect.succeed(child)))
    child.once("error", (cause) => resume(Effect.fail(failedToRun(child.spawnfile, cause))))
  })

export const hasExited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const openLog = (place: Place) => {
  const path = logOf(place)
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 4_000_000) renameSync(path, `${path}.old`)
  const file = openSync(path, "a", 0o600)
  if (place.user) chownSync(path, place.user.uid, place.user.gid)
  return file
}

/** The end of the server's log, for errors. */
export const logTail = (place: Place) =>
  Effect.try(() => readFileSync(logOf(place), "utf8").trimEnd().split("\n").slice(-12).join("\n")).pipe(
    Effect.orElseSucceed(() => "(it left no log)")
  )

/** Runs one of PostgreSQL's programs to its end. */
export const runProgram = (place: Place, program: string, args: ReadonlyArray<string>) =>
  run(join(place.binaries, program), args, identity(place))

const run = (program: string, args: ReadonlyArray<string>, as: { uid?: number; gid?: number }) =>
  Effect.callback<{ readonly code: number | null; readonly output: string }, LocalPostgresError>((resume) => {
    const child = spawn(program, [...args], {
      ...as,
      cwd: "/",
      env: environment,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (output += chunk))
    child.once("error", (cause) => resume(Effect.fail(failedToRun(program, cause))))
    child.once("close", (code) => resume(Effect.succeed({ code, output })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/**
 * Fast shutdown (transactions are rolled back, a checkpoint is written). One that takes too long becomes an
 * immediate one, which costs nothing but a recovery at the next start.
 */
export const stop = Effect.fn("PostgresProcess.stop")(function* (place: Place) {
  const server = yield* running(place)
  if (Option.isNone(server)) return
  const { pid } = server.value
  const ended = gone(place, pid, "10 millis")
  yield* signal(pid, "SIGINT")
  yield* ended.pipe(
    Effect.timeoutOrElse({
      duration: "3 seconds",
      orElse: () =>
        Effect.logWarning("PostgreSQL takes long to stop; it will recover at the next start").pipe(
          Effect.andThen(signal(pid, "SIGQUIT")),
          Effect.andThen(ended),
          Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => signal(pid, "SIGKILL") })
        )
    })
  )
})

/** A process that is gone already needs no signal. */
const signal = (pid: number, name: NodeJS.Signals) =>
  Effect.try(() => process.kill(pid, name)).pipe(
    Effect.catch((cause) => Effect.logDebug("PostgreSQL was gone before it was told to stop", cause))
  )

/**
 * Makes way for a new server after one that was killed: its orphaned workers end by themselves (or are ended),
 * and its files go, for PostgreSQL would take a zombie or another process with its number for a server. Call it
 * only when no server runs.
 */
export const clearRemains = Effect.fn("PostgresProcess.clearRemains")(function* (
  place: Place,
  socketDirectory: string
) {
  const ended = orphans(place).pipe(
    Effect.repeat({
      while: (pids: ReadonlyArray<number>) => pids.length > 0,
      schedule: Schedule.spaced("20 millis")
    }),
    Effect.asVoid
  )
  yield* ended.pipe(
    Effect.timeoutOrElse({
      duration: "3 seconds",
      orElse: () =>
        orphans(place).pipe(
          Effect.flatMap((pids) => Effect.forEach(pids, (pid) => signal(pid, "SIGKILL"), { discard: true })),
          Effect.andThen(ended)
        )
    })
  )
  yield* remove(join(socketDirectory, ".s.PGSQL.5432.lock"))
  const file = yield* serverFile(place)
  // The number of a process that is gone for good stays: PostgreSQL then checks its shared memory, too.
  if (file && (yield* exists(file.pid))) yield* remove(join(dataOf(place), "postmaster.pid"))
})

const remove = (path: string) =>
  Effect.try({
    try: () => rmSync(path, { force: true }),
    catch: (cause) =>
      new LocalPostgresError({
        problem: "A file of a server that is gone cannot be removed",
        place: path,
        remedy: "Remove it by hand after making sure that no process named postgres runs",
        cause
      })
  })

/** Every process of a server works in its data directory. Elsewhere than on Linux PostgreSQL's own check must do. */
const orphans = (place: Place): Effect.Effect<ReadonlyArray<number>> =>
  process.platform === "linux"
    ? Effect.filter(
        readdirSync("/proc")
          .filter((name) => /^\d+$/.test(name))
          .map(Number),
        (pid) => serves(place, pid)
      )
    : Effect.succeed([])
