import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { BlobHash, type NoteId } from "../../src/domain/Ids.ts"
import { decide, type FollowedFile, type FollowedNote } from "../../src/knowledge/NoteFollow.ts"
import { idOf } from "./Harness.ts"

const hash = (digit: string) => BlobHash.make(digit.repeat(64))
const [a, b] = [hash("a"), hash("b")]

const file = (path: string, previous: BlobHash | null, blob: BlobHash | null, id?: NoteId): FollowedFile => ({
  path,
  previous,
  blob,
  id
})

const note = (number: number, path: string, more: Partial<FollowedNote> = {}): FollowedNote => ({
  id: idOf(number),
  path,
  removed: false,
  last: null,
  ...more
})

const places = (files: ReadonlyArray<FollowedFile>, ...notes: ReadonlyArray<FollowedNote>) =>
  Object.fromEntries([...decide(files, notes)].map(([id, path]) => [Number(id), path ?? "gone"]))

describe("NoteFollow.decide", () => {
  it("a note stays where its file is, with or without its front matter", () => {
    assert.deepStrictEqual(places([file("x", a, b, idOf(1))], note(1, "x")), { 1: "x" })
    assert.deepStrictEqual(places([file("x", a, b)], note(1, "x")), { 1: "x" })
    assert.deepStrictEqual(places([file("x", a, b, idOf(9))], note(1, "x")), { 1: "x" })
  })

  it("a note goes where its front matter goes, else where its content goes", () => {
    assert.deepStrictEqual(places([file("x", a, null), file("y", null, b, idOf(1))], note(1, "x")), {
      1: "y"
    })
    assert.deepStrictEqual(places([file("x", a, null), file("y", null, a)], note(1, "x")), { 1: "y" })
    const two = [file("x", a, null), file("y", null, a), file("z", null, a)]
    assert.deepStrictEqual(places(two, note(1, "x")), { 1: "gone" })
  })

  it("a copy is no move", () => {
    assert.deepStrictEqual(places([file("y", null, a, idOf(1))], note(1, "x")), {})
  })

  it("notes may change places, and one may take another's", () => {
    const swapped = [file("x", a, b, idOf(2)), file("y", b, a, idOf(1))]
    assert.deepStrictEqual(places(swapped, note(1, "x"), note(2, "y")), { 1: "y", 2: "x" })
    const taken = [file("x", a, b, idOf(2)), file("y", b, null)]
    assert.deepStrictEqual(places(taken, note(1, "x"), note(2, "y")), { 1: "gone", 2: "x" })
    const copied = [file("x", a, b, idOf(2))]
    assert.deepStrictEqual(places(copied, note(1, "x"), note(2, "y")), { 1: "gone" })
  })

  it("a removed note comes back with its front matter or its last content", () => {
    const removed = note(1, "x", { removed: true, last: a })
    assert.deepStrictEqual(places([file("y", null, b, idOf(1))], removed), { 1: "y" })
    assert.deepStrictEqual(places([file("x", null, a)], removed), { 1: "x" })
    assert.deepStrictEqual(places([file("x", null, b)], removed), {})
  })

  it("never gives two notes one file, nor a note a file that is not there", () => {
    const blob = fc.constantFrom(null, a, b)
    const id = fc.constantFrom(undefined, idOf(1), idOf(2), idOf(3))
    const path = fc.constantFrom("x", "y", "z")
    const files = fc.uniqueArray(fc.record({ path, previous: blob, blob, id }), {
      selector: (one) => one.path
    })
    const notes = fc.uniqueArray(
      fc.record({ id: fc.constantFrom(idOf(1), idOf(2), idOf(3)), path, removed: fc.boolean(), last: blob }),
      { selector: (one) => one.id }
    )
    fc.assert(
      fc.property(files, notes, (changed, known) => {
        // Two notes that are there have a file each.
        const present = known.filter((one) => !one.removed)
        fc.pre(new Set(present.map((one) => one.path)).size === present.length)
        const after = [...decide(changed, known).values()].filter((one) => one !== undefined)
        assert.strictEqual(new Set(after).size, after.length)
        for (const one of after)
          assert.isTrue(changed.some((each) => each.path === one && each.blob !== null))
      })
    )
  })
})
