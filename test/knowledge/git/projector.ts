/**
 * A projector in a process of its own, to be killed: reads where the database and the repositories are from
 * its first line of input, says "ready", and on the next line projects without end.
 */
import { createInterface } from "node:readline"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { Blobs } from "../../../src/knowledge/Blobs.ts"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import * as Database from "../../../src/store/Database.ts"
import { DatabaseOwner } from "../../../src/store/DatabaseOwner.ts"
import { redacted, secretsKey } from "../../support/TestServer.ts"
import { baseOf } from "../Harness.ts"

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const nextLine = Effect.promise(async () => String((await lines.next()).value))

const main = Effect.gen(function* () {
  const { connection, directory, name, settle } = JSON.parse(yield* nextLine)
  const owner = Layer.succeed(DatabaseOwner, { connection: redacted(connection) })
  const database = Database.layer({
    secretsKey: Redacted.make(secretsKey),
    poolSize: 2,
    enginePoolSize: 1
  }).pipe(Layer.provide(owner))
  const layer = GitProjection.layer({ directory, settle }).pipe(
    Layer.provide(Layer.mergeAll(RevisionLog.layer, Blobs.layer).pipe(Layer.provide(database))),
    Layer.provide(NodeServices.layer)
  )
  yield* Effect.gen(function* () {
    const projection = yield* GitProjection
    yield* Effect.sync(() => process.stdout.write("ready\n"))
    yield* nextLine
    yield* Effect.forever(
      Effect.gen(function* () {
        yield* projection.project(baseOf(name))
        yield* Effect.sync(() => process.stdout.write("projected\n"))
        yield* Effect.sleep(1)
      })
    )
  }).pipe(Effect.provide(layer))
})

NodeRuntime.runMain(main)
