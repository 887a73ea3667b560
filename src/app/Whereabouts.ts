/**
 * Where the running process is reached: left in DATA_DIR, so that a command given on the same machine finds it whatever
 * port it got.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Layer, type PlatformError } from "effect"
import { localUrl } from "../ops/HttpServer.ts"
import { AppConfig } from "./AppConfig.ts"
import { adminUrlFile } from "./DataDirFiles.ts"

/** Commands then look at HTTP_HOST:HTTP_PORT. */
const noted = (error: PlatformError.PlatformError) =>
  Effect.logWarning(`Commands may not find this process: ${error.message}`)

/** There as long as the process listens; only a process that is killed leaves it behind. */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const { dataDir } = yield* AppConfig
    const url = yield* localUrl
    const path = adminUrlFile(dataDir)
    const unfinished = `${path}.new`
    yield* Effect.acquireRelease(
      files.remove(unfinished, { force: true }).pipe(
        Effect.andThen(files.writeFileString(unfinished, `${url}\n`, { flag: "wx", mode: 0o600 })),
        // Whoever looks meanwhile reads all of it.
        Effect.andThen(files.rename(unfinished, path))
      ),
      () => Effect.catch(files.remove(path, { force: true }), noted)
    ).pipe(Effect.catch(noted))
  })
).pipe(Layer.provide(NodeFileSystem.layer))
