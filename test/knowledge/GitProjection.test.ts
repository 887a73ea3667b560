import * as fs from "node:fs"
import { join } from "node:path"
import { assert, layer as layerOf } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import fc from "fast-check"
import { defaultKnowledgeBase } from "../../src/domain/Ids.ts"
import type { Blobs } from "../../src/knowledge/Blobs.ts"
import { GitProjection } from "../../src/knowledge/GitProjection.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import {
  asSole,
  contentsOf,
  day,
  erase,
  everything,
  expectSound,
  git,
  layer,
  projectSettled,
  record,
  root,
  save,
  settle,
  show,
  temporary
} from "./git/Harness.ts"
import { addTenant, baseOf } from "./Harness.ts"

/** Runs with the environment of the whole process changed. */
const within = <A, E, R>(environment: Record<string, string>, mask: number, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, environment)
      return { before, mask: process.umask(mask) }
    }),
    () => effect,
    (saved) =>
      Effect.sync(() => {
        process.umask(saved.mask)
        for (const name of Object.keys(environment)) delete process.env[name]
        Object.assign(process.env, saved.before)
      })
  )

const hostileNames = [
  "../outside.md",
  "a/../../outside.md",
  "/outside.md",
  ".git/config",
  "topics/.GIT/hooks/post-checkout",
  "git~1/config",
  ".g\u200cit/config",
  "a//b.md",
  "./a.md",
  "index.md",
  `${"long".repeat(75)}.md`
]

