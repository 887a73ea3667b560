/** A process that holds a DATA_DIR and its PostgreSQL until it is told to stop: `startPostgres.ts <DATA_DIR>`. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { DataDirLock } from "../../src/store/DataDirLock.ts"
import { LocalPostgres } from "../../src/store/LocalPostgres.ts"

const announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { pid } = yield* LocalPostgres
    yield* Console.log(JSON.stringify({ ready: yield* pid }))
  })
)

NodeRuntime.runMain(
  Layer.launch(
    announce.pipe(
      Layer.provide(LocalPostgres.layer()),
      Layer.provide(DataDirLock.layer({ dataDir: process.argv[2] ?? "" }))
    )
  ).pipe(Effect.tapError((error) => Console.log(JSON.stringify({ error: error.message, tag: error._tag }))))
)
