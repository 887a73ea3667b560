import * as fs from "node:fs"
import { join } from "node:path"
import { assert, layer as layerOf } from "@effect/vitest"
import { Effect } from "effect"
import { GitProjection } from "../../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../../src/knowledge/RevisionLog.ts"
import { baseOf } from "../Harness.ts"
import {
  contentsOf,
  erase,
  expectSound,
  git,
  layer,
  layerWith,
  projectSettled,
  record,
  save,
  show
} from "./Harness.ts"

const a = "topics/inbox/2026-11/05-a.md"
const b = "topics/inbox/2026-11/05-b.md"

/** A projected knowledge base with two notes. */
const start = Effect.fnUntraced(function* (name: string) {
  const key = baseOf(name)
  const projection = yield* GitProjection
  yield* record(key, { [a]: "a\n" })
  yield* record(key, { [b]: "b\n" })
  yield* projection.project(key)
  return { key, projection, directory: projection.directory(key), log: yield* RevisionLog }
})

layerOf(layer, { excludeTestServices: true })("a person's changes", (it) => {
  it.effect("edits, new files and deletions become one revision", () =>
    Effect.gen(function* () {
      const { directory, key, log } = yield* start("edits")
      git(directory, "config", "user.name", "Own Name")
      save(directory, a, "edited\n")
      save(directory, "mine/new file.txt", "new\n")
      erase(directory, b)
      const projected = yield* projectSettled(key)
      assert.strictEqual(projected.imported, 1)
      const [revision] = yield* log.read(key, 2, 10)
      assert.strictEqual(revision?.kind, "person")
      assert.deepStrictEqual(revision?.author, { name: "Own Name", email: "owner@localhost" })
      assert.deepStrictEqual(
        revision?.files.map((file) => [file.path, file.blob === null]),
        [
          ["mine/new file.txt", false],
          [a, false],
          [b, true]
        ]
      )
      assert.deepStrictEqual(yield* expectSound(key), [])
      assert.strictEqual(show(directory, a), "edited\n")
    })
  )

  it.effect("programs and links a person adds keep their mode", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("modes")
      save(directory, "run.sh", "#!/bin/sh\n")
      fs.chmodSync(join(directory, "run.sh"), 0o755)
      fs.symlinkSync("topics/inbox", join(directory, "inbox"))
      yield* projectSettled(key)
      assert.match(git(directory, "ls-tree", "HEAD"), /^120000 .*\tinbox$/m)
      assert.match(git(directory, "ls-tree", "HEAD"), /^100755 .*\trun.sh$/m)
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("linear commits keep their hashes, with whatever headers and dates they have", () =>
    Effect.gen(function* () {
      const { directory, key, log } = yield* start("linear")
      save(directory, a, "one\n")
      git(
        directory,
        "commit",
        "-qam",
        "One\n\n\n  kept as it is  ",
        "--cleanup=verbatim",
        "--date=2001-02-03T04:05:06+0530"
      )
      git(directory, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
      save(directory, "c.md", "c\n")
      git(directory, "add", "c.md")
      git(directory, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-qm", "latin")
      // A signature as another program would write it.
      const raw = git(directory, "cat-file", "commit", "HEAD").replace(
        /^encoding .*\n/m,
        "gpgsig -----BEGIN\n \n -----END\n"
      )
      fs.writeFileSync(join(directory, ".git/raw"), raw)
      const signed = git(directory, "hash-object", "-t", "commit", "-w", ".git/raw").trim()
      git(directory, "update-ref", "refs/heads/main", signed)
      const projected = yield* projectSettled(key)
      assert.strictEqual(projected.imported, 3)
      assert.strictEqual(projected.commit, signed)
      const [one] = yield* log.read(key, 2, 1)
      assert.deepStrictEqual(one?.author, { name: "Pat Person", email: "pat@example.org" })
      assert.strictEqual(one?.date, Date.parse("2001-02-03T04:05:06+05:30"))
      yield* record(key, { "d.md": "d\n" })
      yield* projectSettled(key)
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("the first commits of an empty knowledge base keep their hashes too", () =>
    Effect.gen(function* () {
      const key = baseOf("empty")
      const projection = yield* GitProjection
      yield* projection.project(key)
      const directory = projection.directory(key)
      save(directory, "a.md", "a\n")
      git(directory, "add", "a.md")
      git(directory, "commit", "-qm", "root")
      const mine = git(directory, "rev-parse", "HEAD").trim()
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual([projected.head, projected.commit], [1, mine])
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("commits made while the log moved on are kept, and their content becomes a revision", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("moved")
      save(directory, a, "theirs\n")
      git(directory, "commit", "-qam", "Theirs")
      const theirs = git(directory, "rev-parse", "HEAD").trim()
      yield* record(key, { "topics/inbox/2026-11/06-c.md": "c\n" })
      const projected = yield* projectSettled(key)
      assert.strictEqual(projected.imported, 1)
      assert.deepStrictEqual(projected.conflicts, [])
      assert.strictEqual(git(directory, "rev-parse", `refs/imported/${theirs}`).trim(), theirs)
      assert.strictEqual(show(directory, a), "theirs\n")
      assert.match(git(directory, "log", "-1", "--format=%an %B"), /^Pat Person Theirs\n/)
      assert.deepStrictEqual(yield* expectSound(key), [])
      assert.strictEqual((yield* projectSettled(key)).imported, 0)
    })
  )

  it.effect(
    "where both sides changed a file uncommitted, both versions are there and the person is told",
    () =>
      Effect.gen(function* () {
        const { directory, key } = yield* start("both")
        yield* record(key, { [a]: "ours\n" })
        save(directory, a, "theirs\n")
        const projected = yield* projectSettled(key)
        const copy = "topics/inbox/2026-11/05-a.conflict-3.md"
        assert.deepStrictEqual(projected.conflicts, [{ path: a, copy }])
        assert.strictEqual(show(directory, a), "theirs\n")
        assert.strictEqual(show(directory, copy), "ours\n")
        const history = git(directory, "log", "-p", "--format=", "--", a)
        assert.include(history, "+ours")
        assert.include(history, "+theirs")
        assert.deepStrictEqual(yield* expectSound(key), [])
        assert.deepStrictEqual((yield* projectSettled(key)).conflicts, [])
      })
  )

  it.effect("where both sides changed a file and the person committed, both versions are there too", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("both-committed")
      yield* record(key, { [a]: "ours\n", [b]: null })
      save(directory, a, "theirs\n")
      save(directory, b, "still wanted\n")
      git(directory, "commit", "-qam", "Theirs")
      const projected = yield* projectSettled(key)
      const copy = "topics/inbox/2026-11/05-a.conflict-3.md"
      assert.deepStrictEqual(projected.conflicts, [
        { path: a, copy },
        { path: b, copy: undefined }
      ])
      const { "index.md": _, ...files } = contentsOf(directory)
      assert.deepStrictEqual(files, { [a]: "theirs\n", [copy]: "ours\n", [b]: "still wanted\n" })
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("a file deleted by hand that the log changed comes back, and the person is told", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("deleted")
      yield* record(key, { [a]: "ours\n" })
      erase(directory, a)
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual(projected.conflicts, [{ path: a, copy: undefined }])
      assert.strictEqual(projected.imported, 0)
      assert.strictEqual(show(directory, a), "ours\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("an amended commit of ours is kept and its content becomes a revision", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("amended")
      save(directory, b, "better\n")
      git(directory, "commit", "-qa", "--amend", "-m", "Better")
      const amended = git(directory, "rev-parse", "HEAD").trim()
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual([projected.head, projected.conflicts.length], [3, 0])
      assert.strictEqual(git(directory, "rev-parse", `refs/imported/${amended}`).trim(), amended)
      assert.strictEqual(show(directory, b), "better\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("an edit on top of an amended commit is one more revision, and no conflict", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("amended-edited")
      save(directory, b, "")
      git(directory, "commit", "-qa", "--amend", "-m", "Emptied")
      save(directory, b, "filled again\n")
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual([projected.imported, projected.conflicts], [2, []])
      assert.strictEqual(show(directory, b), "filled again\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
      // Going back to it is a change like any other.
      git(
        directory,
        "reset",
        "-q",
        "--hard",
        git(directory, "for-each-ref", "--format=%(objectname)", "refs/imported").trim()
      )
      yield* projectSettled(key)
      assert.strictEqual(show(directory, b), "")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("merged and rebased history is kept and its content becomes a revision", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("merged")
      git(directory, "switch", "-qc", "side", "HEAD~1")
      save(directory, "side.md", "side\n")
      git(directory, "add", ".")
      git(directory, "commit", "-qm", "Side")
      const side = git(directory, "rev-parse", "HEAD").trim()
      git(directory, "switch", "-q", "main")
      git(directory, "merge", "-q", "--no-ff", "-m", "Merged", "side")
      assert.strictEqual((yield* projectSettled(key)).imported, 1)
      assert.deepStrictEqual(yield* expectSound(key), [])
      // The merge and what it brought are still reachable.
      assert.strictEqual(
        git(
          directory,
          "merge-base",
          side,
          "--all",
          `refs/imported/${git(directory, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/imported").trim()}`
        ).trim(),
        side
      )
      git(directory, "rebase", "-q", "--force-rebase", "HEAD~2")
      save(directory, "after.md", "after\n")
      git(directory, "add", ".")
      git(directory, "commit", "-qm", "After")
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual([projected.imported, projected.conflicts.length], [1, 0])
      assert.deepStrictEqual(
        [show(directory, a), show(directory, b), show(directory, "side.md"), show(directory, "after.md")],
        ["a\n", "b\n", "side\n", "after\n"]
      )
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("history forked before our latest notes does not remove them", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("forked")
      const old = git(directory, "rev-parse", "HEAD").trim()
      yield* record(key, { "topics/inbox/2026-11/06-c.md": "c\n", [a]: "a, continued\n" })
      yield* projectSettled(key)
      git(directory, "reset", "-q", "--hard", old)
      save(directory, "fork.md", "fork\n")
      git(directory, "add", ".")
      git(directory, "commit", "-qm", "Fork")
      yield* projectSettled(key)
      assert.strictEqual(show(directory, "topics/inbox/2026-11/06-c.md"), "c\n")
      assert.strictEqual(show(directory, a), "a, continued\n")
      assert.strictEqual(show(directory, "fork.md"), "fork\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  for (const [what, begin, end, reason] of [
    [
      "on another branch",
      (directory: string) => git(directory, "switch", "-qc", "other"),
      (directory: string) => git(directory, "switch", "-q", "main"),
      /another branch/
    ],
    [
      "on no branch",
      (directory: string) => git(directory, "switch", "-q", "--detach"),
      (directory: string) => git(directory, "switch", "-q", "main"),
      /another branch/
    ],
    [
      "in a rebase",
      (directory: string) => fs.mkdirSync(join(directory, ".git/rebase-merge")),
      (directory: string) => fs.rmdirSync(join(directory, ".git/rebase-merge")),
      /rebase/
    ],
    [
      "in a merge",
      (directory: string) =>
        fs.writeFileSync(join(directory, ".git/MERGE_HEAD"), git(directory, "rev-parse", "HEAD")),
      (directory: string) => fs.rmSync(join(directory, ".git/MERGE_HEAD")),
      /merge/
    ],
    [
      "in a commit of theirs",
      (directory: string) => fs.writeFileSync(join(directory, ".git/index.lock"), ""),
      (directory: string) => fs.rmSync(join(directory, ".git/index.lock")),
      /locked/
    ]
  ] as const) {
    it.effect(`the working tree of a person ${what} is theirs alone; the commits wait in a ref`, () =>
      Effect.gen(function* () {
        const { directory, key } = yield* start(`busy-${what.replaceAll(" ", "-")}`)
        begin(directory)
        yield* record(key, { "topics/inbox/2026-11/06-c.md": "c\n" })
        save(directory, a, "edited\n")
        const before = contentsOf(directory)
        const head = git(directory, "rev-parse", "main")
        const projected = yield* projectSettled(key)
        assert.match(projected.waiting ?? "", reason)
        assert.deepStrictEqual([projected.head, projected.imported], [3, 0])
        assert.deepStrictEqual(contentsOf(directory), before)
        assert.strictEqual(git(directory, "rev-parse", "main"), head)
        assert.strictEqual(git(directory, "rev-parse", "refs/zapiska/projected").trim(), projected.commit)
        end(directory)
        assert.strictEqual((yield* projectSettled(key)).imported, 1)
        assert.strictEqual(show(directory, a), "edited\n")
        assert.deepStrictEqual(yield* expectSound(key), [])
      })
    )
  }

  it.effect("what cannot be part of the log stays where it is, and the person is told", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("left")
      save(directory, "large.bin", "")
      fs.truncateSync(join(directory, "large.bin"), 51 * 1024 * 1024)
      fs.mkdirSync(join(directory, "module"))
      git(join(directory, "module"), "init", "-q")
      save(directory, "module/inner.md", "inner\n")
      git(join(directory, "module"), "add", ".")
      git(join(directory, "module"), "commit", "-qm", "inner")
      fs.writeFileSync(Buffer.from(`${directory}/bad\xff.md`, "latin1"), "bad\n")
      const left = (yield* projectSettled(key)).leftOut
      assert.deepStrictEqual(
        left.map((one) => one.path),
        ["bad\uFFFD.md", "large.bin", "module/"]
      )
      git(directory, "add", "module", "large.bin")
      save(directory, "fine.md", "fine\n")
      git(directory, "add", "fine.md")
      git(directory, "commit", "-qm", "All of it")
      const projected = yield* projectSettled(key)
      assert.include(
        projected.leftOut.map((one) => one.path),
        "module"
      )
      assert.strictEqual(show(directory, "module/inner.md"), "inner\n")
      assert.strictEqual(fs.statSync(join(directory, "large.bin")).size, 51 * 1024 * 1024)
      const tree = git(directory, "ls-tree", "-r", "--name-only", "HEAD")
      assert.notInclude(tree, "module")
      assert.notInclude(tree, "large.bin")
      assert.include(tree, "fine.md")
      assert.strictEqual((yield* projectSettled(key)).imported, 0)
      fs.rmSync(join(directory, "module"), { recursive: true })
      fs.rmSync(join(directory, "large.bin"))
      fs.rmSync(Buffer.from(`${directory}/bad\xff.md`, "latin1"))
      yield* projectSettled(key)
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("programs a person's configuration names are not run, and files keep their bytes", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("filters")
      const trap = join(directory, "..", "trap")
      for (const name of ["filter.trap.clean", "filter.trap.smudge", "core.fsmonitor"])
        git(directory, "config", name, `touch ${trap}; cat`)
      fs.mkdirSync(join(directory, ".git/hooks"), { recursive: true })
      for (const name of ["reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"])
        fs.writeFileSync(join(directory, ".git/hooks", name), `#!/bin/sh\ntouch ${trap}\n`, { mode: 0o755 })
      git(directory, "config", "core.autocrlf", "true")
      save(directory, ".gitattributes", "* text=auto eol=crlf filter=trap ident\n")
      save(directory, "crlf.md", "one\r\ntwo\r\n$Id$\n")
      yield* record(key, { "lf.md": "one\ntwo\n$Id$\n" })
      yield* projectSettled(key)
      assert.isFalse(fs.existsSync(trap))
      assert.strictEqual(show(directory, "lf.md"), "one\ntwo\n$Id$\n")
      assert.strictEqual(show(directory, "crlf.md"), "one\r\ntwo\r\n$Id$\n")
      fs.rmSync(join(directory, ".git/hooks"), { recursive: true })
      git(directory, "config", "--unset", "core.fsmonitor")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("nothing is written through a folder a person replaced by a link, and the link is kept", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("linked")
      const outside = join(directory, "..", "outside")
      fs.mkdirSync(join(outside, "2026-11"), { recursive: true })
      erase(directory, "topics/inbox")
      fs.symlinkSync(outside, join(directory, "topics/inbox"))
      yield* record(key, { "topics/inbox/2026-11/07-d.md": "d\n" })
      const projected = yield* projectSettled(key)
      assert.deepStrictEqual(projected.conflicts, [{ path: "topics/inbox", copy: "topics/inbox.conflict-3" }])
      assert.deepStrictEqual(fs.readdirSync(join(outside, "2026-11")), [])
      assert.strictEqual(fs.readlinkSync(join(directory, "topics/inbox.conflict-3")), outside)
      assert.strictEqual(show(directory, "topics/inbox/2026-11/07-d.md"), "d\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("files in a folder where the log made a file are kept beside it", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("folder")
      save(directory, "plan/mine.md", "mine\n")
      yield* record(key, { plan: "ours\n" })
      yield* projectSettled(key)
      assert.strictEqual(show(directory, "plan"), "ours\n")
      assert.strictEqual(show(directory, "plan.conflict-3/mine.md"), "mine\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("index.md is ours: edits of it go, and it is no part of any commit", () =>
    Effect.gen(function* () {
      const { directory, key } = yield* start("index")
      const page = show(directory, "index.md")
      save(directory, "index.md", "mine\n")
      const projected = yield* projectSettled(key)
      assert.strictEqual(projected.imported, 0)
      assert.strictEqual(show(directory, "index.md"), page)
      assert.strictEqual(git(directory, "status", "--porcelain"), "")
      assert.notInclude(git(directory, "ls-tree", "-r", "--name-only", "HEAD"), "index.md")
    })
  )
})

// Long enough that nothing a test wrote has settled when it looks.
layerOf(layerWith({ settle: 60_000 }), { excludeTestServices: true })("a file a person is writing", (it) => {
  it.effect("is not taken before it has been left alone, and does not hold up other files", () =>
    Effect.gen(function* () {
      const { directory, key, projection } = yield* start("writing")
      yield* record(key, { "topics/inbox/2026-11/06-c.md": "c\n" })
      save(directory, a, "half wri")
      erase(directory, b)
      const projected = yield* projection.project(key)
      assert.deepStrictEqual([projected.imported, projected.unsettled], [0, [a, b]])
      assert.strictEqual(show(directory, a), "half wri")
      assert.isUndefined(show(directory, b))
      assert.strictEqual(show(directory, "topics/inbox/2026-11/06-c.md"), "c\n")
      assert.strictEqual(git(directory, "rev-parse", "main").trim(), projected.commit)
    })
  )

  it.effect("is not overwritten by a later revision of the log", () =>
    Effect.gen(function* () {
      const { directory, key, projection } = yield* start("writing-both")
      const head = git(directory, "rev-parse", "main")
      yield* record(key, { [a]: "ours\n" })
      save(directory, a, "half wri")
      yield* Effect.forkScoped(projection.project(key))
      const projected = () => git(directory, "for-each-ref", "refs/zapiska/projected")
      const before = projected()
      while (projected() === before) yield* Effect.sleep(20)
      yield* Effect.sleep(300)
      assert.strictEqual(show(directory, a), "half wri")
      assert.strictEqual(git(directory, "rev-parse", "main"), head)
    })
  )
})
