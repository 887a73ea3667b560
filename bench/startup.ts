/** From `npm start` to ready in the sandbox, on an empty directory and again, and what the idle program weighs. */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Clock, Effect, Schedule } from "effect"
import { temporaryDirectory } from "../test/support/Application.ts"
import { freePort } from "../test/support/freePort.ts"
import { familyMemory, idleCpu, residentMemory } from "./Process.ts"
import { postgresPid } from "./Product.ts"

export interface StartFigures {
  /** Seconds. */
  readonly first: ReadonlyArray<number>
  readonly later: ReadonlyArray<number>
  /** Bytes. */
  readonly memory: ReadonlyArray<number>
  readonly postgres: number | undefined
  readonly cpu: number
}

const repository = fileURLToPath(new URL("..", import.meta.url))

const isReady = (url: string) =>
  Effect.promise((signal) =>
    fetch(`${url}/health/ready`, { signal }).then(
      (answer) => answer.ok,
      () => false
    )
  )

const isGone = (pid: number) =>
  Effect.sync(() => {
    try {
      process.kill(pid, 0)
      return false
    } catch {
      return true
    }
  })

const soon = { until: (done: boolean) => done, schedule: Schedule.spaced("10 millis") }

/** Starts, measures, stops. */
const session = Effect.fnUntraced(function* <A>(
  dataDir: string,
  whileRunning: (pid: number) => Effect.Effect<A>
) {
  const port = yield* freePort
  const begin = yield* Clock.monotonicTimeNanos
  yield* Effect.sync(() =>
    spawn("npm", ["start"], {
      cwd: repository,
      stdio: "ignore",
      env: { PATH: process.env.PATH, HOME: process.env.HOME, DATA_DIR: dataDir, HTTP_PORT: String(port) }
    })
  )
  yield* Effect.repeat(isReady(`http://127.0.0.1:${port}`), soon).pipe(Effect.timeout("1 minute"))
  const seconds = Number((yield* Clock.monotonicTimeNanos) - begin) / 1e9
  const pid = Number(readFileSync(join(dataDir, "lock.pid"), "utf8"))
  const result = yield* whileRunning(pid)
  yield* Effect.sync(() => process.kill(pid, "SIGTERM"))
  yield* Effect.repeat(isGone(pid), soon).pipe(Effect.timeout("1 minute"))
  return { seconds, result }
})

export const startup = Effect.fn("bench.startup")(function* (options: {
  readonly rounds: number
  /** Seconds to rest before the memory is looked at. */
  readonly rest: number
}) {
  const first: Array<number> = []
  const later: Array<number> = []
  const memory: Array<number> = []
  let postgres: number | undefined
  let cpu = 0
  for (let round = 0; round < options.rounds; round++) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const dataDir = yield* temporaryDirectory
        first.push((yield* session(dataDir, () => Effect.void)).seconds)
        const again = yield* session(dataDir, (pid) =>
          Effect.gen(function* () {
            yield* Effect.sleep(options.rest * 1000)
            cpu = yield* idleCpu(pid, 10)
            memory.push(yield* residentMemory(pid))
            postgres = yield* familyMemory(postgresPid(dataDir))
          })
        )
        later.push(again.seconds)
      })
    )
  }
  return { first, later, memory, postgres, cpu } satisfies StartFigures
})
