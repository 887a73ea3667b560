/** `npm run bench`: every figure this program promises, measured here and now, in one table. */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer, Option, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { Blobs } from "../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../src/knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../src/knowledge/RevisionLog.ts"
import * as Database from "../src/store/Database.ts"
import { DataDirLock } from "../src/store/DataDirLock.ts"
import { LocalPostgres } from "../src/store/LocalPostgres.ts"
import { temporaryDirectory } from "../test/support/Application.ts"
import { TestRedis } from "../test/support/redis.ts"
import { bots } from "./bots.ts"
import {
  botFigures,
  latencyFigures,
  lockFigures,
  notesFigures,
  projectionFigures,
  replicaFigures,
  rlsFigures,
  sessionFigures,
  startFigures,
  storingFigures,
  takeoverFigures,
  windowFigures
} from "./figures.ts"
import { latency, window } from "./latency.ts"
import { lockServers, locks } from "./locks.ts"
import { Product } from "./Product.ts"
import { projection } from "./projection.ts"
import { type Figure, gitVersion, machine, postgresVersion, table } from "./Report.ts"
import { replicas } from "./replicas.ts"
import { rls } from "./rls.ts"
import { sending } from "./sending.ts"
import { sessions } from "./sessions.ts"
import { startup } from "./startup.ts"
import { takeover } from "./takeover.ts"
import { notes, storing } from "./throughput.ts"
import { windows } from "./windows.ts"

const open = { NOTE_WINDOW: "1 hour", NOTE_WINDOW_MAX: "2 hours" }
const short = { NOTE_WINDOW: "500 millis" }

const database = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    Database.layer({ secretsKey: Redacted.make(Buffer.alloc(32, "bench").toString("base64")) }).pipe(
      Layer.provideMerge(LocalPostgres.layer()),
      Layer.provide(DataDirLock.layer({ dataDir: join(directory, "data") }))
    )
  )
)
const knowledge = Layer.mergeAll(RevisionLog.layer, Blobs.layer).pipe(Layer.provideMerge(database))
const notesOf = KnowledgeBase.layer.pipe(Layer.provideMerge(knowledge))

const sessionServers = Layer.unwrap(
  Effect.map(temporaryDirectory, (directory) =>
    LocalPostgres.layer().pipe(Layer.provide(DataDirLock.layer({ dataDir: join(directory, "data") })))
  )
)

/** Each gives its rows of the table. `few`: with fewer messages and one round, to see that it works. */
const parts = {
  start: (few: boolean) => Effect.map(startup({ rounds: few ? 1 : 3, rest: few ? 5 : 15 }), startFigures),
  storing: (few: boolean) =>
    storing({ updates: few ? 5_000 : 10_000, rounds: few ? 1 : 3 }).pipe(
      Effect.provide(Product.layer(open)),
      Effect.map(storingFigures)
    ),
  notes: (few: boolean) =>
    notes({ updates: few ? 3_000 : 12_000, rounds: few ? 1 : 3 }).pipe(
      Effect.provide(Product.layer(short)),
      Effect.map(notesFigures)
    ),
  latency: (few: boolean) =>
    latency({ notes: few ? 100 : 300 }).pipe(
      Effect.provide(Product.layer(window)),
      Effect.map(latencyFigures)
    ),
  projection: (few: boolean) =>
    projection({ revisions: few ? 2_000 : 10_000, oneByOne: few ? 20 : 100 }).pipe(
      Effect.provide(knowledge),
      Effect.map(projectionFigures)
    ),
  windows: (few: boolean) =>
    windows(few ? [1_000, 3_000] : [1_000, 3_000, 10_000, 12_000]).pipe(
      Effect.provide(Product.layer(open)),
      Effect.map(windowFigures)
    ),
  sending: (few: boolean) => Effect.provide(sending(few), database),
  locks: (few: boolean) =>
    locks({ cycles: few ? 1_000 : 5_000, each: few ? 5 : 20 }).pipe(
      Effect.provide(lockServers.pipe(Layer.provide(knowledge))),
      Effect.map(lockFigures)
    ),
  replicas: (few: boolean) => Effect.map(replicas({ persons: few ? 300 : 1_500 }), replicaFigures),
  takeover: (few: boolean) => Effect.map(takeover({ blows: few ? 1 : 6 }), takeoverFigures),
  rls: (few: boolean) =>
    rls({ tenants: 8, notes: few ? 500 : 2_000, times: few ? 1_000 : 5_000 }).pipe(
      Effect.provide(notesOf),
      Effect.map(rlsFigures)
    ),
  sessions: (few: boolean) =>
    sessions({
      sessions: few ? 40 : 200,
      cold: few ? 20 : 100,
      warm: few ? 2_000 : 20_000,
      losses: few ? 10 : 50,
      rest: few ? 5 : 30
    }).pipe(Effect.provide(Layer.merge(TestRedis.layer, sessionServers)), Effect.map(sessionFigures)),
  bots: (few: boolean) =>
    bots({ tenants: 10, bots: few ? 20 : 100, rest: few ? 10 : 30 }).pipe(
      Effect.provide(Product.layer(open)),
      Effect.map(botFigures)
    )
} as const satisfies Record<string, (few: boolean) => Effect.Effect<ReadonlyArray<Figure>, unknown, unknown>>

type Part = keyof typeof parts
const names = Object.keys(parts) as [Part, ...ReadonlyArray<Part>]

const bench = Command.make(
  "bench",
  {
    only: Flag.Literals("only", names).pipe(Flag.withDescription("One part alone"), Flag.optional),
    quick: Flag.Boolean("quick").pipe(
      Flag.withDescription("Fewer messages, one round: to see that it works, not to quote"),
      Flag.withDefault(false)
    )
  },
  ({ only, quick }) =>
    Effect.gen(function* () {
      // Before anything runs, so that the load is not ours.
      const { cpu, cores, memory, system, node, load } = machine()
      const figures: Array<Figure> = []
      for (const name of Option.match(only, { onNone: () => names, onSome: (one) => [one] })) {
        yield* Console.error(`measuring: ${name}`)
        figures.push(...(yield* Effect.scoped(parts[name](quick))))
      }
      const postgres = postgresVersion()
      yield* Console.log(
        [
          `${cpu}, ${cores} cores, ${memory} of memory, ${system}; Node ${node}, PostgreSQL ${postgres}, git ${gitVersion()}; load average at the start ${load}.`,
          "",
          table(figures)
        ].join("\n")
      )
    })
)

bench.pipe(Command.run({ version: "1" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain())
