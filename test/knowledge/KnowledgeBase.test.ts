import { assert, describe, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { BlobHash, BotId, ChatId, MessageId, RevisionNumber } from "../../src/domain/Ids.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { mediaPath } from "../../src/knowledge/NotePath.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import * as Harness from "./Harness.ts"
import { baseOf, commit, day, draft, encode, idOf, member, meta, textAt } from "./Harness.ts"

const edit = { ...meta("Edit", day + 60_000), kind: "edit" as const }
const change = (...members: ReadonlyArray<ReturnType<typeof member>>) => ({
  members,
  media: [],
  tags: [],
  updated: day + 60_000
})

layer(Harness.layer)("KnowledgeBase", (it) => {
  describe("write", () => {
    it.effect("makes one revision of the file, its media and its row, found by message and album", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const blobs = yield* Blobs
        const key = baseOf("write")
        const photo = yield* blobs.put(key.tenant, new Uint8Array([1, 2, 3]))
        const media = [{ path: mediaPath(photo, "a.jpg"), blob: photo }]
        const members = [member(1, "one", { albumId: "a1" }), member(2, "two", { albumId: "a1" })]
        const note = yield* base.write(
          key,
          draft(1, "Hello", { tags: ["#a"], members, media }),
          meta("Hello")
        )
        assert.deepStrictEqual(note, {
          id: idOf(1),
          path: "topics/inbox/2026-11/05-hello.md",
          title: "Hello",
          category: "inbox",
          tags: ["a"],
          created: day,
          updated: day,
          revision: RevisionNumber.make(1)
        })
        const [revision] = yield* log.read(key, 0, 10)
        assert.deepInclude(revision, { kind: "note", message: "Hello", date: day })
        assert.deepStrictEqual(
          revision?.files.map((file) => file.path),
          [media[0]!.path, note.path]
        )
        assert.include(yield* textAt(key, note.path), "# Hello\n\none\n\ntwo\n")
        assert.deepStrictEqual(yield* base.note(key, idOf(1)), note)
        const { chat, botId } = members[0]!
        assert.deepStrictEqual(yield* base.noteOfMessage(key, chat, MessageId.make(2)), Option.some(note))
        assert.deepStrictEqual(
          yield* base.noteOfMessage(key, chat, MessageId.make(2), botId),
          Option.some(note)
        )
        assert.isTrue(Option.isNone(yield* base.noteOfMessage(key, chat, MessageId.make(2), BotId.make(5))))
        assert.isTrue(Option.isNone(yield* base.noteOfMessage(key, ChatId.make(1), MessageId.make(2))))
        assert.deepStrictEqual(yield* base.noteOfAlbum(key, chat, "a1"), Option.some(note))
        // The same photo again is no change of its file.
        const again = yield* base.write(key, draft(3, "Again", { media }), meta("Again"))
        assert.deepStrictEqual(
          (yield* log.read(key, 1, 1))[0]?.files.map((file) => file.path),
          [again.path]
        )
        assert.deepStrictEqual(
          (yield* base.recent(key, 10)).map((one) => one.id),
          [idOf(3), idOf(1)]
        )
      })
    )

    it.effect("gives each of many equal titles a path of its own, as macOS and Windows see it", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("paths")
        yield* commit(key, {
          "Topics/Inbox/2026-11/05-ÉTÉ.md": "a person's",
          "topics/inbox/2026-11/05-été-2.md/inside.md": "a folder of that name"
        })
        const paths: Array<string> = []
        for (let number = 1; number <= 25; number++)
          paths.push((yield* base.write(key, draft(number, "été"), meta("été"))).path)
        assert.strictEqual(paths[0], "topics/inbox/2026-11/05-été-3.md")
        assert.strictEqual(paths[17], "topics/inbox/2026-11/05-été-20.md")
        assert.strictEqual(paths[18], `topics/inbox/2026-11/05-été-${idOf(19)}.md`)
        assert.strictEqual(new Set(paths).size, 25)
      })
    )

    it.effect("goes around a file a person keeps where the folder would be", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("folders")
        yield* commit(key, { "topics/Inbox": "mine", "topics-2": "mine too" })
        const note = yield* base.write(key, draft(1, "x"), meta("x"))
        assert.strictEqual(note.path, "topics-3/inbox/2026-11/05-x.md")
      })
    )

    it.effect("joins the caller's transaction: with it or not at all", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const scope = yield* TenantScope
        const key = baseOf("joined")
        const failed = yield* scope
          .transaction(key.tenant, () =>
            Effect.andThen(base.write(key, draft(1, "x"), meta("x")), Effect.fail("changed my mind"))
          )
          .pipe(Effect.flip)
        assert.strictEqual(failed, "changed my mind")
        assert.strictEqual(yield* log.head(key), 0)
        assert.deepStrictEqual(
          yield* log.knowledgeBases(key.tenant).pipe(Effect.map((all) => all.includes(key.name))),
          false
        )
        yield* base.write(key, draft(1, "x"), meta("x"))
        assert.strictEqual(yield* log.head(key), 1)
      })
    )

    it.effect("takes NUL, half surrogates and hostile titles in every text", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("hostile")
        const bad = "a\0b\ud800\u202e/../.git"
        const note = yield* base.write(
          key,
          draft(1, bad, {
            category: bad,
            tags: [bad],
            source: { from: bad, [bad]: [bad] },
            members: [member(1, bad, { albumId: bad })]
          }),
          { ...meta(bad), author: { name: bad, email: bad } }
        )
        assert.match(note.path, /^topics\/a-b-git\/2026-11\/05-a-b-git\.md$/)
        assert.notInclude(yield* textAt(key, note.path), "\0")
        assert.isTrue(Option.isSome(yield* base.noteOfAlbum(key, member(1, "").chat, bad)))
        assert.deepStrictEqual(yield* base.search(key, `${bad} \0`, 5), [])
        assert.deepStrictEqual(yield* base.history(key, { path: bad, limit: 5 }), [])
        assert.strictEqual((yield* base.read(key, bad).pipe(Effect.flip))._tag, "FileUnknown")
        assert.strictEqual(
          (yield* base.move(key, idOf(1), `${bad}.md`, meta("x")).pipe(Effect.flip))._tag,
          "PathRefused"
        )
      })
    )

    it.effect("a media path outside media/ or unsafe is a defect, not a file", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const blob = BlobHash.make("0".repeat(64))
        for (const path of ["topics/inbox/x.md", "media/../x", "media/.git/config", "/media/x"]) {
          const exit = yield* Effect.exit(
            base.write(baseOf("unsafe"), draft(1, "x", { media: [{ path, blob }] }), meta("x"))
          )
          assert.strictEqual(exit._tag, "Failure", path)
        }
      })
    )
  })

  describe("move and remove", () => {
    it.effect("moves a note to a free path and nowhere else", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const key = baseOf("move")
        const note = yield* base.write(key, draft(1, "T"), meta("T"))
        const other = yield* base.write(key, draft(2, "U"), meta("U"))
        for (const to of [
          "../x.md",
          "x.txt",
          other.path.toUpperCase().replace(".MD", ".md"),
          `${other.path}/x.md`,
          ".git/x.md"
        ]) {
          const error = yield* base.move(key, note.id, to, meta("Move")).pipe(Effect.flip)
          assert.strictEqual(error._tag, "PathRefused", to)
        }
        const moved = yield* base.move(key, note.id, "work/t.md", meta("Move"))
        assert.deepStrictEqual(moved, { ...note, path: "work/t.md", revision: RevisionNumber.make(3) })
        assert.deepStrictEqual(yield* base.move(key, note.id, "work/t.md", meta("Move")), moved)
        assert.deepStrictEqual(
          (yield* log.files(key, "work")).map((file) => file.path),
          ["work/t.md"]
        )
        assert.isUndefined(yield* log.file(key, note.path))
        yield* base.remove(key, note.id, meta("Remove"))
        const removed = yield* Effect.flip(base.remove(key, note.id, meta("x")))
        assert.strictEqual(removed._tag, "NoteUnknown")
        assert.strictEqual(
          (yield* Effect.flip(base.move(key, note.id, "y.md", meta("x"))))._tag,
          "NoteUnknown"
        )
      })
    )
  })

  describe("search and history", () => {
    it.effect("finds notes that hold every word, inflected, in title, tags or text as it is now", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("search")
        yield* base.write(
          key,
          draft(1, "Рецепты борща", { tags: ["кухня"], members: [member(1, "Свёкла и капуста")] }),
          meta("1")
        )
        yield* base.write(
          key,
          draft(2, "Trains", { members: [member(2, "The running trains of Borschtown, 100% on time")] }),
          meta("2")
        )
        const ids = (query: string) =>
          Effect.map(base.search(key, query, 10), (found) => found.map((one) => one.id))
        assert.deepStrictEqual(yield* ids("рецепт"), [idOf(1)])
        assert.deepStrictEqual(yield* ids("борщ капусту кухни"), [idOf(1)])
        assert.deepStrictEqual(yield* ids("борщ поезд"), [])
        assert.deepStrictEqual(yield* ids("the train runs"), [idOf(2)])
        assert.deepStrictEqual(yield* ids("the"), [])
        assert.deepStrictEqual(yield* ids("' OR 1=1 & | ! <-> :* ("), [])
        assert.deepStrictEqual(yield* ids(" \n"), [])
        yield* base.amend(key, idOf(1), change(member(1, "Свёкла и морковь")), edit)
        assert.deepStrictEqual(yield* ids("капуста"), [])
        yield* commit(key, { "topics/inbox/2026-11/05-trains.md": "мандарины" })
        assert.deepStrictEqual(yield* ids("мандарин"), [idOf(2)])
        yield* base.remove(key, idOf(2), meta("x"))
        assert.deepStrictEqual(yield* ids("мандарин"), [])
      })
    )

    it.effect("takes a text of any size", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("huge")
        const words = Array.from({ length: 300_000 }, (_, index) => `w${index.toString(36)}`).join(" ")
        yield* base.write(key, draft(1, "Huge", { members: [member(1, words)] }), meta("1"))
        const large = encode("x".repeat(20 * 1024 * 1024))
        const blobs = yield* Blobs
        const hash = yield* blobs.put(key.tenant, large)
        const found = (yield* blobs.get(key.tenant, [hash, BlobHash.make("0".repeat(64))])).get(hash)
        assert.strictEqual(found && Buffer.compare(found, large), 0)
      })
    )

    it.effect("history is newest first, also of one file", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("history")
        const note = yield* base.write(key, draft(1, "T"), meta("first"))
        yield* base.write(key, draft(2, "U"), meta("second"))
        yield* base.amend(key, note.id, change(member(1, "x")), edit)
        const numbers = (options: { path?: string; limit: number }) =>
          Effect.map(base.history(key, options), (all) => all.map((one) => one.number as number))
        assert.deepStrictEqual(yield* numbers({ limit: 2 }), [3, 2])
        assert.deepStrictEqual(yield* numbers({ limit: 9, path: note.path }), [3, 1])
      })
    )
  })
})
