import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { RichText } from "grammy/types"
import { richFromMarkdown } from "../../../src/telegram/RichText.ts"
import { plainOf, type RichBlock, richLimits } from "../../../src/telegram/richtext/RichBlocks.ts"
import { wordyMarkdown } from "../support/markdown.ts"
import { richIsTaken } from "../support/richTextProperties.ts"

const blocks = (...lines: ReadonlyArray<string>) => richFromMarkdown(lines.join("\n"))
const paragraph = (text: RichText): RichBlock => ({ type: "paragraph", text })

describe("Markdown as the blocks of a rich message", () => {
  it("headings, code, rules and quotes are blocks of their own", () => {
    assert.deepStrictEqual(
      blocks("# One", "", "### *Two*", "", "```sh", "ls", "```", "", "---", "", "> said"),
      [
        { type: "heading", text: "One", size: 1 },
        { type: "heading", text: { type: "italic", text: "Two" }, size: 3 },
        { type: "pre", text: "ls", language: "sh" },
        { type: "divider" },
        { type: "blockquote", blocks: [paragraph("said")] }
      ]
    )
  })

  it("formats lie in one another, links keep what their words look like", () => {
    assert.deepStrictEqual(blocks("a **b *c*** ~~d~~ ||e|| `f` [g **h**](https://a.org)"), [
      paragraph([
        "a ",
        { type: "bold", text: ["b ", { type: "italic", text: "c" }] },
        " ",
        { type: "strikethrough", text: "d" },
        " ",
        { type: "spoiler", text: "e" },
        " ",
        { type: "code", text: "f" },
        " ",
        { type: "url", text: ["g ", { type: "bold", text: "h" }], url: "https://a.org" }
      ])
    ])
  })

  it("lists keep their numbers and boxes, and lie in one another", () => {
    assert.deepStrictEqual(blocks("3. three", "4. four", "   - [ ] to do", "   - [x] done"), [
      {
        type: "list",
        items: [
          { blocks: [paragraph("three")], value: 3 },
          {
            value: 4,
            blocks: [
              paragraph("four"),
              {
                type: "list",
                items: [
                  { blocks: [paragraph("to do")], has_checkbox: true },
                  { blocks: [paragraph("done")], has_checkbox: true, is_checked: true }
                ]
              }
            ]
          }
        ]
      }
    ])
  })

  it("tables keep their columns, however wide, and how they are aligned", () => {
    const cell = (text: string, align: "left" | "right" = "left", head = {}) =>
      ({ text, ...head, align, valign: "top" }) as const
    assert.deepStrictEqual(blocks("| a | b |", "|---|--:|", "| 1 | 2 |"), [
      {
        type: "table",
        is_bordered: true,
        cells: [
          [cell("a", "left", { is_header: true }), cell("b", "right", { is_header: true })],
          [cell("1"), cell("2", "right")]
        ]
      }
    ])
  })

  it("a long quote opens at a tap", () => {
    assert.deepStrictEqual(blocks(`> ${"long ".repeat(200)}`), [
      { type: "expandable_blockquote", text: "long ".repeat(200).trim() }
    ])
  })

  it("footnotes are told under a rule", () => {
    assert.deepStrictEqual(blocks("x[^n]", "", "[^n]: why *so*"), [
      paragraph("x[1]"),
      { type: "divider" },
      paragraph(["[1] ", ["why ", { type: "italic", text: "so" }]])
    ])
  })

  it("nothing is fetched, nobody is mentioned and no button is made, whatever the text says", () => {
    const all = JSON.stringify(
      blocks(
        "![x](https://evil.example/pixel.png)",
        "",
        '<img src="https://evil.example/2.png"> <tg-button type="callback_data" data="undo:1">press</tg-button>',
        "",
        '<tg-map lat="1" long="2" zoom="14"/> [call](tel:+1) <tg-emoji emoji-id="5">x</tg-emoji>'
      )
    )
    assert.notMatch(
      all,
      /"type":"(photo|video|audio|document|map|buttons?|custom_emoji|text_mention|collage)"/
    )
    assert.notMatch(all, /callback/)
  })

  it("what one rich message does not hold, or shows nothing, is none", () => {
    assert.isUndefined(blocks(""))
    assert.isUndefined(blocks("<!-- nothing -->"))
    assert.isUndefined(blocks("---"))
    assert.isDefined(blocks("a".repeat(richLimits.characters)))
    assert.isUndefined(blocks("a".repeat(richLimits.characters + 1)))
    assert.isDefined(blocks(Array(richLimits.blocks).fill("a").join("\n\n")))
    assert.isUndefined(
      blocks(
        Array(richLimits.blocks + 1)
          .fill("a")
          .join("\n\n")
      )
    )
    const row = (columns: number, cell: string) => `|${`${cell}|`.repeat(columns)}`
    const table = (columns: number) => blocks(row(columns, "a"), row(columns, "-"), row(columns, "b"))
    assert.isDefined(table(richLimits.columns))
    assert.isUndefined(table(richLimits.columns + 1))
    const nested = (depth: number) => blocks(`${"> ".repeat(depth)}a`)
    assert.isDefined(nested(richLimits.depth - 1))
    assert.isUndefined(nested(richLimits.depth))
  })

  const wordsOf = (all: ReadonlyArray<RichBlock>): string =>
    all
      .map((block) => {
        switch (block.type) {
          case "list":
            return block.items.map((item) => wordsOf(item.blocks)).join("\n")
          case "blockquote":
            return wordsOf(block.blocks)
          case "table":
            return block.cells.flatMap((row) => row.map(({ text = "" }) => plainOf(text))).join("\n")
          default:
            return "text" in block ? plainOf(block.text) : ""
        }
      })
      .join("\n")

  it("every word a reader sees is in it, in order", () => {
    fc.assert(
      fc.property(wordyMarkdown, ({ markdown, words }) => {
        const rich = richFromMarkdown(markdown)
        if (rich === undefined) return
        assert.deepStrictEqual(wordsOf(rich).match(/w\d+q/g) ?? [], [...words])
      }),
      { numRuns: 300 }
    )
  })

  it("a server as strict as Telegram's takes it, whatever the Markdown", () => {
    richIsTaken(300)
  })
})
