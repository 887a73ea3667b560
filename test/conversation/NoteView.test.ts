import { assert, describe, it } from "@effect/vitest"
import { markdownOf } from "../../src/assistant/EntityMarkdown.ts"
import { noteContents } from "../../src/conversation/NoteView.ts"

const viewOf = (markdown: string) => noteContents(new TextEncoder().encode(markdown))[0]!.text
const parts = ({ text, entities }: ReturnType<typeof viewOf>) =>
  entities.map(({ type, offset, length, language }) => [type, text.slice(offset, offset + length), language])

describe("NoteView", () => {
  it("shows the title, then the text, without front matter and without the backslashes of Markdown", () => {
    const view = viewOf("---\nid: x\n---\n\n# Stars \\*\\* and C#\n\n**13:29** UTC\n\n2 \\* 3 \\[x\\] #tag\n")
    assert.strictEqual(view.text, "Stars ** and C#\n\n13:29 UTC\n\n2 * 3 [x] #tag")
    assert.deepStrictEqual(parts(view), [
      ["bold", "Stars ** and C#", undefined],
      ["bold", "13:29", undefined]
    ])
  })

  it("code is shown as code, its backslashes untouched", () => {
    const view = viewOf("run `a\\*b`\n\n```sh\necho \\*\\*\n```\n\nend")
    assert.strictEqual(view.text, "run a\\*b\n\necho \\*\\*\n\nend")
    assert.deepStrictEqual(parts(view), [
      ["code", "a\\*b", undefined],
      ["pre", "echo \\*\\*", "sh"]
    ])
  })

  it("what a person typed comes back as typed", () => {
    for (const text of [
      "a*b*c **d** `e` [f](g) \\ ~h~ $i$",
      "# no heading",
      "1. one\n- two\n> three",
      "<b>&amp;"
    ]) {
      assert.strictEqual(viewOf(`# T\n\n${markdownOf({ text, entities: [] })}\n`).text, `T\n\n${text}`)
    }
  })

  it("long texts of markup characters take no time", () => {
    for (const text of ["*".repeat(12_000), "`".repeat(12_000), "**a".repeat(4_000), "```\n".repeat(3_000)]) {
      assert.isAtLeast(viewOf(text).text.length, 1)
    }
  })
})
