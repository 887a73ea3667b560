import { assert, describe, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { BlobHash, MessageId, RevisionNumber } from "../../src/domain/Ids.ts"
import type { Revision } from "../../src/domain/Note.ts"
import { Blobs, hashOf } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { signalOf } from "../../src/knowledge/Rows.ts"
import { Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import * as Harness from "./Harness.ts"
import { addTenant, baseOf, commit, day, draft, encode, member, meta } from "./Harness.ts"

const person = { name: "A person", email: "person@example.org" }
const revision = (files: Revision["files"], more: Partial<Revision> = {}) => ({
  kind: "person" as const,
  author: person,
  date: day,
  message: "m",
  files,
  ...more
})

layer(Harness.layer)("RevisionLog", (it) => {
  it.effect("gives back what was added, in order, with the raw commit of a person", () =>
    Effect.gen(function* () {
      const log = yield* RevisionLog
      const blobs = yield* Blobs
      const key = baseOf("log")
      assert.strictEqual(yield* log.head(key), 0)
      assert.deepStrictEqual(yield* log.read(key, 0, 10), [])
      const [a, b] = yield* Effect.forEach(["a", "b"], (text) => blobs.put(key.tenant, encode(text)))
      const one = revision([
        { path: "link", blob: a!, mode: "120000" },
        { path: "é/run.sh", blob: b!, mode: "100755" }
      ])
      const two = revision([{ path: "link", blob: null, mode: "120000" }], {
        rawCommit: new Uint8Array([0, 255])
      })
      const three = revision([])
      for (const [index, each] of [one, two, three].entries())
        assert.strictEqual(yield* log.append(key, each), index + 1)
      const numbered = [one, two, three].map((each, index) => ({
        ...each,
        number: RevisionNumber.make(index + 1)
      }))
      const read = yield* log.read(key, 0, 10)
      assert.deepStrictEqual(
        read.map((each) => ({
          ...each,
          ...(each.rawCommit && { rawCommit: new Uint8Array(each.rawCommit) })
        })),
        numbered
      )
      assert.deepStrictEqual(
        (yield* log.read(key, 1, 1)).map((each) => each.number as number),
        [2]
      )
      assert.strictEqual(yield* log.head(key), 3)
      assert.deepStrictEqual(yield* log.files(key), [one.files[1]!] as never)
      assert.deepStrictEqual(yield* log.files(key, "é"), [one.files[1]!] as never)
      assert.deepStrictEqual(yield* log.files(key, "_"), [])
      assert.deepStrictEqual(yield* log.file(key, "é/run.sh"), one.files[1]! as never)
      assert.isUndefined(yield* log.file(key, "link"))
      assert.deepStrictEqual(yield* log.versions(key, "link", 0), [null, a!])
      assert.deepStrictEqual(yield* log.versions(key, "link", 1), [null])
      assert.deepStrictEqual(yield* log.versions(key, "bad\0\ud800", 0), [])
      assert.isUndefined(yield* log.file(key, "bad\0"))
      assert.deepStrictEqual(yield* log.files(key, "bad\0"), [])
    })
  )

  it.effect("refuses to add behind the back of one who has not seen the head", () =>
    Effect.gen(function* () {
      const log = yield* RevisionLog
      const key = baseOf("at")
      assert.strictEqual(yield* log.appendAt(key, 0, revision([])), 1)
      const error = yield* log.appendAt(key, 0, revision([])).pipe(Effect.flip)
      assert.deepInclude(error, { _tag: "HeadMoved", expected: 0, actual: 1 })
      assert.strictEqual(yield* log.appendAt(key, 1, revision([])), 2)
    })
  )

  it.effect("whoever has locked the head is alone until the transaction ends", () =>
    Effect.gen(function* () {
      const log = yield* RevisionLog
      const scope = yield* TenantScope
      const key = baseOf("lock")
      const locked = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(
        Effect.andThen(Deferred.await(locked), log.append(key, revision([], { message: "third" })))
      )
      yield* scope.transaction(key.tenant, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* log.lockHead(key), 0)
          yield* Deferred.succeed(locked, undefined)
          assert.strictEqual(yield* log.append(key, revision([], { message: "first" })), 1)
          assert.strictEqual(yield* log.append(key, revision([], { message: "second" })), 2)
        })
      )
      assert.strictEqual(yield* Fiber.join(other), 3)
    })
  )

  it.effect("tells of growth once it is durable, and of nothing that is not a knowledge base", () =>
    Effect.gen(function* () {
      const log = yield* RevisionLog
      const scope = yield* TenantScope
      const signals = yield* Signals
      const key = baseOf("signal")
      const heard = yield* log.changes.pipe(
        Stream.filter((one) => one.name.startsWith("signal")),
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* scope
        .transaction(key.tenant, () =>
          Effect.andThen(log.append(baseOf("signal-lost"), revision([])), Effect.fail("no"))
        )
        .pipe(Effect.flip)
      yield* scope.transaction(key.tenant, (sql) => signals.notify(sql, "zapiska_revisions", "signal/../x"))
      yield* log.append(key, revision([]))
      yield* log.append(baseOf("signal-2"), revision([]))
      assert.deepStrictEqual(yield* Fiber.join(heard), [key, baseOf("signal-2")])
      assert.strictEqual(signalOf(key), "default/signal")
    })
  )

  describe("another tenant with a knowledge base of the same name", () => {
    it.effect("sees and changes nothing of it, by any method", () =>
      Effect.gen(function* () {
        const log = yield* RevisionLog
        const base = yield* KnowledgeBase
        const blobs = yield* Blobs
        const scope = yield* TenantScope
        const mine = baseOf("same")
        const theirs: KnowledgeBaseKey = { tenant: yield* addTenant("other"), name: mine.name }
        const secret = yield* blobs.put(mine.tenant, encode("secret"))
        const members = [member(1, "secret", { albumId: "album" })]
        const note = yield* base.write(mine, draft(1, "Secret", { members }), meta("Secret"))
        yield* commit(mine, { "mine.md": "secret" })
        const before = [yield* log.read(mine, 0, 9), yield* log.files(mine), yield* base.recent(mine, 9)]

        assert.strictEqual((yield* blobs.get(theirs.tenant, [secret])).size, 0)
        assert.strictEqual(yield* log.head(theirs), 0)
        assert.deepStrictEqual(yield* log.read(theirs, 0, 9), [])
        assert.deepStrictEqual(yield* log.files(theirs), [])
        assert.isUndefined(yield* log.file(theirs, note.path))
        assert.deepStrictEqual(yield* log.versions(theirs, note.path, 0), [])
        assert.deepStrictEqual(yield* log.knowledgeBases(theirs.tenant), [])
        const { chat } = members[0]!
        assert.isTrue(Option.isNone(yield* base.noteOfMessage(theirs, chat, MessageId.make(1))))
        assert.isTrue(Option.isNone(yield* base.noteOfAlbum(theirs, chat, "album")))
        for (const empty of [
          base.recent(theirs, 9),
          base.search(theirs, "secret", 9),
          base.history(theirs, { limit: 9 })
        ])
          assert.strictEqual((yield* empty as Effect.Effect<ReadonlyArray<unknown>, unknown>).length, 0)
        const change = { members, media: [], tags: [], updated: day }
        const refused = [
          base.note(theirs, note.id),
          base.amend(theirs, note.id, change, { ...meta("x"), kind: "edit" }),
          base.read(theirs, note.path),
          base.move(theirs, note.id, "x.md", meta("x")),
          base.remove(theirs, note.id, meta("x")),
          base.undo(theirs, note.revision, meta("x"))
        ] as ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>>
        for (const one of refused)
          assert.include(["NoteUnknown", "FileUnknown", "RevisionUnknown"], (yield* Effect.flip(one))._tag)

        // Their own note of the same id, path and message lives beside it.
        const own = yield* base.write(
          theirs,
          draft(1, "Secret", { members: [member(1, "theirs")] }),
          meta("x")
        )
        assert.strictEqual(own.path, note.path)
        assert.strictEqual(own.revision, 1)
        yield* commit(theirs, { [note.path]: null, "elsewhere.md": "x" })
        assert.deepStrictEqual(
          [yield* log.read(mine, 0, 9), yield* log.files(mine), yield* base.recent(mine, 9)],
          before
        )
        // Content of another tenant cannot be named into one's own log.
        const stolen = yield* log
          .append(theirs, revision([{ path: "stolen.md", blob: secret, mode: "100644" }]))
          .pipe(Effect.flip)
        assert.strictEqual(stolen.reason._tag, "ConstraintError")
        const inside = yield* Effect.exit(scope.transaction(mine.tenant, () => base.recent(theirs, 1)))
        assert.strictEqual(inside._tag, "Failure")
      })
    )
  })

  it.effect("fifty notes written at once have a number and a path each", () =>
    Effect.gen(function* () {
      const base = yield* KnowledgeBase
      const log = yield* RevisionLog
      const key = baseOf("fifty")
      const notes = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => index + 1),
        (number) => base.write(key, draft(number, number % 2 === 0 ? "even" : "odd"), meta("x")),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        notes.map((note) => note.revision as number).toSorted((a, b) => a - b),
        Array.from({ length: 50 }, (_, index) => index + 1)
      )
      assert.strictEqual(new Set(notes.map((note) => note.path)).size, 50)
      assert.deepStrictEqual(
        (yield* log.files(key)).map((file) => file.path),
        notes.map((note) => note.path).toSorted()
      )
    })
  )

  it.effect("edits of one note at once lose nothing", () =>
    Effect.gen(function* () {
      const base = yield* KnowledgeBase
      const key = baseOf("edits")
      const note = yield* base.write(key, draft(1, "T"), meta("T"))
      yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index + 2),
        (number) =>
          base.amend(
            key,
            note.id,
            { members: [member(number, `late ${number}`)], media: [], tags: [`t${number}`], updated: day },
            { ...meta("x"), kind: "amend" }
          ),
        { concurrency: "unbounded" }
      )
      const text = yield* Harness.textAt(key, note.path)
      const blocks = text.split("\n\n").slice(-21)
      assert.deepStrictEqual(
        blocks.map((block) => block.trim()),
        ["text of 1", ...Array.from({ length: 20 }, (_, index) => `late ${index + 2}`)]
      )
      assert.strictEqual((yield* base.note(key, note.id)).tags.length, 20)
    })
  )
})

layer(Harness.layer)("Blobs", (it) => {
  it.effect("are named by their SHA-256 and stored once", () =>
    Effect.gen(function* () {
      const blobs = yield* Blobs
      const { tenant } = baseOf("x")
      const hash = yield* blobs.put(tenant, encode("abc"))
      assert.strictEqual(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      assert.strictEqual(yield* blobs.put(tenant, encode("abc")), hash)
      const empty = yield* blobs.put(tenant, new Uint8Array())
      const found = yield* blobs.get(tenant, [hash, empty, hash, BlobHash.make("0".repeat(64))])
      assert.deepStrictEqual(
        [...found]
          .map(([name, bytes]) => [name, [...bytes]] as const)
          .toSorted(([a], [b]) => a.localeCompare(b)),
        [
          [hash, [97, 98, 99]],
          [empty, []]
        ]
      )
      assert.strictEqual(hashOf(new Uint8Array()), empty)
      assert.strictEqual((yield* blobs.get(tenant, [])).size, 0)
    })
  )
})
