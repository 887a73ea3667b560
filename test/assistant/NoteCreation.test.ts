import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { NoteCreation } from "../../src/assistant/NoteCreation.ts"
import { RevisionNumber, UpdateId } from "../../src/domain/Ids.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { BotRecorder } from "../../src/telegram/BotPort.ts"
import {
  comesUp,
  count,
  create,
  edit,
  key,
  layer,
  member,
  photo,
  saying,
  textOf,
  undo,
  user
} from "./NoteHarness.ts"

describe("NoteCreation", () => {
  it.live("a unit becomes one note with every message in order", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "Buy milk. And #shopping bread"), member(2, "and eggs"))
      const { note } = outcome!
      assert.strictEqual(note.title, "Buy milk")
      assert.strictEqual(note.category, "shopping")
      const text = yield* textOf(note.path)
      assert.isTrue(text.indexOf("And #shopping bread") < text.indexOf("and eggs"))
    }).pipe(Effect.provide(layer))
  )

  it.live("the same updates again change nothing", () =>
    Effect.gen(function* () {
      yield* create(member(1, "once"))
      const again = yield* Effect.exit(create(member(1, "once"), member(2, "new")))
      assert.isTrue(Exit.isFailure(again))
      assert.strictEqual(yield* count, 1)
    }).pipe(Effect.provide(layer))
  )

  it.live(
    "units ready at the same time are written together; one handled before keeps none of them back",
    () =>
      Effect.gen(function* () {
        yield* create(member(1, "once"))
        const exits = yield* Effect.forEach(
          [member(2, "two"), member(1, "once"), member(3, "three"), member(4, "two")],
          (one) => Effect.exit(create(one)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true, true])
        const notes = yield* KnowledgeBase.use((knowledge) => knowledge.recent(key, 10))
        assert.deepStrictEqual(notes.map(({ title }) => title).sort(), ["once", "three", "two", "two"])
        assert.strictEqual(new Set(notes.map(({ path }) => path)).size, 4)
      }).pipe(Effect.provide(layer))
  )

  it.live("units ready at the same time get numbers of their own, in one transaction", () =>
    Effect.gen(function* () {
      const made = yield* Effect.forEach([1, 2, 3], (id) => create(member(id, `note ${id}`)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        made.map(([outcome]) => outcome!.note.revision),
        [1, 2, 3].map((number) => RevisionNumber.make(number))
      )
      for (const [outcome] of made) assert.include(yield* textOf(outcome!.note.path), outcome!.note.title)
    }).pipe(Effect.provide(layer))
  )

  it.live("the late rest of an album goes into the note of its album, other messages into a new one", () =>
    Effect.gen(function* () {
      const [first] = yield* create(member(1, "holiday", { albumId: "a" }))
      const outcomes = yield* create(member(2, "the rest", { albumId: "a" }), member(3, "something else"))
      assert.deepStrictEqual(
        outcomes.map(({ amended }) => amended),
        [false, true]
      )
      assert.strictEqual(outcomes[1]?.note.id, first?.note.id)
      assert.include(yield* textOf(first!.note.path), "the rest")
      assert.notInclude(yield* textOf(first!.note.path), "something else")
    }).pipe(Effect.provide(layer))
  )

  it.live("a message another update brought already is not written twice", () =>
    Effect.gen(function* () {
      const [first] = yield* create(member(1, "came as an edit"))
      const again = { ...member(1, "came as an edit"), updateId: UpdateId.make(50) }
      const outcomes = yield* create(again, member(2, "new"))
      assert.deepStrictEqual(
        outcomes.map(({ note }) => note.id === first?.note.id),
        [false, true]
      )
      assert.lengthOf((yield* textOf(first!.note.path)).match(/^came as an edit$/gm) ?? [], 1)
    }).pipe(Effect.provide(layer))
  )

  it.live("an edit rewrites the message's block; an edit of an unknown message is left to the caller", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "teh plan"), member(2, "stays"))
      assert.isTrue(yield* edit(member(1, "the plan"), 10))
      const text = yield* textOf(outcome!.note.path)
      assert.include(text, "the plan")
      assert.notInclude(text.split("---\n").slice(2).join(""), "\nteh plan")
      assert.include(text, "stays")
      assert.isFalse(yield* edit(member(99, "who?"), 11))
    }).pipe(Effect.provide(layer))
  )

  it.live("photos are stored by content and shown in the note", () =>
    Effect.gen(function* () {
      const recorder = yield* BotRecorder
      yield* recorder.provideFile("p", new Uint8Array([1, 2, 3]))
      const [outcome] = yield* create(member(1, "look", { attachments: [photo("p")] }))
      const path = /!\[.*\]\(\.\.\/\.\.\/\.\.\/(media\/.*\.jpg)\)/.exec(
        yield* textOf(outcome!.note.path)
      )?.[1]
      assert.isDefined(path)
      const bytes = yield* KnowledgeBase.use((knowledge) => knowledge.read(key, path!))
      assert.deepStrictEqual([...bytes], [1, 2, 3])
    }).pipe(Effect.provide(layer))
  )

  it.live("edits that come in the wrong order end with the newest text", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "one"))
      assert.isTrue(yield* edit(member(1, "three", { editDate: 1_800_000_200 }), 12))
      assert.isTrue(yield* edit(member(1, "two", { editDate: 1_800_000_100 }), 11))
      assert.match(yield* textOf(outcome!.note.path), /\n\nthree\n$/)
    }).pipe(Effect.provide(layer))
  )

  it.live("an edit of a message whose note was taken away is handled and nothing else", () =>
    Effect.gen(function* () {
      const [outcome] = yield* create(member(1, "private"))
      yield* undo(outcome!)
      const late = member(1, "still private", { editDate: 1_800_000_100 })
      assert.isTrue(yield* edit(late, 10))
      assert.strictEqual(yield* count, 0)
      assert.strictEqual((yield* edit(late, 10).pipe(Effect.flip))._tag, "AlreadyHandled")
      // Nor does it come back when that text arrives as a message of another update.
      yield* create({ ...late, updateId: UpdateId.make(50) })
      assert.strictEqual(yield* count, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("the late rest of an album whose note was taken away makes a note of its own", () =>
    Effect.gen(function* () {
      const [first] = yield* create(member(1, "holiday", { albumId: "a" }))
      yield* undo(first!)
      const [second] = yield* create(member(2, "the rest", { albumId: "a" }))
      const [third] = yield* create(member(3, "the last", { albumId: "a" }))
      assert.isFalse(second?.amended)
      assert.strictEqual(third?.note.id, second?.note.id)
      assert.match(yield* textOf(third!.note.path), /\n\nthe rest\n.*\n\nthe last\n$/s)
      assert.strictEqual(yield* count, 1)
    }).pipe(Effect.provide(layer))
  )

  it.live("a note that is saved just as it came gets its files all the same", () =>
    Effect.gen(function* () {
      yield* comesUp
      const paths: Array<string> = []
      const one = member(1, "look", { attachments: [photo("p")] })
      yield* NoteCreation.use((notes) =>
        notes.create({
          user,
          members: [one],
          updates: [one.updateId],
          raw: true,
          announce: (outcomes) => {
            paths.push(...outcomes.map(({ note }) => note.path))
            return { grants: [], entries: () => [] }
          }
        })
      )
      assert.include(yield* textOf(paths[0]!), '"text": "look"')
      yield* saying(paths[0]!, "media/")
    }).pipe(Effect.provide(layer))
  )
})
