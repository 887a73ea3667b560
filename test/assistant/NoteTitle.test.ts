import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { categoryOf, tagsOf, titleOf } from "../../src/assistant/NoteTitle.ts"
import { plain } from "../../src/domain/FormattedText.ts"
import type { Attachment } from "../../src/domain/IncomingMessage.ts"
import { messageOf, saying } from "./messages.ts"

const title = (...texts: ReadonlyArray<string>) => titleOf(texts.map(saying), "en")

describe("the title", () => {
  it("is the first heading or sentence of the first text that has words", () => {
    assert.strictEqual(title("Buy milk. And bread."), "Buy milk")
    assert.strictEqual(title("# The plan: v1. Draft\ntext"), "The plan: v1. Draft")
    assert.strictEqual(title("", " \n ", "Third"), "Third")
    assert.strictEqual(title("---\n\nReally? Yes."), "Really?")
    assert.strictEqual(title("Dr. Smith called. Call back"), "Dr. Smith called")
    assert.strictEqual(
      title("Купить хлеб и т. д. в магазине! Потом домой"),
      "Купить хлеб и т. д. в магазине!"
    )
  })

  it("has no Markdown and no tags around it", () => {
    assert.strictEqual(title("- [ ] **Call** `Bo` about [this](https://a.org)"), "Call Bo about this")
    assert.strictEqual(title("#work Fix the snake_case name #urgent #bug"), "Fix the snake_case name")
    assert.strictEqual(title("We need #ideas for it"), "We need ideas for it")
    assert.strictEqual(title("#idea #work"), "idea")
    assert.strictEqual(title("https://www.example.org/a/b"), "example.org/a/b")
    assert.strictEqual(title("2 * 3 * 4 = 24"), "2 * 3 * 4 = 24")
  })

  it("is at most 80 characters, cut between words", () => {
    const long = title("word ".repeat(40))
    assert.strictEqual(long, `${"word ".repeat(15).trim()} word…`.slice(0, 80))
    assert.strictEqual([...title("😀".repeat(200))].length, 80)
    assert.strictEqual([...title("x".repeat(200))].length, 80)
  })

  it("without words it is named after what came, else by kind and date", () => {
    const of = (...attachments: ReadonlyArray<Attachment>) => titleOf([messageOf({ attachments })], "ru")
    const file = { fileId: "f", fileUniqueId: "f" }
    assert.strictEqual(of({ _tag: "Document", file: { ...file, name: "a\nb.pdf" } }), "a b.pdf")
    assert.strictEqual(of({ _tag: "Audio", file, performer: "P", title: "T" }), "P — T")
    assert.strictEqual(of({ _tag: "Poll", question: "Чай?", options: [] }), "Чай?")
    assert.strictEqual(of({ _tag: "Photo", file }), "Фото 2026-11-22 14:05")
    assert.strictEqual(of({ _tag: "Unsupported", kinds: ["story"] }), "Сообщение 2026-11-22 14:05")
    assert.strictEqual(of(), "Сообщение 2026-11-22 14:05")
  })

  it("whatever was written, it is one line of 1 to 80 characters", () => {
    const any = fc.oneof(fc.string({ unit: "binary", maxLength: 100 }), fc.string({ maxLength: 300 }))
    fc.assert(
      fc.property(fc.array(any, { maxLength: 3 }), (texts) => {
        const made = title(...texts)
        assert.isTrue(made.isWellFormed())
        assert.isAtLeast(made.trim().length, 1)
        assert.isAtMost([...made].length, 80)
        assert.notMatch(made, /[\r\n]/)
      })
    )
  })
})

describe("tags", () => {
  it("are all hashtags in order, once, lower case, by entity and in the text", () => {
    const marked = messageOf({
      text: { text: "#Первый и #two@news", entities: [{ type: "hashtag", offset: 10, length: 9 }] }
    })
    assert.deepStrictEqual(tagsOf([marked, saying("#TWO #3d and #第四, (#five) x#no &#35; #12")]), [
      "первый",
      "two",
      "3d",
      "第四",
      "five"
    ])
  })

  it("are not looked for in addresses and code", () => {
    const text = "see https://a.org/#part and #code"
    const entities = [
      { type: "url", offset: 4, length: 19 },
      { type: "code", offset: 28, length: 5 }
    ]
    assert.deepStrictEqual(tagsOf([messageOf({ text: { text, entities } })]), [])
    assert.deepStrictEqual(tagsOf([messageOf({ text: plain("https://a.org/#part") })]), [])
  })

  it("the first is the category; without any it is the inbox", () => {
    assert.strictEqual(categoryOf([saying("x"), saying("#Дом #work")]), "дом")
    assert.strictEqual(categoryOf([saying("x")]), "inbox")
  })
})
