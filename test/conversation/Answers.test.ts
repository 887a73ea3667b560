import { assert, describe, it } from "@effect/vitest"
import { entriesOf, told } from "../../src/conversation/Answers.ts"
import { userContext } from "../../src/conversation/UserContext.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import { BotId, ChatId, defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { hashOf } from "../../src/knowledge/Blobs.ts"
import { contentLimits } from "../../src/telegram/ContentLimits.ts"

const user = userContext(
  {
    tenant: defaultTenant,
    app: defaultApp,
    botId: BotId.make(7),
    chat: ChatId.make(1),
    thread: undefined,
    sender: 1
  },
  { id: 1, kind: "user", name: "Ann", language: "en" }
)
/** So many messages, each full. */
const text = (parts: number) => `${"a".repeat(contentLimits.text - 2)}\n\n`.repeat(parts).trimEnd()
const buttons = [[{ text: "More", data: "more" }]]

describe("what a person is told", () => {
  it("is up to five messages, the buttons under the last", () => {
    const { contents, files } = told("en", [{ content: { _tag: "Text", text: plain(text(5)), buttons } }])
    assert.deepStrictEqual(files, [])
    assert.lengthOf(contents, 5)
    assert.deepStrictEqual(
      contents.map((content) => ("buttons" in content ? content.buttons : undefined)),
      [undefined, undefined, undefined, undefined, buttons]
    )
  })

  it("is a document with a summary beyond five", () => {
    const long = `Answer to *all*\n\nIt is long. ${text(6)}`
    const { contents, files } = told("en", [{ content: { _tag: "Text", text: plain(long), buttons } }])
    const markdown = long.replaceAll("*", "\\*")
    assert.deepStrictEqual(files.map(String), [String(new TextEncoder().encode(markdown))])
    assert.lengthOf(contents, 1)
    const [content] = contents
    assert.strictEqual(content?._tag, "Document")
    if (content?._tag !== "Document") return
    assert.deepStrictEqual(content.file, {
      _tag: "Blob",
      hash: hashOf(files[0]!),
      name: "answer-to-all.md",
      mime: "text/markdown"
    })
    assert.deepStrictEqual(content.buttons, buttons)
    assert.match(content.caption!.text, /^Answer to \*?all\*?\n\n/)
    assert.match(content.caption!.text, /characters\.$/)
    assert.isAtMost(content.caption!.text.length, contentLimits.caption)
  })

  it("in Markdown stays Markdown, up to what would be five messages of text", () => {
    const five = told("en", [{ content: { _tag: "Rich", markdown: text(5), buttons } }])
    assert.deepStrictEqual(five, { contents: [{ _tag: "Rich", markdown: text(5), buttons }], files: [] })
    const six = told("en", [{ content: { _tag: "Rich", markdown: text(6) } }])
    assert.deepStrictEqual(
      six.contents.map(({ _tag }) => _tag),
      ["Document"]
    )
    assert.deepStrictEqual(String(six.files), String(new TextEncoder().encode(text(6))))
  })

  it("has a caption that fits whatever its title and beginning are", () => {
    for (const [title, start] of [
      ["t".repeat(5_000), "s".repeat(5_000)],
      ["", "\n".repeat(100)],
      ["🙂".repeat(300), "👨‍👩‍👧".repeat(400)]
    ] as const) {
      const file = { name: "a.md", title, bytes: new Uint8Array([1]) }
      const { contents } = told("ru", [{ content: { _tag: "Rich", markdown: start + text(9) }, file }])
      const [content] = contents
      const caption = content?._tag === "Document" ? content.caption! : plain("")
      assert.isAtMost(caption.text.length, contentLimits.caption)
      assert.isTrue(caption.text.isWellFormed())
      assert.match(caption.text, /Весь текст — в файле/)
    }
  })

  it("keeps its order, and each message has a name of its own", () => {
    const { contents } = told("en", [
      { content: { _tag: "Text", text: plain("one") } },
      { content: { _tag: "Text", text: plain("two") } }
    ])
    const entries = entriesOf(user, "command:1", contents, (content) => ({
      _tag: "Resolve",
      status: "status:1",
      content
    }))
    assert.deepStrictEqual(
      entries.map(({ key, action }) => [key, action._tag]),
      [
        ["command:1", "Resolve"],
        ["command:1:2", "Send"]
      ]
    )
  })
})
