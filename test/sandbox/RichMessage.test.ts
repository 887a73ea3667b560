import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { plainText, richOf } from "../../src/sandbox/RichMessage.ts"

const read = (rich_message: unknown) => richOf({ values: { rich_message }, uploads: new Map() })
const refusal = (rich_message: unknown) => {
  const answer = read(rich_message)
  return Result.isFailure(answer) ? answer.failure.description.replace("Bad Request: ", "") : "taken"
}
const paragraph = (text: unknown) => ({ type: "paragraph", text })
const cell = { text: "a", align: "left", valign: "top" }

describe("rich messages in the sandbox", () => {
  it("are taken as blocks, whether they come as JSON or as a string of it", () => {
    const message = { blocks: [paragraph(["a ", { type: "bold", text: "b" }])] }
    assert.deepStrictEqual(read(message), Result.succeed(message.blocks) as never)
    assert.deepStrictEqual(read(JSON.stringify(message)), read(message))
  })

  it("are refused in other forms, and with what is no block", () => {
    assert.strictEqual(refusal({}), "exactly one of blocks, markdown and html must be used")
    assert.strictEqual(
      refusal({ blocks: [], markdown: "a" }),
      "exactly one of blocks, markdown and html must be used"
    )
    assert.strictEqual(refusal({ markdown: "a" }), "rich messages are given as blocks in the sandbox")
    assert.strictEqual(refusal({ blocks: [] }), "rich message is empty")
    for (const block of [
      { type: "photo", photo: {} },
      { type: "heading", text: "a", size: 7 },
      paragraph({ type: "blink", text: "a" }),
      paragraph({ type: "url", text: "a" }),
      { type: "table", cells: [[{ text: "a" }]] },
      { type: "list", items: [{ blocks: [{ type: "none" }] }] }
    ])
      assert.strictEqual(refusal({ blocks: [block] }), "can't parse rich_message")
  })

  it("have at most 32,768 characters, 500 blocks, 16 levels and 20 columns", () => {
    const nested = (levels: number): unknown =>
      levels === 1 ? paragraph("a") : { type: "blockquote", blocks: [nested(levels - 1)] }
    const bold = (levels: number): unknown => (levels === 0 ? "a" : { type: "bold", text: bold(levels - 1) })
    const table = (rows: number, columns: number) => ({
      type: "table",
      cells: Array(rows).fill(Array(columns).fill(cell))
    })
    const list = (items: number) => ({ type: "list", items: Array(items).fill({ blocks: [paragraph("a")] }) })
    for (const [within, beyond, why] of [
      [paragraph("a".repeat(32_768)), paragraph("a".repeat(32_769)), "is too long"],
      [list(249), list(250), "has too many blocks"],
      [table(499, 1), table(500, 1), "has too many blocks"],
      [nested(16), nested(17), "is nested too deep"],
      [paragraph(bold(15)), paragraph(bold(16)), "is nested too deep"],
      [table(1, 20), table(1, 21), "table has too many columns"]
    ] as const) {
      assert.strictEqual(refusal({ blocks: [within] }), "taken")
      assert.strictEqual(refusal({ blocks: [beyond] }), `rich message ${why}`)
    }
  })

  it("have words for who looks for a text", () => {
    const words = plainText([
      { type: "heading", text: "Title", size: 1 },
      {
        type: "list",
        items: [
          { blocks: [{ type: "paragraph", text: "a" }], has_checkbox: true, is_checked: true },
          { blocks: [{ type: "paragraph", text: "b" }], value: 2 }
        ]
      },
      { type: "divider" },
      { type: "table", cells: [[cell as never, cell as never]] },
      { type: "blockquote", blocks: [{ type: "paragraph", text: [{ type: "bold", text: "c" }, "d"] }] }
    ])
    assert.strictEqual(words, "Title\n\n☑ a\n2. b\n\n———\n\na | a\n\ncd")
  })
})
