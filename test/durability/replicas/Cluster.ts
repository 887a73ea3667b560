/** Replicas as real processes that share a PostgreSQL and a Redis, each with a way of its own to Telegram. */
import { Clock, Effect, Redacted, Scope } from "effect"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import type { Connection } from "../../../src/store/DatabaseOwner.ts"
import { type Application, launch, ready, temporaryDirectory } from "../../support/Application.ts"
import { freePort } from "../../support/freePort.ts"
import { TestDatabase } from "../../support/Postgres.ts"
import { TestRedis } from "../../support/redis.ts"
import { secretsKey, urlOf } from "../../support/TestServer.ts"
import { type Poll, watchedApi } from "../../support/watchedApi.ts"
import { environment } from "../Lives.ts"

export interface SeenPoll extends Poll {
  readonly replica: number
}

export type Way = "SIGKILL" | "SIGSTOP" | "SIGTERM"

export interface Replica {
  readonly state: () => "running" | "frozen" | "down"
  /** The processes it was so far; the last is the one that is. */
  readonly lives: ReadonlyArray<Application>
  readonly launch: Effect.Effect<void>
  readonly ready: Effect.Effect<void>
  /** Ends it, or stops it where it is. */
  readonly strike: (way: Way) => Effect.Effect<void>
  /** Whatever was done to it: from here on it runs again. */
  readonly revive: Effect.Effect<void>
}

/** What all replicas are given, and each of its own. */
export const replicaEnvironment = Effect.fnUntraced(function* (owner: Connection) {
  const redis = yield* TestRedis
  return {
    DATABASE_URL: urlOf(owner),
    REDIS_URL: Redacted.value(redis.url),
    SECRETS_KEY: secretsKey,
    CLUSTER_HOST: "127.0.0.1",
    CLUSTER_PORT: String(yield* freePort),
    // People here write more than people do.
    LIMIT_USER: "none",
    LIMIT_TENANT: "none"
  }
})

/** Restarted it keeps its directory and its address, as a machine of an operator's would. */
const makeReplica = Effect.fnUntraced(function* (nth: number, polls: Array<SeenPoll>) {
  const emulator = yield* BotApiEmulator
  const scope = yield* Scope.Scope
  const dataDir = yield* temporaryDirectory
  const apiRoot = yield* watchedApi(emulator.apiRoot, (poll) => polls.push({ ...poll, replica: nth }))
  const { owner } = yield* TestDatabase
  const env = { ...environment, ...(yield* replicaEnvironment(owner)) }
  const lives: Array<Application> = []
  let state: ReturnType<Replica["state"]> = "down"
  const current = () => lives.at(-1)!
  const begin = Effect.gen(function* () {
    lives.push(yield* launch({ dataDir, emulator: { ...emulator, apiRoot }, env }))
    state = "running"
  }).pipe(Scope.provide(scope))
  return {
    state: () => state,
    lives,
    launch: begin,
    ready: Effect.suspend(() => ready(current())),
    strike: (way) =>
      Effect.suspend(() => {
        state = way === "SIGSTOP" ? "frozen" : "down"
        if (way !== "SIGSTOP") return Effect.asVoid(current().signal(way))
        return Effect.sync(() => void process.kill(current().pid, way))
      }),
    revive: Effect.suspend(() => {
      if (state === "down") return begin
      state = "running"
      return Effect.sync(() => void process.kill(current().pid, "SIGCONT"))
    })
  } satisfies Replica
})

export const cluster = Effect.fnUntraced(function* (count: number) {
  const polls: Array<SeenPoll> = []
  const replicas = yield* Effect.forEach(Array.from({ length: count }), (_, nth) => makeReplica(nth, polls))
  // At once, on an empty database.
  yield* Effect.forEach(replicas, (one) => Effect.andThen(one.launch, one.ready), { concurrency: count })
  return { replicas, polls }
})

/** Who had a bot's lock when somebody looked. */
export interface Held {
  readonly bot: number
  readonly pid: number
  readonly at: number
}

/** Looks at the locks of the bots all the time, until the scope closes. */
export const watchLocks = Effect.fnUntraced(function* (
  bots: ReadonlyArray<{ readonly id: number; readonly lock: string }>
) {
  const redis = yield* TestRedis
  const held: Array<Held> = []
  const look = Effect.gen(function* () {
    const holders = (yield* redis.command(
      "MGET",
      ...bots.map(({ lock }) => `zapiska:{${lock}}:lock`)
    )) as ReadonlyArray<string | null>
    const at = yield* Clock.currentTimeMillis
    for (const [index, holder] of holders.entries()) {
      const pid = holder?.split("/")[0]?.split(":").at(-2)
      if (pid !== undefined) held.push({ bot: bots[index]!.id, pid: Number(pid), at })
    }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep("50 millis"))))
  return held
})
