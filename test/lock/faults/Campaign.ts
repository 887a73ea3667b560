/**
 * Processes that want the same locks while everything under them fails, and what is left of it: the history of the
 * writes that were accepted, beside the counters they were to count.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { PgConnection } from "@effect/sql-pg"
import { Clock, Effect, Random } from "effect"
import { TestDatabase } from "../../support/Postgres.ts"
import { TestRedis } from "../../support/redis.ts"
import { plain } from "../../support/TestServer.ts"
import { proxy, type Wire } from "./Proxy.ts"

export const faults = [
  "kill",
  "stop",
  "block",
  "redis killed",
  "redis flushed",
  "redis restarted",
  "deaf",
  "cut"
] as const
export type Fault = (typeof faults)[number]

export interface Plan {
  readonly faults: ReadonlyArray<Fault>
  readonly processes: number
  readonly keys: number
  /** Milliseconds. */
  readonly ttl: number
  /** `false` only to see that the history would tell. */
  readonly fenced: boolean
  /** How often a holder lets go after a write, 0 to 1; 0.2. */
  readonly ends?: number
  /** Milliseconds before each fault; up to a `ttl`. */
  readonly pause?: number
}

/** What a holder said. `at`: Unix milliseconds, of the same machine. */
interface Said {
  readonly event: string
  readonly key: string
  readonly at: number
  readonly by: ChildProcess
}

interface Holder {
  child: ChildProcess
  ready: boolean
  readonly port: number
  readonly set: (wire: Wire) => void
}

const entry = fileURLToPath(new URL("holder.ts", import.meta.url))

const count = (said: ReadonlyArray<Said>, event: string) => said.filter((one) => one.event === event).length

/** What `by` held at that moment, as far as it had said. */
const heldBy = (said: ReadonlyArray<Said>, by: ChildProcess, at: number) => {
  const last = new Map<string, string>()
  for (const one of said) if (one.by === by && one.at <= at) last.set(one.key, one.event)
  return [...last].flatMap(([key, event]) => (event === "held" || event === "wrote" ? [key] : []))
}

interface Blow {
  readonly fault: Fault
  readonly victim: ChildProcess
  readonly at: number
}

/** Of every lock a killed process held: until another held it. */
const takeovers = (said: ReadonlyArray<Said>, blows: ReadonlyArray<Blow>) =>
  blows
    .filter(({ fault }) => fault === "kill")
    .flatMap(({ at, victim }) =>
      heldBy(said, victim, at).flatMap((key) => {
        const next = said.find((one) => one.key === key && one.event === "held" && one.at > at)
        return next === undefined ? [] : [next.at - at]
      })
    )

/** Of every lock that was held as Redis died: until its holder was interrupted, where it stayed away so long. */
const losses = (said: ReadonlyArray<Said>, blows: ReadonlyArray<Blow>) =>
  blows
    .filter(({ fault }) => fault === "redis killed")
    .flatMap(({ at }) =>
      [...new Set(said.map(({ by }) => by))].flatMap((by) =>
        heldBy(said, by, at).flatMap((key) => {
          const next = said.find(
            (one) => one.by === by && one.key === key && one.event !== "wrote" && one.at > at
          )
          return next?.event === "LockLost" ? [next.at - at] : []
        })
      )
    )

const spread = (millis: ReadonlyArray<number>) => {
  const sorted = millis.toSorted((a, b) => a - b)
  return { count: sorted.length, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 }
}

