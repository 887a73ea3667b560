import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import {
  comesUp,
  count,
  create,
  edit,
  goesDown,
  key,
  layer,
  member,
  photo,
  saying,
  textOf,
  undo
} from "./NoteHarness.ts"

const attachments = [photo("p")]
const corrected = member(1, "the caption", { attachments, editDate: 1_800_000_100 })
const body = (text: string) => text.split("---\n").slice(2).join("")

describe("MediaRetry", () => {
  it.live("a file that cannot be fetched now is in the note as soon as it can be", () =>
    Effect.gen(function* () {
      yield* goesDown
      const [outcome] = yield* create(member(1, "look", { attachments }))
      assert.notInclude(yield* textOf(outcome!.note.path), "media/")
      yield* comesUp
      const path = /media\/[^)]*/.exec(yield* saying(outcome!.note.path, "media/"))![0]
      const bytes = yield* KnowledgeBase.use((knowledge) => knowledge.read(key, path))
      assert.deepStrictEqual([...bytes], [1, 2, 3])
    }).pipe(Effect.provide(layer))
  )

  it.live("a file that comes after an edit comes with the edited caption", () =>
    Effect.gen(function* () {
      yield* goesDown
      const [outcome] = yield* create(member(1, "teh caption", { attachments }))
      yield* edit(corrected, 10)
      assert.notInclude(yield* textOf(outcome!.note.path), "media/")
      yield* comesUp
      const text = body(yield* saying(outcome!.note.path, "media/"))
      assert.include(text, "\nthe caption")
      assert.notInclude(text, "\nteh caption")
    }).pipe(Effect.provide(layer))
  )

  it.live("a file that was waited for does not take an edited caption back", () =>
    Effect.gen(function* () {
      yield* goesDown
      const [outcome] = yield* create(member(1, "teh caption", { attachments }))
      // Begins to wait later: once its file is there, the other's was tried.
      const [witness] = yield* create(member(2, "look", { attachments: [photo("q")] }))
      yield* comesUp
      yield* edit(corrected, 10)
      const before = yield* textOf(outcome!.note.path)
      assert.include(before, "media/")
      yield* saying(witness!.note.path, "media/")
      assert.strictEqual(yield* textOf(outcome!.note.path), before)
    }).pipe(Effect.provide(layer))
  )

  it.live("a note that was taken away does not come back with its file", () =>
    Effect.gen(function* () {
      yield* goesDown
      const [outcome] = yield* create(member(1, "private", { attachments }))
      const [witness] = yield* create(member(2, "look", { attachments: [photo("q")] }))
      yield* undo(outcome!)
      yield* comesUp
      yield* saying(witness!.note.path, "media/")
      assert.strictEqual(yield* count, 1)
    }).pipe(Effect.provide(layer))
  )
})