const harmlessNames = [
  "-rf.md",
  "--output=outside.md",
  ":(top)x.md",
  'quo"te\\nd.md'.replace("\\", ""),
  "new\nline.md",
  "tab\there.md",
  "emoji 🧑‍🚀.md",
  "\u202egnp.exe.md",
  " leading and trailing ",
  "ünïcode/и/日本.md",
  "$(touch outside).md",
  "%s%n.md"
]

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
      assert.deepStrictEqual(yield* expectSound(key), [])
      assert.deepStrictEqual(yield* projection.project(key), projected)
    })
  )

  it.effect("gives the same hashes under any configuration, environment, time zone and umask", () =>
    Effect.gen(function* () {
      const key = baseOf("same")
      const projection = yield* GitProjection
      const home = yield* temporary("home")
      fs.writeFileSync(
        join(home, ".gitconfig"),
        "[core]\nautocrlf = true\nhooksPath = /nowhere\nquotepath = true\nattributesFile = ~/attributes\n" +
          "[init]\ndefaultBranch = trunk\ndefaultObjectFormat = sha256\ntemplateDir = /nowhere\n" +
          "[commit]\ngpgSign = true\n[user]\nname = Somebody\n[i18n]\ncommitEncoding = ISO-8859-1\n"
      )
      fs.writeFileSync(join(home, "attributes"), "* text eol=crlf ident\n")
      yield* record(key, { "topics/ideas/2026-11/05-ä.md": "one\r\ntwo\n$Id$\n" }, { message: "Ünïcode" })
      yield* record(key, { "b.md": "b\n" }, { date: day + 1999 })
      const plain = yield* projection.project(key)
      const environment = {
        HOME: home,
        GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
        GIT_AUTHOR_NAME: "Somebody",
        GIT_COMMITTER_DATE: "2001-01-01T00:00:00Z",
        GIT_DIR: "/nowhere",
        GIT_INDEX_FILE: "/nowhere",
        GIT_OBJECT_DIRECTORY: "/nowhere",
        TZ: "Pacific/Kiritimati",
        LC_ALL: "tr_TR.UTF-8"
      }
      const elsewhere = yield* temporary("elsewhere")
      const other = yield* within(environment, 0o077, projection.rebuild(key, elsewhere))
      assert.strictEqual(other.commit, plain.commit)
      // The same on every machine, for ever: a change of this hash is a change of all repositories.
      assert.strictEqual(other.commit, "76b59a7a450f9aa5a0054d4ed7e54d117c3f4feb")
      assert.strictEqual(git(elsewhere, "symbolic-ref", "HEAD").trim(), "refs/heads/main")
    }).pipe(Effect.scoped)
  )

  it.effect("hostile names stay inside or are left out; harmless ones keep their spelling", () =>
    Effect.gen(function* () {
      const key = baseOf("hostile")
      const projection = yield* GitProjection
      const directory = projection.directory(key)
      for (const name of [...hostileNames, ...harmlessNames])
        yield* record(
          key,
          { [name]: `${name}\n` },
          {
            author: { name: `Eve <eve>\n${"x".repeat(300)}`, email: "a b\n<c>@d>" },
            message: `${name}\x07\n\nZapiska-Revision: 999\n\u202e${"m".repeat(300)}\n--amend`
          }
        )
      yield* record(key, {}, { author: { name: "", email: "" }, message: "" })
      yield* projection.project(key)
      assert.deepStrictEqual([...(yield* projection.tree(key))].sort(), [...harmlessNames].sort())
      for (const name of harmlessNames) assert.strictEqual(show(directory, name), `${name}\n`)
      for (const name of ["outside.md", "outside"])
        for (const folder of [directory, join(directory, ".."), root])
          assert.isFalse(fs.existsSync(join(folder, name)))
      assert.strictEqual(git(directory, "log", "--format=%an", "-1").trim(), "Unknown")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("clears what a killed git left and finishes a checkout cut short", () =>
    Effect.gen(function* () {
      const key = baseOf("stale")
      const projection = yield* GitProjection
      const directory = projection.directory(key)
      const many = (text: string) =>
        Object.fromEntries(
          Array.from({ length: 20 }, (_, index) => [`many/${index}.md`, `${text} ${index}\n`])
        )
      yield* record(key, { ...many("old"), "gone.md": "gone\n", "kept.md": "kept\n" })
      yield* projection.project(key)
      yield* record(key, { ...many("new"), "gone.md": null, "added.md": "added\n" })
      yield* record(key, { ...many("newer") })
      const fresh = yield* temporary("ahead")
      const ahead = yield* projection.rebuild(key, fresh)
      // As after a kill: commits made, half of the files in place, in several versions, the locks left.
      git(directory, "fetch", "-q", fresh, "main:refs/zapiska/projected", "--force")
      for (let index = 0; index < 10; index += 1) save(directory, `many/${index}.md`, `newer ${index}\n`)
      save(directory, "many/11.md", "new 11\n")
      erase(directory, "gone.md")
      save(directory, "kept.md", "edited by hand\n")
      const dotGit = join(directory, ".git")
      fs.writeFileSync(join(dotGit, "index.lock"), "zapiska\n")
      fs.writeFileSync(join(dotGit, "refs/zapiska/checked-out.lock"), "")
      fs.writeFileSync(join(dotGit, "zapiska/index.lock"), "")
      fs.writeFileSync(join(dotGit, "fast_import_crash_1"), "")
      const old = new Date(Date.now() - 3_600_000)
      for (const name of ["refs/heads/main.lock", "HEAD.lock", "objects/pack/tmp_pack_x"]) {
        fs.mkdirSync(join(dotGit, name, ".."), { recursive: true })
        fs.writeFileSync(join(dotGit, name), "")
        fs.utimesSync(join(dotGit, name), old, old)
      }
      yield* Effect.sleep(settle * 2)
      // A projector that starts anew looks for all this.
      const projected = yield* Effect.provide(
        Effect.flatMap(GitProjection, (anew) => anew.project(key)),
        Layer.fresh(GitProjection.layer({ directory: join(root, "kb"), settle }))
      )
      assert.deepStrictEqual([projected.head, projected.imported], [ahead.head + 1, 1])
      // Of all that differs only this is the person's.
      const [revision] = yield* (yield* RevisionLog).read(key, ahead.head, 10)
      assert.deepStrictEqual(
        [revision?.files.map((file) => file.path), projected.conflicts],
        [["kept.md"], []]
      )
      assert.strictEqual(show(directory, "kept.md"), "edited by hand\n")
      const left = fs.readdirSync(dotGit, { recursive: true }).map(String)
      assert.deepStrictEqual(
        left.filter((name) => /\.lock$|crash|tmp_/.test(name)),
        []
      )
      assert.deepStrictEqual(yield* expectSound(key), [])
    }).pipe(Effect.scoped)
  )

  it.effect("goes on where another of ours was killed with the lock after it had begun", () =>
    Effect.gen(function* () {
      const key = baseOf("locked")
      const projection = yield* GitProjection
      const directory = projection.directory(key)
      yield* record(key, { "a.md": "one\n" })
      yield* projection.project(key)
      fs.writeFileSync(join(directory, ".git/index.lock"), "zapiska of another process\n")
      yield* record(key, { "a.md": "two\n" })
      assert.strictEqual((yield* projection.project(key)).waiting, "files are being changed")
      assert.isUndefined((yield* projection.project(key)).waiting)
      assert.strictEqual(show(directory, "a.md"), "two\n")
      assert.deepStrictEqual(yield* expectSound(key), [])
    })
  )

  it.effect("follows the log and the person, and tells of conflicts", () =>
    Effect.gen(function* () {
      const key = baseOf("followed")
      const projection = yield* GitProjection
      const directory = projection.directory(key)
      const told = yield* Effect.forkScoped(
        projection.events.pipe(
          Stream.filter((event) => event.key.name === key.name && event.conflicts.length > 0),
          Stream.take(1),
          Stream.runCollect
        )
      )
      yield* Effect.forkScoped(asSole(projection.follow(key.tenant)))
      const until = (done: () => boolean) =>
        Effect.gen(function* () {
          while (!done()) yield* Effect.sleep(10)
        }).pipe(Effect.timeout("45 seconds"))
      yield* record(key, { "a.md": "a\n" })
      yield* until(() => show(directory, "a.md") === "a\n")
      save(directory, "b.md", "b\n")
      const log = yield* RevisionLog
      while ((yield* log.head(key)) < 2) yield* Effect.sleep(10)
      fs.writeFileSync(join(directory, ".git/MERGE_HEAD"), git(directory, "rev-parse", "HEAD"))
      // Whoever looked before the merge has looked.
      yield* Effect.sleep("1 second")
      save(directory, "a.md", "theirs\n")
      yield* record(key, { "a.md": "ours\n" })
      fs.rmSync(join(directory, ".git/MERGE_HEAD"))
      const [event] = yield* Fiber.join(told)
      assert.deepStrictEqual(event?.conflicts, [{ path: "a.md", copy: "a.conflict-3.md" }])
    }).pipe(Effect.scoped)
  )

  it.effect("following makes the repository before there is a first note", () =>
    Effect.gen(function* () {
      const projection = yield* GitProjection
      const tenant = yield* addTenant("newcomer")
      const directory = projection.directory({ tenant, name: defaultKnowledgeBase })
      yield* Effect.forkScoped(asSole(projection.follow(tenant)))
      yield* Effect.gen(function* () {
        while (!fs.existsSync(join(directory, "index.md"))) yield* Effect.sleep(10)
      }).pipe(Effect.timeout("45 seconds"))
      assert.strictEqual(git(directory, "symbolic-ref", "HEAD").trim(), "refs/heads/main")
      assert.strictEqual(git(directory, "status", "--porcelain"), "")
    }).pipe(Effect.scoped)
  )

  it.effect("shows its history, files and differences", () =>
    Effect.gen(function* () {
      const key = baseOf("shown")
      const projection = yield* GitProjection
      assert.deepStrictEqual(
        [
          yield* projection.log(key, { limit: 5 }),
          yield* projection.tree(key),
          yield* projection.file(key, "a.md")
        ],
        [[], [], undefined]
      )
      yield* record(key, { "--a.md": "one\n" }, { message: "One\n\nmore" })
      yield* record(key, { "b.md": "b\n" }, { message: "Two" })
      yield* projection.project(key)
      const directory = projection.directory(key)
      save(directory, "c.md", "c\n")
      git(directory, "add", ".")
      git(directory, "commit", "-qm", "Mine")
      yield* projectSettled(key)
      const all = yield* projection.log(key, { limit: 10 })
      assert.deepStrictEqual(
        all.map(({ author, message, revision }) => [author, message, revision]),
        [
          ["Pat Person", "Mine", undefined],
          ["Anna Példa", "Two", 2],
          ["Anna Példa", "One\n\nmore", 1]
        ]
      )
      const [touched, ...others] = yield* projection.log(key, { path: "--a.md", limit: 10 })
      assert.deepStrictEqual([touched?.revision, touched?.date, others], [1, day, []])
      assert.strictEqual(new TextDecoder().decode(yield* projection.file(key, "--a.md")), "one\n")
      assert.include(yield* projection.diff(key, touched?.commit ?? "", "--a.md"), "\n+one\n")
      assert.strictEqual((yield* Effect.exit(projection.diff(key, "--output=outside")))._tag, "Failure")
      assert.isFalse(fs.existsSync(join(directory, "outside")))
    })
  )

  /** What may happen between two projections. */
  type Step =
    | { readonly kind: "note" | "edit" | "delete" | "commit"; readonly file: number; readonly text: string }
    | { readonly kind: "amend" | "merge" | "project" }

  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constantFrom("note", "note", "edit", "delete", "commit"),
      file: fc.nat(4),
      text: fc.string({ maxLength: 20 })
    }) as fc.Arbitrary<Step>,
    fc.constantFrom(
      { kind: "project" },
      { kind: "project" },
      { kind: "amend" },
      { kind: "merge" }
    ) as fc.Arbitrary<Step>
  )

  const act = (directory: string, step: Exclude<Step, { readonly kind: "note" | "project" }>): void => {
    const path = "file" in step ? `n/${step.file}.md` : ""
    if (step.kind === "edit") save(directory, path, step.text)
    if (step.kind === "delete") fs.rmSync(join(directory, path), { force: true })
    if (step.kind === "commit") {
      save(directory, path, step.text)
      git(directory, "add", "-A")
      git(directory, "commit", "-q", "--allow-empty", "-m", "By hand")
    }
    if (step.kind === "amend") git(directory, "commit", "-qa", "--amend", "--allow-empty", "-m", "Amended")
    if (step.kind === "merge") {
      git(directory, "commit", "-q", "--allow-empty", "-m", "Before")
      const tree = git(directory, "write-tree").trim()
      const merge = git(directory, "commit-tree", tree, "-p", "HEAD", "-p", "HEAD~1", "-m", "Merge").trim()
      git(directory, "update-ref", "refs/heads/main", merge)
    }
  }

  it.effect(
    "a repository grown step by step is the one made anew from its log, with all a person wrote",
    () =>
      Effect.gen(function* () {
        const context = yield* Effect.context<GitProjection | RevisionLog | Blobs>()
        let count = 0
        const grown = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>) {
          count += 1
          const key = baseOf(`grown-${count}`)
          const directory = (yield* GitProjection).directory(key)
          yield* record(key, { "n/0.md": "first\n" })
          yield* projectSettled(key)
          for (const step of steps) {
            if (step.kind === "project") yield* projectSettled(key)
            else if (step.kind === "note") yield* record(key, { [`n/${step.file}.md`]: step.text })
            else act(directory, step)
          }
          const { "index.md": _, ...written } = contentsOf(directory)
          yield* projectSettled(key)
          assert.deepStrictEqual(yield* expectSound(key), [])
          const known = new Set(yield* everything(key))
          for (const [path, text] of Object.entries(written)) assert.isTrue(known.has(text), path)
        })
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), (steps) =>
              Effect.runPromiseWith(context)(grown(steps))
            ),
            { numRuns: Number(process.env.PROJECTION_RUNS ?? 8), interruptAfterTimeLimit: 40_000 }
          )
        )
      })
  )
})
