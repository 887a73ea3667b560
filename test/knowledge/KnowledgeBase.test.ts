import { assert, describe, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { BlobHash, BotId, ChatId, MessageId, RevisionNumber, UpdateId } from "../../src/domain/Ids.ts"
import type { NoteDraft } from "../../src/domain/Note.ts"
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

  describe("amend", () => {
    it.effect("rewrites an edited message's block in the file as a person left it", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const key = baseOf("amend")
        const note = yield* base.write(
          key,
          draft(1, "T", { members: [member(1, "one"), member(2, "two")] }),
          meta("T")
        )
        const mine = `${yield* textAt(key, note.path)}\nMy remark\n`
        yield* commit(key, { [note.path]: mine })
        const after = yield* base.amend(key, note.id, { ...change(member(2, "zwei")), tags: ["#new"] }, edit)
        assert.deepInclude(after, { revision: RevisionNumber.make(3), tags: ["new"], updated: day + 60_000 })
        const text = yield* textAt(key, note.path)
        assert.match(text, /one\n\nzwei\n\nMy remark\n$/)
        assert.include(text, "updated: 2026-11-05T10:01:00.000Z")
        assert.deepStrictEqual(yield* base.note(key, note.id), after)
        // The same edit again, and one of nothing, are no revisions.
        assert.deepStrictEqual(yield* base.amend(key, note.id, change(member(2, "zwei")), edit), after)
        assert.deepStrictEqual(yield* base.amend(key, note.id, change(), edit), after)
        assert.strictEqual(yield* log.head(key), 3)
        // The next edit finds the block of the last.
        yield* base.amend(key, note.id, change(member(2, "deux")), edit)
        assert.match(yield* textAt(key, note.path), /one\n\ndeux\n\nMy remark\n$/)
      })
    )

    it.effect("adds a late message and late media", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const blobs = yield* Blobs
        const key = baseOf("late")
        const note = yield* base.write(key, draft(5, "T"), meta("T"))
        const amend = { ...meta("More"), kind: "amend" as const }
        yield* base.amend(key, note.id, change(member(4, "before")), amend)
        assert.match(yield* textAt(key, note.path), /before\n\ntext of 5\n$/)
        const found = yield* base.noteOfMessage(key, member(4, "").chat, MessageId.make(4))
        assert.strictEqual(Option.getOrThrow(found).id, note.id)
        const blob = yield* blobs.put(key.tenant, new Uint8Array([9]))
        const media = [{ path: mediaPath(blob, "x.pdf"), blob }]
        const after = yield* base.amend(key, note.id, { ...change(), media }, amend)
        assert.deepStrictEqual([...(yield* base.read(key, media[0]!.path))], [9])
        assert.strictEqual(after.revision, 3)
        assert.deepStrictEqual(yield* base.amend(key, note.id, { ...change(), media }, amend), after)
      })
    )

    it.effect("a removed note stays removed, whatever comes for it", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("gone")
        const chat = member(1, "").chat
        const note = yield* base.write(
          key,
          draft(1, "T", { members: [member(1, "one", { albumId: "a" })] }),
          meta("T")
        )
        yield* commit(key, { [note.path]: null })
        const blob = yield* (yield* Blobs).put(key.tenant, new Uint8Array([7]))
        const media = [{ path: mediaPath(blob, "x.jpg"), blob }]
        const amendment = { ...change(member(1, "edited")), media }
        assert.strictEqual(
          (yield* base.amend(key, note.id, amendment, edit).pipe(Effect.flip))._tag,
          "NoteUnknown"
        )
        assert.deepStrictEqual(yield* base.recent(key, 5), [])
        assert.deepStrictEqual(yield* base.history(key, { path: media[0]!.path, limit: 1 }), [])
        // An edit finds whose message it was; the rest of the album finds nothing to go to.
        assert.isTrue(Option.isSome(yield* base.noteOfMessage(key, chat, MessageId.make(1))))
        assert.isTrue(Option.isNone(yield* base.noteOfAlbum(key, chat, "a")))
      })
    )

    it.effect("of the texts of one message the newest stays, in whatever order they come", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const blobs = yield* Blobs
        const key = baseOf("order")
        const note = yield* base.write(key, draft(1, "T"), meta("T"))
        const at = (text: string, edited: number, update: number) =>
          member(1, text, { edited: member(1, "").date + edited, updateId: UpdateId.make(update) })
        const put = (one: ReturnType<typeof member>, more: Partial<Pick<NoteDraft, "media" | "tags">> = {}) =>
          base.amend(key, note.id, { ...change(one), ...more }, edit)
        const text = Effect.suspend(() => textAt(key, note.path))

        yield* put(at("three", 200, 12))
        const three = yield* text
        assert.match(three, /\n\nthree\n$/)
        yield* put(at("two", 100, 11), { tags: ["old"] })
        yield* put(member(1, "text of 1"))
        assert.strictEqual(yield* text, three)
        assert.strictEqual(yield* log.head(key), 2)
        // What an older text brings as files is there all the same.
        const blob = yield* blobs.put(key.tenant, new Uint8Array([8]))
        const media = [{ path: mediaPath(blob, "x.jpg"), blob }]
        yield* put(at("two", 100, 11), { media })
        assert.deepStrictEqual([...(yield* base.read(key, media[0]!.path))], [8])
        assert.strictEqual(yield* text, three)
        // Of one second the later update counts; the same one again may say it better.
        yield* put(at("four", 200, 13))
        yield* put(at("three", 200, 12))
        assert.match(yield* text, /\n\nfour\n$/)
        yield* put(at("four, better", 200, 13))
        assert.match(yield* text, /\n\nfour, better\n$/)
        // The same text again is remembered as the newest.
        yield* put(at("four, better", 400, 15))
        yield* put(at("five", 300, 14))
        assert.match(yield* text, /\n\nfour, better\n$/)
      })
    )

    it.effect("a message of another note, and an unknown note, are refused", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("refused")
        yield* base.write(key, draft(1, "T"), meta("T"))
        yield* base.write(key, draft(2, "U"), meta("U"))
        const error = yield* base.amend(key, idOf(1), change(member(2, "stolen")), edit).pipe(Effect.flip)
        assert.strictEqual(error._tag === "SqlError" && error.reason._tag, "UniqueViolation")
        assert.strictEqual(
          (yield* base.amend(key, idOf(9), change(), edit).pipe(Effect.flip))._tag,
          "NoteUnknown"
        )
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

  describe("undo", () => {
    it.effect("takes a note back, and the undo of that brings it again, media staying", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const blobs = yield* Blobs
        const key = baseOf("undo")
        const photo = yield* blobs.put(key.tenant, new Uint8Array([1]))
        const media = [{ path: mediaPath(photo, "a.jpg"), blob: photo }]
        const note = yield* base.write(key, draft(1, "T", { media }), meta("T"))
        const undone = yield* base.undo(key, note.revision, meta("Undo"))
        assert.deepInclude(undone, { number: RevisionNumber.make(2), kind: "undo" })
        assert.deepStrictEqual(
          (yield* log.files(key)).map((file) => file.path),
          [media[0]!.path]
        )
        assert.deepStrictEqual(yield* base.recent(key, 5), [])
        // Once undone there is nothing left to undo.
        assert.deepStrictEqual(yield* base.undo(key, note.revision, meta("Undo")), undone)
        yield* base.undo(key, undone.number, meta("Undo"))
        assert.deepInclude(yield* base.note(key, note.id), { path: note.path, title: "T" })
        assert.strictEqual(
          (yield* base.undo(key, RevisionNumber.make(99), meta("x")).pipe(Effect.flip))._tag,
          "RevisionUnknown"
        )
      })
    )

    it.effect("names the later changes that stand against it, and overrides them when forced", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("conflict")
        const note = yield* base.write(key, draft(1, "T"), meta("T"))
        yield* base.amend(key, note.id, change(member(1, "edited")), edit)
        yield* commit(key, { [note.path]: "by hand", "other.md": "x" })
        const conflict = yield* base.undo(key, RevisionNumber.make(2), meta("Undo")).pipe(Effect.flip)
        assert.deepInclude(conflict, {
          _tag: "UndoConflict",
          later: [{ number: RevisionNumber.make(3), message: "By hand", path: note.path }]
        })
        yield* base.undo(key, RevisionNumber.make(2), meta("Undo"), { force: true })
        assert.match(yield* textAt(key, note.path), /text of 1\n$/)
        assert.deepInclude(yield* base.note(key, note.id), { revision: RevisionNumber.make(4), title: "T" })
      })
    )

    it.effect("moves notes back", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("unmove")
        const note = yield* base.write(key, draft(1, "T"), meta("T"))
        const moved = yield* base.move(key, note.id, "x.md", meta("Move"))
        yield* base.undo(key, moved.revision, meta("Undo"))
        assert.strictEqual((yield* base.note(key, note.id)).path, note.path)
      })
    )
  })

  describe("a person's commits", () => {
    it.effect("take the rows of notes along: moved, retitled, removed and restored", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("follow")
        const note = yield* base.write(key, draft(1, "T", { tags: ["a"] }), meta("T"))
        const text = yield* textAt(key, note.path)
        yield* commit(key, { [note.path]: null, "archive/T.md": text, "copy.md": "other" })
        assert.deepInclude(yield* base.note(key, note.id), {
          path: "archive/T.md",
          revision: RevisionNumber.make(2)
        })
        const retitled = text
          .replace("title: T", 'title: "New\\0 \\u202e name"')
          .replace("- a", "- a\n  - Добавлено")
        yield* commit(key, { "archive/T.md": null, "b.md": retitled })
        assert.deepInclude(yield* base.note(key, note.id), {
          path: "b.md",
          title: "New\uFFFD name",
          tags: ["a", "Добавлено"]
        })
        // A copy is no move, and front matter gone is no other note.
        yield* commit(key, { "c.md": retitled })
        yield* commit(key, { "b.md": "no front matter" })
        assert.deepInclude(yield* base.note(key, note.id), { path: "b.md" })
        yield* commit(key, { "b.md": null })
        assert.strictEqual((yield* base.note(key, note.id).pipe(Effect.flip))._tag, "NoteUnknown")
        yield* commit(key, { "b.md": "no front matter" })
        assert.deepInclude(yield* base.note(key, note.id), { path: "b.md" })
      })
    )

    it.effect("may swap two notes", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const key = baseOf("swap")
        const a = yield* base.write(key, draft(1, "A"), meta("A"))
        const b = yield* base.write(key, draft(2, "B"), meta("B"))
        yield* commit(key, { [a.path]: yield* textAt(key, b.path), [b.path]: yield* textAt(key, a.path) })
        assert.strictEqual((yield* base.note(key, a.id)).path, b.path)
        assert.strictEqual((yield* base.note(key, b.id)).path, a.path)
      })
    )

    it.effect("may hold bytes that are no text", () =>
      Effect.gen(function* () {
        const base = yield* KnowledgeBase
        const log = yield* RevisionLog
        const blobs = yield* Blobs
        const key = baseOf("binary")
        const note = yield* base.write(key, draft(1, "T"), meta("T"))
        const blob = yield* blobs.put(key.tenant, new Uint8Array([0xff, 0x00, 0x80]))
        const author = { name: "p", email: "p" }
        const files = [{ path: note.path, blob, mode: "120000" as const }]
        yield* log.append(key, { kind: "person", author, date: day, message: "m", files })
        assert.deepInclude(yield* base.note(key, note.id), { path: note.path, title: "T" })
        // What is now a symbolic link is left alone; the note gets a file again.
        const after = yield* base.amend(key, note.id, change(member(1, "edited")), edit)
        assert.strictEqual(after.path, note.path.replace(".md", "-2.md"))
        assert.deepStrictEqual([...(yield* base.read(key, note.path))], [0xff, 0x00, 0x80])
        assert.include(yield* textAt(key, after.path), "# T\n\nedited\n")
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
