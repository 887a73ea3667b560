import { assert, it } from "@effect/vitest"
import { subjectOf } from "../../../src/conversation/commands/undo.ts"
import { texts } from "../../../src/conversation/Texts.ts"

it("a change is called by its note's title, whatever its message begins with", () => {
  for (const [kind, message, subject] of [
    ["note", "Add Buy milk", "Buy milk"],
    ["note", "Add to do list", "to do list"],
    ["note", "Add Add Buy milk\n\nmore", "Add Buy milk"],
    ["amend", "Add to Buy milk", "Buy milk"],
    ["amend", "Add the files of Holiday", "Holiday"],
    ["edit", "Edit Edit distance", "Edit distance"],
    ["person", "Edit by hand", "Edit by hand"]
  ] as const) {
    assert.strictEqual(subjectOf({ kind, message }), subject)
  }
})

it("what is taken back of an edit is the edit: nobody reads that their note is gone", () => {
  for (const words of Object.values(texts)) {
    const [note, edit, amend] = (["note", "edit", "amend"] as const).map(
      (kind) => words.undone("Buy milk", kind).text
    )
    assert.notStrictEqual(note, edit)
    assert.strictEqual(edit, amend)
  }
})
