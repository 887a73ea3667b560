/** What becomes of notes that are there: amended, undone, changed by a person. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { MessageId, RevisionNumber, UpdateId } from "../../src/domain/Ids.ts"
import type { NoteDraft } from "../../src/domain/Note.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { mediaPath } from "../../src/knowledge/NotePath.ts"
import { RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import * as Harness from "./Harness.ts"
import { baseOf, commit, day, draft, idOf, member, meta, textAt } from "./Harness.ts"

const edit = { ...meta("Edit", day + 60_000), kind: "edit" as const }
const change = (...members: ReadonlyArray<ReturnType<typeof member>>) => ({
  members,
  media: [],
  tags: [],
  updated: day + 60_000
})

layer(Harness.layer)("KnowledgeBase", (it) => {
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
})
