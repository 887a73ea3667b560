/**
 * People's own accounts: how soon one has a client, what many of them cost a process, and how long one that lost its
 * lease still writes. Telegram is the loopback one, in a process of its own; PostgreSQL and Redis are real.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, Queue } from "effect"
import { DatabaseOwner } from "../src/store/DatabaseOwner.ts"
import { environmentFor } from "../test/session/mtproto/ofEnvironment.ts"
import type { Arrivals, World } from "../test/support/mtproto/loopbackProcess.ts"
import { TestRedis } from "../test/support/redis.ts"
import { idleCpu, residentMemory } from "./Process.ts"

export interface SessionFigures {
  /** Milliseconds each: on a live session; not connected, with locks of the process itself; with the lease in Redis. */
  readonly warm: ReadonlyArray<number>
  readonly cold: ReadonlyArray<number>
  readonly coldLeased: ReadonlyArray<number>
  readonly sessions: number
  /** Bytes that one session adds. */
  readonly memory: number
  /** Shares of a core. */
  readonly idleBefore: number
  readonly idleAfter: number
  /** Seconds until the last was live, all begun at once. */
  readonly live: number
  /** Milliseconds from sending the last renewal that was acknowledged to the last byte Telegram got, of each lease lost. */
  readonly lastBytes: ReadonlyArray<number>
}

interface Latencies {
  readonly cold: ReadonlyArray<number>
  readonly warm: ReadonlyArray<number>
}
interface Lost {
  readonly losses: ReadonlyArray<{ readonly account: number; readonly renewed: number }>
}

const ended = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

/** A process that is talked to. It ends with the scope and gives back its leases if it can. */
const forked = Effect.fnUntraced(function* (
  script: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(new URL(script, import.meta.url)), args, { env })),
    (running) =>
      Effect.andThen(
        Effect.sync(() => void running.kill("SIGTERM")),
        Effect.timeoutOption(ended(running), "10 seconds")
      )
  )
  const heard = yield* Queue.unbounded<unknown>()
  child.on("message", (message) => void Queue.offerUnsafe(heard, message))
  // The two sides of it are written by us, in one place each.
  const next = <A>(): Effect.Effect<A> =>
    Effect.raceFirst(
      Effect.map(Queue.take(heard), (message) => message as A),
      Effect.andThen(
        Effect.andThen(ended(child), Effect.sleep("1 second")),
        Effect.die(new Error(`${script} ended`))
      )
    )
  const tell = (message: object | string) => Effect.sync(() => void child.send(message))
  return { pid: child.pid!, next, tell }
})

export const sessions = Effect.fn("bench.sessions")(function* (options: {
  readonly sessions: number
  readonly cold: number
  readonly warm: number
  readonly losses: number
  /** Seconds over which idle time is measured, and rest before. */
  readonly rest: number
}) {
  const { connection } = yield* DatabaseOwner
  const redis = yield* TestRedis
  const telegram = yield* forked("../test/support/mtproto/loopbackProcess.ts", [String(options.sessions)], {
    PATH: process.env.PATH
  })
  const world = yield* telegram.next<World>()
  const { cold, losses, warm } = options
  const env = {
    ...environmentFor(connection, redis.url),
    SIZES: JSON.stringify({ cold, warm, losses })
  }
  const begin = Effect.fnUntraced(function* (run: "alone" | "shared" | "hold") {
    const started = yield* forked("./sessionsProcess.ts", [run], env)
    yield* started.next()
    yield* started.tell(world)
    return started
  })
  const alone = yield* Effect.scoped(Effect.flatMap(begin("alone"), ({ next }) => next<Latencies>()))
  const shared = yield* Effect.scoped(Effect.flatMap(begin("shared"), ({ next }) => next<Latencies>()))

  const held = yield* begin("hold")
  yield* held.next()
  const measure = Effect.gen(function* () {
    yield* Effect.sleep(options.rest * 1_000)
    const idle = yield* idleCpu(held.pid, options.rest)
    return { idle, memory: yield* residentMemory(held.pid) }
  })
  const before = yield* measure
  yield* held.tell("connect")
  const { seconds } = yield* held.next<{ readonly seconds: number }>()
  const after = yield* measure
  yield* held.tell("lose")
  yield* Effect.sleep("7 seconds")
  yield* redis.kill
  const lost = yield* held.next<Lost>()
  // Whatever is still on its way.
  yield* Effect.sleep("3 seconds")
  yield* telegram.tell("arrivals")
  const arrivals = new Map((yield* telegram.next<Arrivals>()).map(({ account, at }) => [account, at]))
  return {
    warm: shared.warm,
    cold: alone.cold,
    coldLeased: shared.cold,
    sessions: options.sessions,
    memory: (after.memory - before.memory) / (options.sessions - 1),
    idleBefore: before.idle,
    idleAfter: after.idle,
    live: seconds,
    lastBytes: lost.losses.map(({ account, renewed }) => arrivals.get(account)! - renewed)
  } satisfies SessionFigures
}, Effect.scoped)
