import * as fs from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  breakIndexLock,
  indexLock,
  missing,
  observe,
  put,
  putNew,
  releaseIndexLock,
  remove,
  takeIndexLock
} from "../../../src/knowledge/git/Disk.ts"
import { repositoryAt } from "../../../src/knowledge/git/Git.ts"
import { save, show, temporary } from "./Harness.ts"

const bytes = new TextEncoder().encode("ours\n")

const place = Effect.map(temporary("disk"), (directory) => {
  fs.mkdirSync(join(directory, ".git/zapiska/tmp"), { recursive: true })
  return { directory, repository: repositoryAt(directory) }
})

it.effect("a file changed, made, removed or linked since it was looked at is not replaced", () =>
  Effect.gen(function* () {
    const { directory, repository } = yield* place
    const meanwhile: ReadonlyArray<readonly [string, () => void]> = [
      ["edited", () => save(directory, "a.md", "edit\n")],
      [
        "saved by renaming",
        () => {
          save(directory, "b.md", "same\n")
          fs.renameSync(join(directory, "b.md"), join(directory, "a.md"))
        }
      ],
      ["removed", () => fs.rmSync(join(directory, "a.md"))],
      [
        "made a link",
        () => {
          fs.rmSync(join(directory, "a.md"))
          fs.symlinkSync("elsewhere.md", join(directory, "a.md"))
        }
      ]
    ]
    for (const [what, change] of meanwhile) {
      fs.rmSync(join(directory, "a.md"), { force: true })
      save(directory, "a.md", "same\n")
      const seen = yield* observe(repository, "a.md")
      change()
      const after = fs.lstatSync(join(directory, "a.md"), { throwIfNoEntry: false })
      const file = { path: "a.md", mode: "100644" as const, bytes, name: "x" }
      assert.isFalse(yield* put(repository, file, seen ?? missing), what)
      if (after !== undefined) assert.isFalse(yield* remove(repository, "a.md", seen ?? missing), what)
      assert.deepStrictEqual(
        fs.lstatSync(join(directory, "a.md"), { throwIfNoEntry: false })?.ino,
        after?.ino,
        what
      )
    }
    assert.deepStrictEqual(fs.readdirSync(join(directory, ".git/zapiska/tmp")), [])
  }).pipe(Effect.scoped)
)

it.effect("nothing is written or removed through a link in place of a folder", () =>
  Effect.gen(function* () {
    const { directory, repository } = yield* place
    const outside = yield* temporary("outside")
    save(outside, "a.md", "outside\n")
    fs.symlinkSync(outside, join(directory, "folder"))
    const file = { path: "folder/new.md", mode: "100644" as const, bytes, name: "x" }
    assert.deepStrictEqual(yield* observe(repository, "folder/a.md"), { kind: "obstructed" })
    assert.isFalse(yield* put(repository, file, missing))
    assert.deepStrictEqual(yield* putNew(repository, [file, { ...file, path: "folder/deep/new.md" }]), [
      "folder/new.md",
      "folder/deep/new.md"
    ])
    fs.rmSync(join(directory, "folder"))
    save(directory, "folder/a.md", "inside\n")
    const seen = yield* observe(repository, "folder/a.md")
    fs.rmSync(join(directory, "folder"), { recursive: true })
    fs.symlinkSync(outside, join(directory, "folder"))
    assert.isFalse(yield* remove(repository, "folder/a.md", seen ?? missing))
    assert.deepStrictEqual(fs.readdirSync(outside), ["a.md"])
    assert.strictEqual(show(outside, "a.md"), "outside\n")
  }).pipe(Effect.scoped)
)

it.effect("new files go only where nothing is, and empty folders go with their last file", () =>
  Effect.gen(function* () {
    const { directory, repository } = yield* place
    save(directory, "a/b/taken.md", "theirs\n")
    const files = ["a/b/taken.md", "a/b/c/new.md", "top.md"].map((path) => ({
      path,
      mode: "100755" as const,
      bytes
    }))
    assert.deepStrictEqual(yield* putNew(repository, files), ["a/b/taken.md"])
    assert.strictEqual(show(directory, "a/b/taken.md"), "theirs\n")
    assert.strictEqual(show(directory, "a/b/c/new.md"), "ours\n")
    const seen = yield* observe(repository, "a/b/c/new.md")
    assert.isTrue(yield* remove(repository, "a/b/c/new.md", seen ?? missing))
    assert.deepStrictEqual(fs.readdirSync(join(directory, "a/b")), ["taken.md"])
  }).pipe(Effect.scoped)
)

it.effect("git's lock on the index says whose it is, and is never taken from a git of the person's", () =>
  Effect.gen(function* () {
    const { directory, repository } = yield* place
    assert.strictEqual(yield* indexLock(repository), "free")
    const first = yield* takeIndexLock(repository)
    assert.strictEqual(yield* indexLock(repository), "ours")
    assert.isUndefined(yield* takeIndexLock(repository))
    // Broken while its holder was frozen, who then gives back what is another's.
    yield* breakIndexLock(repository)
    const second = yield* takeIndexLock(repository)
    yield* releaseIndexLock(repository, first ?? "")
    assert.strictEqual(yield* indexLock(repository), "ours")
    yield* releaseIndexLock(repository, second ?? "")
    assert.strictEqual(yield* indexLock(repository), "free")
    fs.writeFileSync(join(directory, ".git/index.lock"), "")
    assert.isUndefined(yield* takeIndexLock(repository))
    assert.isObject(yield* indexLock(repository))
  }).pipe(Effect.scoped)
)
