/**
 * A projector in a process of its own, to be killed or frozen: reads where the database and the repositories are from
 * its first line of input, says "ready", and on the next line projects without end.
 */
import { createInterface } from "node:readline"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { SqlError } from "effect/sql"
import { Blobs } from "../../../src/knowledge/Blobs.ts"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { Lease } from "../../../src/lock/Locks.ts"
import { AtFailpoint, type Failpoint } from "../../../src/ops/Failpoint.ts"
import * as Database from "../../../src/store/Database.ts"
import { DatabaseOwner } from "../../../src/store/DatabaseOwner.ts"
import { redacted, secretsKey } from "../../support/TestServer.ts"
import { baseOf } from "../Harness.ts"

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const nextLine = Effect.promise(async () => String((await lines.next()).value))
const say = (word: string) => Effect.sync(() => process.stdout.write(`${word}\n`))

/** Stops this process dead, the first time it gets there; another has to set it going again. */
const freezing = (place: string) => {
  let frozen = false
  return (name: Failpoint) =>
    Effect.suspend(() => {
      if (frozen || name !== place) return Effect.void
      frozen = true
      return Effect.andThen(
        say("frozen"),
        Effect.sync(() => process.kill(process.pid, "SIGSTOP"))
      )
    })
}

const main = Effect.gen(function* () {
  const { connection, directory, fence, freezeAt, name, settle } = JSON.parse(yield* nextLine)
  const owner = Layer.succeed(DatabaseOwner, { connection: redacted(connection) })
  const database = Database.layer({
    secretsKey: Redacted.make(secretsKey),
    poolSize: 2,
    enginePoolSize: 1
  }).pipe(Layer.provide(owner))
  const layer = GitProjection.layer({ directory, settle, look: 100 }).pipe(
    Layer.provide(Layer.mergeAll(RevisionLog.layer, Blobs.layer)),
    Layer.provide(database),
    Layer.provide(NodeServices.layer)
  )
  yield* Effect.gen(function* () {
    const projection = yield* GitProjection
    yield* say("ready")
    yield* nextLine
    const key = baseOf(name)
    if (fence !== undefined)
      // It never learns that its lease is over.
      return yield* projection.follow(key.tenant).pipe(
        Effect.provideService(Lease, Lease.of({ ...Lease.sole, fence })),
        Effect.retry({ while: SqlError.isSqlError, schedule: Schedule.spaced("200 millis") }),
        Effect.tapError((error) => say(error._tag))
      )
    yield* Effect.forever(
      Effect.gen(function* () {
        yield* projection.project(key)
        yield* say("projected")
        yield* Effect.sleep(1)
      })
    )
  }).pipe(Effect.provide(layer), Effect.provideService(AtFailpoint, freezing(freezeAt)))
})

NodeRuntime.runMain(main)
