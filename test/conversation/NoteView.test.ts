import { assert, describe, it } from "@effect/vitest"
import { markdownOf } from "../../src/assistant/EntityMarkdown.ts"
import { told } from "../../src/conversation/Answers.ts"
import { noteSaying } from "../../src/conversation/NoteView.ts"
import type { OutgoingContent } from "../../src/telegram/BotPort.ts"
import { fromMarkdown } from "../../src/telegram/RichText.ts"

const toldOf = (markdown: string) =>
  told("en", [noteSaying("topics/inbox/2026-11/22-plan.md", new TextEncoder().encode(markdown))])
const textOf = (content: OutgoingContent | undefined) => {
  switch (content?._tag) {
    case "Rich":
      return fromMarkdown(content.markdown)
    case "Text":
      return content.text
    case "Document":
      return content.caption!
    default:
      throw new Error(`a note is no ${content?._tag}`)
  }
}
const viewOf = (markdown: string) => textOf(toldOf(markdown).contents[0])
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

  it("shows lists, quotes, links and pictures as a reader sees them, wiki links as their words", () => {
    const view = viewOf(
      [
        "---\ntitle: Plan\n---\n\n# Plan\n\n**09:12** UTC\n",
        "> Forwarded from [News](https://t.me/news), 2026-11-22 09:00 UTC\n>\n> It *works*\n",
        "![Photo](../../../media/ab/cd.jpg)\n\n📎 [a.pdf](../../../media/a.pdf) (2 KB)\n",
        '- [ ] ask [[people/ann|Ann]]\n- [x] rest\n\n<span class="spoiler">secret</span>'
      ].join("\n")
    )
    assert.strictEqual(
      view.text,
      [
        "Plan\n\n09:12 UTC\n\nForwarded from News, 2026-11-22 09:00 UTC\n\nIt works\n",
        "🖼 Photo\n\n📎 a.pdf (2 KB)\n\n☐ ask Ann\n☑ rest\n\nsecret"
      ].join("\n")
    )
    assert.deepStrictEqual(
      parts(view).map(([type, text]) => [type, text]),
      [
        ["bold", "Plan"],
        ["bold", "09:12"],
        ["blockquote", "Forwarded from News, 2026-11-22 09:00 UTC\n\nIt works"],
        ["text_link", "News"],
        ["italic", "works"],
        ["spoiler", "secret"]
      ]
    )
  })

  it("a note with nothing to see is its title, one without a title a sign of life", () => {
    assert.strictEqual(viewOf("---\ntitle: Empty\n---\n\n<!-- x -->\n").text, "Empty")
    assert.strictEqual(viewOf("---\ntitle: [\n---\n").text, "…")
    assert.strictEqual(viewOf("").text, "…")
  })

  it("a long one is its own file, with its title and what it begins with", () => {
    const markdown = `---\ntitle: Plan\n---\n\n# Plan\n\nFirst **words**. ${"More words. ".repeat(20_000)}`
    const { contents, files } = toldOf(markdown)
    const [content] = contents
    assert.lengthOf(contents, 1)
    assert.deepStrictEqual(files, [new TextEncoder().encode(markdown)])
    assert.deepInclude(content, { _tag: "Document" })
    assert.deepInclude(content?._tag === "Document" ? content.file : {}, { name: "22-plan.md" })
    const { text } = textOf(content)
    assert.match(
      text,
      /^Plan\n\nFirst words\. (More words\. )+…\n\nAll of it is in the file: 240,0\d\d characters\.$/
    )
    assert.isAtMost(text.length, 1_024)
  })
})