export const run = Effect.fn("faults.run")(function* (plan: Plan) {
  const redis = yield* TestRedis
  const { owner, superuser } = yield* TestDatabase
  const database = yield* PgConnection.make(superuser)
  for (const statement of [
    "CREATE TABLE zapiska.faults_counters (name text PRIMARY KEY, value int NOT NULL)",
    "CREATE TABLE zapiska.faults_history (id bigint GENERATED ALWAYS AS IDENTITY, name text, fence bigint)",
    "GRANT ALL ON zapiska.faults_counters, zapiska.faults_history TO zapiska_runtime"
  ])
    yield* database.query(statement)
  const keys = Array.from({ length: plan.keys }, (_, nth) => `thing-${nth}`)
  yield* database.query(
    `INSERT INTO zapiska.faults_counters SELECT name, 0 FROM unnest(ARRAY['${keys.join("','")}']) AS name`
  )
  const said: Array<Said> = []
  const blows: Array<Blow> = []

  const launch = (port: number) =>
    spawn(process.execPath, [entry], {
      env: {
        ...process.env,
        OWNER: JSON.stringify(plain(owner)),
        REDIS: `redis://127.0.0.1:${port}/0`,
        KEYS: keys.join(","),
        TTL: String(plan.ttl),
        BLOCK: String(plan.ttl * 2),
        ENDS: String(plan.ends ?? 0.2),
        FENCED: plan.fenced ? "yes" : "no"
      },
      stdio: ["ignore", "pipe", "ignore"]
    })
  const listen = (holder: Holder) => {
    holder.ready = false
    const by = holder.child
    createInterface({ input: by.stdout! }).on("line", (line) => {
      const [event, key, at] = line.split(" ")
      said.push({ event: event!, key: key!, at: Number(at), by })
      if (event === "ready") holder.ready = true
    })
  }

  const holders = yield* Effect.forEach(Array.from({ length: plan.processes }), () =>
    Effect.gen(function* () {
      const wire = yield* proxy(redis.port)
      const holder: Holder = { child: launch(wire.port), ready: false, port: wire.port, set: wire.set }
      listen(holder)
      yield* Effect.addFinalizer(() => Effect.sync(() => holder.child.kill("SIGKILL")))
      return holder
    })
  )
  const writes = () => count(said, "wrote")
  const goOn = Effect.suspend(() => {
    const wanted = writes() + 2 * plan.keys
    return Effect.sleep("20 millis").pipe(
      Effect.repeat({ until: () => writes() >= wanted }),
      Effect.timeout("60 seconds")
    )
  })

  const fail = Effect.fnUntraced(function* (fault: Fault) {
    const holder = holders[yield* Random.nextIntBetween(0, holders.length - 1)]!
    // One that was just started knows no signals yet.
    yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => holder.ready })
    const long = Math.round(plan.ttl * (yield* Random.nextBetween(0.5, 3)))
    blows.push({ fault, victim: holder.child, at: yield* Clock.currentTimeMillis })
    switch (fault) {
      case "kill":
        holder.child.kill("SIGKILL")
        holder.child = launch(holder.port)
        return listen(holder)
      case "stop":
        holder.child.kill("SIGSTOP")
        yield* Effect.sleep(long)
        holder.child.kill("SIGCONT")
        return
      case "block":
        holder.child.kill("SIGUSR2")
        return
      case "redis killed":
        yield* redis.kill
        yield* Effect.sleep(long)
        yield* redis.start
        return
      case "redis restarted":
        yield* redis.kill
        yield* redis.start
        return
      case "redis flushed":
        yield* redis.command("FLUSHALL")
        return
      case "deaf":
      case "cut":
        holder.set(fault)
        yield* Effect.sleep(long)
        holder.set("whole")
    }
  })

  yield* goOn
  for (const fault of plan.faults) {
    yield* Effect.sleep(plan.pause ?? (yield* Random.nextIntBetween(0, plan.ttl)))
    yield* fail(fault)
    yield* goOn
  }
  for (const { child } of holders) child.kill("SIGKILL")

  const problems: Array<string> = []
  // In one statement: the last transaction of the dead may end only now.
  const histories = yield* database.queryValues(
    `SELECT name, value, coalesce(string_agg(fence::text, ',' ORDER BY id), '')
     FROM zapiska.faults_counters LEFT JOIN zapiska.faults_history USING (name) GROUP BY name, value`
  )
  let written = 0
  for (const [key, counted, history] of histories) {
    const fences = String(history).split(",").filter(Boolean).map(Number)
    written += fences.length
    const stale = fences.findIndex((fence, nth) => nth > 0 && fence < fences[nth - 1]!)
    if (stale >= 0) problems.push(`${key}: a write with fence ${fences[stale]} after ${fences[stale - 1]}`)
    if (counted !== fences.length) problems.push(`${key}: counts ${counted} of ${fences.length} writes`)
  }
  return {
    problems,
    writes: written,
    finished: count(said, "finished"),
    lost: count(said, "LockLost"),
    stale: count(said, "FenceStale"),
    unavailable: count(said, "LocksUnavailable"),
    /** Milliseconds. */
    takenOver: spread(takeovers(said, blows)),
    interrupted: spread(losses(said, blows))
  }
}, Effect.scoped)
