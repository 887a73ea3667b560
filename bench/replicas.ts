/**
 * Messages a second through one, two and three replicas on the same machine, into durable notes: what more processes
 * bring, and whether the machine had anything left to give them.
 */
import { join } from "node:path"
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { BotApiEmulator } from "../src/sandbox/Control.ts"
import * as Database from "../src/store/Database.ts"
import { DatabaseOwner } from "../src/store/DatabaseOwner.ts"
import { DataDirLock } from "../src/store/DataDirLock.ts"
import { LocalPostgres } from "../src/store/LocalPostgres.ts"
import { replicaEnvironment } from "../test/durability/replicas/Cluster.ts"
import { fleet } from "../test/durability/replicas/Fleet.ts"
import { eventually, start, temporaryDirectory } from "../test/support/Application.ts"
import { emulatorProcessLayer } from "../test/support/emulator.ts"
import { TestRedis } from "../test/support/redis.ts"
import { secretsKey } from "../test/support/TestServer.ts"
import { cpuSeconds } from "./Process.ts"
import { people, sentence } from "./Product.ts"

export interface ReplicaFigures {
  readonly replicas: number
  readonly updates: number
  readonly perSecond: number
  /** Of one core: all replicas together. */
  readonly processor: number
  /** Milliseconds of processor all of them together took for one message. */
  readonly cost: number
}

/** So that every replica polls some. */
const bots = 6
const perNote = 6
/** People who write first, and are not counted: a process that was just started works at a third of its speed. */
const warm = 300

/** An installation's, without any replica yet. */
export const servers = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    Layer.mergeAll(
      Database.layer({ secretsKey: Redacted.make(secretsKey) }).pipe(
        Layer.provideMerge(LocalPostgres.layer({ connections: 200 })),
        Layer.provide(DataDirLock.layer({ dataDir: join(directory, "data") }))
      ),
      TestRedis.layer,
      emulatorProcessLayer({ file: join(directory, "emulator.sqlite"), durability: "relaxed" })
    )
  )
)

const round = (replicas: number, persons: number) =>
  Effect.gen(function* () {
    const emulator = yield* BotApiEmulator
    const { superuser } = yield* LocalPostgres
    const { connection } = yield* DatabaseOwner
    yield* people(1, warm + persons)
    const ids = Array.from({ length: warm + persons }, (_, index) => index + 1)
    const all = yield* fleet(bots - 1, ids)
    const processes = yield* Effect.forEach(
      Array.from({ length: replicas }),
      () =>
        Effect.gen(function* () {
          const dataDir = yield* temporaryDirectory
          const env = {
            ...(yield* replicaEnvironment(connection)),
            LOG_LEVEL: "warn",
            NOTE_WINDOW: "500 millis"
          }
          return yield* start({ dataDir, emulator, env })
        }),
      { concurrency: replicas }
    )
    const sql = yield* PgClient.make({ ...superuser, database: "zapiska", maxConnections: 1 }).pipe(
      Effect.provide(Reactivity.layer)
    )
    // The bots go to those that came last.
    yield* Effect.sleep("3 seconds")
    const spent = Effect.map(
      Effect.forEach(processes, ({ pid }) => cpuSeconds(pid)),
      (each) => each.reduce((sum, one) => sum + one, 0)
    )
    /** A note of each, of people who have written nothing before. */
    const write = Effect.fnUntraced(function* (after: number, count: number) {
      const updates = count * perNote
      yield* emulator.feed({
        messages: Array.from({ length: updates }, (_, index) => {
          const person = after + Math.floor(index / perNote)
          return { ...sentence(ids[person]!, index % perNote), bot: all[person % all.length]!.id }
        })
      })
      const before = yield* spent
      const begin = yield* Clock.monotonicTimeNanos
      yield* eventually(
        "every message is handled",
        Effect.map(
          sql<{ n: number }>`SELECT count(*)::int AS n FROM zapiska.handled_updates`,
          (rows) => rows[0]!.n >= after * perNote + updates
        ),
        { seconds: 300 }
      )
      const seconds = Number((yield* Clock.monotonicTimeNanos) - begin) / 1e9
      const processor = (yield* spent) - before
      return {
        replicas,
        updates,
        perSecond: updates / seconds,
        processor: processor / seconds,
        cost: (processor * 1000) / updates
      } satisfies ReplicaFigures
    })
    yield* write(0, warm)
    return yield* write(warm, persons)
  }).pipe(Effect.provide(servers), Effect.scoped)

/** Each on servers of its own. */
export const replicas = ({ persons }: { readonly persons: number }) =>
  Effect.forEach([1, 2, 3], (count) => round(count, persons))
