import { assert, describe, it } from "@effect/vitest"
import { printableLines, table } from "../../src/cli/Table.ts"

const rows = [
  { id: "1", name: "Ann" },
  { id: "1000", name: "日本" },
  { id: "20", name: "👩‍👩‍👧 x", more: "y" },
  { id: "3", name: "" }
]

describe("table", () => {
  it("lines its columns up, whatever script the names are in", () => {
    assert.strictEqual(
      table(["id", "name", "more"], rows),
      ["ID    NAME  MORE", "1     Ann   –", "1000  日本  –", "20    👩‍👩‍👧 x  y", "3     –     –"].join("\n")
    )
  })

  it("prints nothing of a name that would move the cursor, colour the line or turn its direction", () => {
    const shown = table(["name"], [{ name: "a\u001b[2Jb\rc\nd\u202ee" }])
    assert.strictEqual(shown, "NAME\na [2Jb c d e")
  })

  it("keeps the lines of what is said, whatever is in the names there", () => {
    const says = "Logged in as \u001b]0;x\u0007Ann\r (42)\nhint: \u202edog"
    assert.strictEqual(printableLines(says), "Logged in as  ]0;x Ann  (42)\nhint:  dog")
  })
})
