import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DataDirHeld, DataDirLock } from "../../src/store/DataDirLock.ts"
import { endWithScope, start, temporaryDirectory } from "./Starter.ts"

const held = (dataDir: string) => Layer.build(DataDirLock.layer({ dataDir }))

it.live("makes DATA_DIR for its owner only", () =>
  Effect.gen(function* () {
    const dataDir = join(yield* temporaryDirectory, "a", "data")
    yield* held(dataDir)
    assert.strictEqual(statSync(dataDir).mode & 0o777, 0o700)
    assert.isFalse(existsSync(join(dataDir, "lock-journal")))
  })
)

it.live("refuses a second holder by the first one's pid, until the first lets go", () =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* held(dataDir)
        const second = yield* Effect.flip(held(dataDir))
        assert.instanceOf(second, DataDirHeld)
        assert.strictEqual(second.pid, process.pid)
        assert.include(second.message, dataDir)
      })
    )
    yield* held(dataDir)
    assert.strictEqual(readFileSync(join(dataDir, "lock.pid"), "utf8").trim(), String(process.pid))
  })
)

it.live("says what is wrong with a place that cannot be a directory", () =>
  Effect.gen(function* () {
    const file = join(yield* temporaryDirectory, "file")
    writeFileSync(file, "")
    const error = yield* Effect.flip(held(file))
    assert.strictEqual(error._tag, "DataDirUnusable")
    assert.include(error.message, file)
  })
)

it.live(
  "of processes started at the same instant on an empty directory one runs and the others name it",
  () =>
    Effect.gen(function* () {
      const dataDir = join(yield* temporaryDirectory, "data")
      const started = yield* Effect.forEach([1, 2, 3], () => start(dataDir), { concurrency: 3 })
      yield* Effect.forEach(started, ({ postgres }) => endWithScope(postgres))
      const [winner, ...more] = started.filter(({ postgres }) => postgres !== undefined)
      assert.isDefined(winner)
      assert.strictEqual(more.length, 0)
      for (const loser of started.filter(({ postgres }) => postgres === undefined)) {
        assert.strictEqual(loser.tag, "DataDirHeld")
        assert.include(loser.error ?? "", `process ${winner?.pid}`)
      }
      yield* winner?.end("SIGTERM") ?? Effect.void
    })
)
