import { assert, describe, it } from "@effect/vitest"
import { BlobHash } from "../../src/domain/Ids.ts"
import type { FileChange } from "../../src/domain/Note.ts"
import { plan } from "../../src/knowledge/Undo.ts"

const hash = (digit: string) => BlobHash.make(digit.repeat(64))
const [a, b, c] = [hash("a"), hash("b"), hash("c")]

/** A file with what it held before the revision, after it, and now. */
const file = (
  path: string,
  before: BlobHash | null,
  after: BlobHash | null,
  now: BlobHash | null,
  mode: FileChange["mode"] = "100644"
) => ({
  path,
  before: { path, blob: before, mode: "100644" as const },
  after: { path, blob: after, mode: "100644" as const },
  now: { path, blob: now, mode }
})

describe("Undo.plan", () => {
  it("restores what each file held, when it is still as the revision left it", () => {
    const undone = plan("person", [
      file("new", null, a, a),
      file("changed", a, b, b),
      file("gone", c, null, null)
    ])
    assert.deepStrictEqual(
      undone.changes.map(({ path, blob }) => [path, blob]),
      [
        ["new", null],
        ["changed", a],
        ["gone", c]
      ]
    )
    assert.deepStrictEqual(undone.contested, [])
  })

  it("names the files that a later revision made something else of, by content or by mode", () => {
    assert.deepStrictEqual(plan("edit", [file("x", a, b, c), file("y", a, b, b)]).contested, ["x"])
    assert.deepStrictEqual(plan("edit", [file("x", a, b, b, "100755")]).contested, ["x"])
  })

  it("does not undo half of a move whose other half has moved on", () => {
    assert.deepStrictEqual(plan("move", [file("from", a, null, null), file("to", null, a, null)]).contested, [
      "to"
    ])
  })

  it("has nothing to do where all is as before", () => {
    const undone = plan("note", [file("x", null, a, null)])
    assert.deepStrictEqual(undone, { changes: [], contested: [], paths: ["x"] })
  })

  it("leaves media in place that came with a note, not what a person committed there", () => {
    const files = [file("media/aa/x.jpg", null, a, a), file("note.md", null, b, b)]
    assert.deepStrictEqual(plan("note", files).paths, ["note.md"])
    assert.deepStrictEqual(plan("person", files).paths, ["media/aa/x.jpg", "note.md"])
    assert.deepStrictEqual(plan("undo", [file("media/aa/x.jpg", a, null, null)]).paths, ["media/aa/x.jpg"])
  })
})
