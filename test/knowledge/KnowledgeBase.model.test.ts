/**
 * Random writes, amendments, moves, removals, undos and commits of a person, by two writers at once. The
 * reference is the log itself, replayed in memory; each note's place follows from the files' front matter.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { BlobHash, NoteId } from "../../src/domain/Ids.ts"
import { RevisionNumber } from "../../src/domain/Ids.ts"
import type { NoteSummary, Revision } from "../../src/domain/Note.ts"
import { Blobs } from "../../src/knowledge/Blobs.ts"
import { idIn } from "../../src/knowledge/FrontMatter.ts"
import { KnowledgeBase } from "../../src/knowledge/KnowledgeBase.ts"
import { pathProblem } from "../../src/knowledge/NotePath.ts"
import { type KnowledgeBaseKey, RevisionLog } from "../../src/knowledge/RevisionLog.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import * as Harness from "./Harness.ts"
import { baseOf, commit, day, draft, idOf, member, meta, textAt } from "./Harness.ts"

const title = fc.constantFrom("Note", "note", "Заметка", "../x")
const which = fc.nat(5)

const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("write" as const), title }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("amend" as const), which, text: fc.nat(3), late: fc.boolean() })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("move" as const),
      which,
      to: fc.constantFrom("a.md", "b.md", "A.md")
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("undo" as const),
      back: fc.nat(6),
      force: fc.constantFrom(false, false, false, false, true)
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      which,
      how: fc.constantFrom("edit" as const, "rename" as const, "delete" as const, "strip" as const)
    })
  }
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

/** One writer's actions; what is refused for what the other did meanwhile is fine. */
const perform = Effect.fnUntraced(function* (
  key: KnowledgeBaseKey,
  writer: number,
  actions: ReadonlyArray<Action>
) {
  const base = yield* KnowledgeBase
  const log = yield* RevisionLog
  let next = 0
  const pick = Effect.fnUntraced(function* (index: number) {
    const notes = yield* base.recent(key, 100)
    return notes[index % Math.max(notes.length, 1)]
  })
  for (const one of actions) {
    const number = writer * 1000 + ++next
    switch (one.do) {
      case "write":
        yield* base.write(key, draft(number, one.title), meta("write"))
        break
      case "amend": {
        const id = idOf(writer * 1000 + 1 + one.which)
        const target = Number(id) + (one.late ? 500 : 0)
        const change = {
          members: [member(target, `new ${one.text}`)],
          media: [],
          tags: [],
          updated: day + number
        }
        yield* base
          .amend(key, id, change, { ...meta("amend"), kind: "edit" })
          .pipe(Effect.catchTag("NoteUnknown", () => Effect.void))
        break
      }
      case "move": {
        const note = yield* pick(one.which)
        if (note)
          yield* base
            .move(key, note.id, one.to, meta("move"))
            .pipe(Effect.catchTag(["NoteUnknown", "PathRefused"], () => Effect.void))
        break
      }
      case "remove": {
        const note = yield* pick(one.which)
        if (note)
          yield* base
            .remove(key, note.id, meta("remove"))
            .pipe(Effect.catchTag("NoteUnknown", () => Effect.void))
        break
      }
      case "undo": {
        const back = (yield* log.head(key)) - one.back
        if (back > 0)
          yield* base
            .undo(key, RevisionNumber.make(back), meta("undo"), { force: one.force })
            .pipe(
              Effect.catchTag("UndoConflict", (conflict) =>
                Effect.sync(() => assert.isAbove(conflict.later.length, 0))
              )
            )
        break
      }
      case "commit": {
        // A person commits what is checked out: nobody else is in between.
        const scope = yield* TenantScope
        yield* scope.transaction(key.tenant, () =>
          Effect.gen(function* () {
            yield* log.lockHead(key)
            const note = yield* pick(one.which)
            if (note === undefined) return
            const text = yield* textAt(key, note.path)
            yield* commit(key, filesOf(one.how, note.path, text, number))
          })
        )
      }
    }
  }
})

const filesOf = (how: "edit" | "rename" | "delete" | "strip", path: string, text: string, number: number) => {
  switch (how) {
    case "edit":
      return { [path]: `${text}\nmine ${number}\n` }
    case "strip":
      return { [path]: `no front matter ${number}\n` }
    case "rename":
      return { [path]: null, [`mine/${number}.md`]: text }
    case "delete":
      return { [path]: null }
  }
}

/** The files of the head, and the notes that had two files at once on the way (a person's copy, or an undo's). */
const replay = (revisions: ReadonlyArray<Revision>, idIn: (blob: BlobHash) => NoteId | undefined) => {
  const files = new Map<string, BlobHash>()
  const copied = new Set<NoteId>()
  for (const revision of revisions) {
    for (const file of revision.files)
      if (file.blob === null) files.delete(file.path)
      else files.set(file.path, file.blob)
    const ids = [...files.values()].map(idIn)
    ids.forEach((id, index) => {
      if (id !== undefined && ids.indexOf(id) !== index) copied.add(id)
    })
  }
  return { files, copied }
}

layer(Harness.layer)("KnowledgeBase", (it) => {
  it.effect("whatever two writers do at once, log, files and notes agree", () =>
    Effect.gen(function* () {
      const base = yield* KnowledgeBase
      const log = yield* RevisionLog
      const blobs = yield* Blobs
      const runs = fc.sample(
        fc.tuple(fc.array(action, { maxLength: 25, minLength: 5 }), fc.array(action, { maxLength: 25 })),
        30
      )
      for (const [run, [first, second]] of runs.entries()) {
        const key = baseOf(`model-${run}`)
        const about = JSON.stringify([first, second])
        yield* Effect.all([perform(key, 1, first), perform(key, 2, second)], { concurrency: 2 })

        const revisions = yield* log.read(key, 0, 1000)
        assert.deepStrictEqual(
          revisions.map((revision) => revision.number as number),
          revisions.map((_, index) => index + 1),
          about
        )
        assert.strictEqual(yield* log.head(key), revisions.length)
        const contents = yield* blobs.get(
          key.tenant,
          revisions.flatMap((revision) => revision.files.flatMap((file) => file.blob ?? []))
        )
        const expected = replay(revisions, (blob) => idIn(new TextDecoder().decode(contents.get(blob))))
        const files = yield* log.files(key)
        assert.deepStrictEqual(new Map(files.map((file) => [file.path, file.blob])), expected.files, about)
        for (const file of files) assert.isUndefined(pathProblem(file.path))

        const notes: ReadonlyArray<NoteSummary> = yield* base.recent(key, 1000)
        const idAt = new Map<string, NoteId | undefined>(
          files.map((file) => [file.path, idIn(new TextDecoder().decode(contents.get(file.blob)))])
        )
        // Each note there is has a file of its own, which names it or nobody.
        assert.strictEqual(new Set(notes.map((note) => note.path)).size, notes.length, about)
        for (const note of notes) {
          assert.isTrue(idAt.has(note.path), `${note.id} at ${note.path}: ${about}`)
          assert.include([note.id, undefined], idAt.get(note.path), about)
        }
        // Each file that names a note is that note's. (A forced undo may name one that has lost its front matter.)
        if (about.includes('"force":true') && about.includes('"strip"')) continue
        for (const [path, id] of idAt)
          if (id !== undefined && !expected.copied.has(id))
            assert.strictEqual(notes.find((note) => note.id === id)?.path, path, about)
      }
    })
  )
})
