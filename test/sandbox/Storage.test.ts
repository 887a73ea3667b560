import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { make, type Storage } from "../../src/sandbox/Storage.ts"

const opened = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "storage-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const file = join(directory, "telegram.sqlite")
  const storage = yield* make(file, "full")
  const other = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(file, { readOnly: true })),
    (database) => Effect.sync(() => database.close())
  )
  const committed = Effect.sync(() =>
    other
      .prepare("SELECT name FROM counters ORDER BY name")
      .all()
      .map(({ name }) => name)
  )
  return { storage, committed }
})

const put = (storage: Storage, name: string) => storage.run("INSERT INTO counters VALUES (?, 1)", name)

describe("commit", () => {
  it.live("answers only when others see what was written, many operations sharing one commit", () =>
    Effect.gen(function* () {
      const { storage, committed } = yield* opened
      const write = (name: string) =>
        Effect.andThen(
          storage.commit(() => Result.succeed(put(storage, name))),
          committed
        )
      const seen = yield* Effect.all([write("a"), write("b"), write("c")], { concurrency: 3 })
      assert.deepStrictEqual(seen, [
        ["a", "b", "c"],
        ["a", "b", "c"],
        ["a", "b", "c"]
      ])
    })
  )

  it.live("takes back what a refused or broken operation wrote, and nothing of the others", () =>
    Effect.gen(function* () {
      const { storage, committed } = yield* opened
      const told: Array<string> = []
      const write = (name: string, result: () => Result.Result<string, string>) =>
        storage.commit(() => {
          put(storage, name)
          storage.afterCommit(() => told.push(name))
          return result()
        })
      const exits = yield* Effect.all(
        [
          Effect.exit(write("kept", () => Result.succeed("kept"))),
          Effect.exit(write("refused", () => Result.fail("refused"))),
          Effect.exit(
            write("broken", () => {
              throw new Error("broken")
            })
          ),
          Effect.exit(write("also kept", () => Result.succeed("kept")))
        ],
        { concurrency: 4 }
      )
      assert.deepStrictEqual(
        exits.map(({ _tag }) => _tag),
        ["Success", "Failure", "Failure", "Success"]
      )
      assert.deepStrictEqual(yield* committed, ["also kept", "kept"])
      assert.deepStrictEqual(told, ["kept", "also kept"])
    })
  )
})
