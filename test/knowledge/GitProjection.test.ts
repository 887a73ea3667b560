import { assert, layer as layerOf } from "@effect/vitest"
import { Effect } from "effect"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { expectSound, git, layer, record } from "./git/Harness.ts"
import { baseOf } from "./Harness.ts"

layerOf(layer, { excludeTestServices: true })("GitProjection", (it) => {
  it.effect("makes one commit a revision, with its author, date and number", () =>
    Effect.gen(function* () {
      const key = baseOf("one")
      const projection = yield* GitProjection
      yield* record(key, { "topics/inbox/2026-11/05-a.md": "a\n" }, { message: "First\r\n\r\nwith more  " })
      yield* record(key, { "topics/inbox/2026-11/05-b.md": "b\n", "topics/inbox/2026-11/05-a.md": null })
      const projected = yield* projection.project(key)
      const directory = projection.directory(key)
      const [newest, first] = git(directory, "log", "--format=%an|%ae|%at|%cn|%ct|%B%x00").split("\0\n")
      assert.strictEqual(
        first,
        "Anna Példa|anna@example.org|1793872800|Anna Példa|1793872800|First\n\nwith more\n\nZapiska-Revision: 1\n"
      )
      assert.match(newest ?? "", /Zapiska-Revision: 2\n$/)
      assert.strictEqual(git(directory, "rev-parse", "main").trim(), projected.commit)
      assert.deepStrictEqual(yield* projection.tree(key), ["topics/inbox/2026-11/05-b.md"])
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )
})
