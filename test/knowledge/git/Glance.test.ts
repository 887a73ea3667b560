import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { restAfter, untilNextLook } from "../../../src/knowledge/Following.ts"
import { repositoryAt } from "../../../src/knowledge/git/Git.ts"
import { glance, isSharp } from "../../../src/knowledge/git/Glance.ts"
import { git, save, temporary } from "./Harness.ts"

const place = Effect.gen(function* () {
  const directory = yield* temporary("glance")
  git(directory, "init", "-q", "-b", "main")
  save(directory, "topics/inbox/a.md", "a\n")
  save(directory, "b.md", "b\n")
  git(directory, "add", ".")
  git(directory, "commit", "-qm", "First")
  return { directory, look: glance(repositoryAt(directory)) }
})

/** Past the tick of the file system's clock. */
const later = Effect.sleep("20 millis")

const doings: Readonly<Record<string, (directory: string) => void>> = {
  "an edit in place, to as many bytes": (at) => fs.writeFileSync(join(at, "b.md"), "c\n"),
  "an edit that keeps the file's time": (at) => {
    const { atime, mtime } = fs.statSync(join(at, "b.md"))
    fs.writeFileSync(join(at, "b.md"), "c\n")
    fs.utimesSync(join(at, "b.md"), atime, mtime)
  },
  "a file put in place of another": (at) => {
    fs.writeFileSync(join(at, "new"), "c\n")
    fs.renameSync(join(at, "new"), join(at, "b.md"))
  },
  "a new file": (at) => save(at, "topics/inbox/c.md", "c\n"),
  "a new, empty folder": (at) => fs.mkdirSync(join(at, "topics/work")),
  "a file moved": (at) => fs.renameSync(join(at, "b.md"), join(at, "topics/b.md")),
  "a file removed": (at) => fs.rmSync(join(at, "topics/inbox/a.md")),
  "a file made executable": (at) => fs.chmodSync(join(at, "b.md"), 0o755),
  "a file staged": (at) => {
    fs.writeFileSync(join(at, "b.md"), "c\n")
    git(at, "add", ".")
  },
  "a commit of nothing": (at) => void git(at, "commit", "-qm", "Nothing", "--allow-empty"),
  "another branch": (at) => void git(at, "switch", "-qc", "other"),
  "the branch moved behind git's back": (at) =>
    fs.writeFileSync(join(at, ".git/refs/heads/main"), `${"0".repeat(40)}\n`),
  "a merge begun": (at) => fs.writeFileSync(join(at, ".git/MERGE_HEAD"), git(at, "rev-parse", "HEAD")),
  "a rule of what is ignored": (at) => fs.writeFileSync(join(at, ".gitignore"), "*.bak\n")
}

describe("a glance at a repository", () => {
  for (const [name, act] of Object.entries(doings))
    it.live(`sees ${name}`, () =>
      Effect.gen(function* () {
        const { directory, look } = yield* place
        const before = yield* look
        yield* later
        act(directory)
        assert.notStrictEqual((yield* look).digest, before.digest)
      }).pipe(Effect.scoped)
    )

  it.live("is the same where nobody wrote, whatever was read", () =>
    Effect.gen(function* () {
      const { directory, look } = yield* place
      const before = yield* look
      yield* later
      fs.readFileSync(join(directory, "b.md"))
      git(directory, "log")
      assert.deepStrictEqual(yield* look, before)
    }).pipe(Effect.scoped)
  )

  it.live("goes through thousands of files, into no link, and fails where there is no repository", () =>
    Effect.gen(function* () {
      const { directory, look } = yield* place
      for (let nth = 0; nth < 1500; nth += 1) save(directory, `many/${nth % 40}/${nth}.md`, `${nth}\n`)
      fs.symlinkSync("/", join(directory, "everything"))
      const before = yield* look
      yield* later
      save(directory, "many/39/1479.md", "other\n")
      assert.notStrictEqual((yield* look).digest, before.digest)
      const error = yield* Effect.flip(glance(repositoryAt(join(directory, "nowhere"))))
      assert.strictEqual(error._tag, "GitError")
    }).pipe(Effect.scoped)
  )

  it("is not to be trusted while a write could still bear the same time", () => {
    const seen = { digest: "", newest: 1000 }
    assert.deepStrictEqual(
      [1000, 1100, 1101, 999].map((now) => isSharp(seen, now)),
      [false, false, true, true]
    )
  })
})

it("looks become rare where nothing happens, and are never a burden", () => {
  const look = 2000
  assert.strictEqual(untilNextLook(look, 0, 0), 2000)
  assert.strictEqual(untilNextLook(look, 20_000, 1), 2000)
  assert.strictEqual(untilNextLook(look, 60_000, 1), 6000)
  assert.strictEqual(untilNextLook(look, 86_400_000, 1), 30_000)
  assert.strictEqual(untilNextLook(look, 0, 500), 10_000)
})

it("git works half of the time where much is written, nearly always where somebody waits for one note", () => {
  assert.strictEqual(restAfter(80, 0), 20)
  assert.strictEqual(restAfter(80, 7), 20)
  assert.strictEqual(restAfter(80, 8), 80)
  assert.strictEqual(restAfter(60_000, 1), 500)
  assert.strictEqual(restAfter(60_000, 1000), 1000)
})
