import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { markdownOf } from "../../src/assistant/EntityMarkdown.ts"
import { compose, type FormattedText, type TextEntity } from "../../src/domain/FormattedText.ts"
import { rendered, renderedLines } from "./rendered.ts"

const bold = (text: string) => ({ type: "bold", text })
const italic = (text: string) => ({ type: "italic", text })
const plain = (text: string) => markdownOf({ text, entities: [] })
const over = (text: string, ...entities: ReadonlyArray<TextEntity>) => markdownOf({ text, entities })

describe("formatting", () => {
  it("common formatting becomes common Markdown", () => {
    assert.strictEqual(markdownOf(compose("a ", bold("b"), " and ", italic("c"), ".")), "a **b** and *c*.")
    assert.strictEqual(markdownOf(compose({ type: "strikethrough", text: "no" }, " yes")), "~~no~~ yes")
    assert.strictEqual(markdownOf(compose(bold("Note:"), " read")), "**Note:** read")
    assert.strictEqual(markdownOf(compose("in", bold("ner"), "most")), "in**ner**most")
    assert.strictEqual(markdownOf(compose({ type: "underline", text: "u" })), "<u>u</u>")
    assert.strictEqual(markdownOf(compose({ type: "spoiler", text: "s" })), '<span class="spoiler">s</span>')
    assert.strictEqual(
      over("both", { type: "bold", offset: 0, length: 4 }, { type: "italic", offset: 0, length: 4 }),
      "***both***"
    )
    assert.strictEqual(
      over("a b c", { type: "bold", offset: 0, length: 5 }, { type: "italic", offset: 2, length: 1 }),
      "**a *b* c**"
    )
  })

  it("where CommonMark would not read marks as emphasis, the element stands", () => {
    assert.strictEqual(markdownOf(compose("a", bold("“b”"), "c")), "a<strong>“b”</strong>c")
    assert.strictEqual(markdownOf(compose(bold("a"), italic("b"))), "<strong>a</strong><em>b</em>")
  })

  it("blanks at the edges of emphasis move out of it, and it stops at line breaks", () => {
    assert.strictEqual(markdownOf(compose("a", bold(" b "), "c")), "a **b** c")
    assert.strictEqual(markdownOf(compose(bold("one\n\ntwo\nthree"))), "**one**\n\n**two**  \n**three**")
    assert.strictEqual(markdownOf(compose("a", bold("  "), "b")), "a  b")
  })

  it("code keeps any content, whatever backticks it has", () => {
    assert.strictEqual(markdownOf(compose({ type: "code", text: "a`b" })), "``a`b``")
    assert.strictEqual(markdownOf(compose({ type: "code", text: "`" })), "`` ` ``")
    assert.strictEqual(
      markdownOf(compose("run ", { type: "pre", text: "x\n```\ny", language: "ts" }, " now")),
      "run\n\n````ts\nx\n```\ny\n````\n\n\u00A0now"
    )
  })

  it("a language that is no word cannot break out of its fence", () => {
    assert.strictEqual(
      markdownOf(compose({ type: "pre", text: "x", language: "ts\n```\n# hi" })),
      "```\nx\n```"
    )
  })

  it("links: an address stands in angle brackets, a text hides its target", () => {
    assert.strictEqual(
      markdownOf(compose("see ", { type: "url", text: "https://a.org/x_y(z)" }, ", ok")),
      "see <https://a.org/x_y(z)>, ok"
    )
    assert.strictEqual(markdownOf(compose({ type: "url", text: "a.org" })), "[a.org](http://a.org)")
    assert.strictEqual(
      markdownOf(compose({ type: "text_link", text: "here", url: "https://a.org/(b) <c>" })),
      "[here](https://a.org/\\(b\\)%20%3Cc%3E)"
    )
    assert.strictEqual(
      markdownOf(compose({ type: "mention", text: "@ann_lee" })),
      "[@ann_lee](https://t.me/ann_lee)"
    )
    assert.strictEqual(
      markdownOf(compose({ type: "text_mention", text: "Ann", userId: 7 as never })),
      "[Ann](tg://user?id=7)"
    )
    assert.strictEqual(markdownOf(compose({ type: "text_link", text: "x", url: "javascript:alert(1)" })), "x")
    assert.strictEqual(plain("at https://a.org/b_c. Then"), "at <https://a.org/b_c>. Then")
  })

  it("an exclamation mark before a link makes no image of it", () => {
    assert.strictEqual(
      markdownOf(compose("wow!", { type: "text_link", text: "x", url: "https://a.org" })),
      "wow\\![x](https://a.org)"
    )
    assert.strictEqual(markdownOf(compose("wow!", bold(" b!"), "\nend!")), "wow! **b!**  \nend!")
  })

  it("nothing in angle brackets becomes an address", () => {
    assert.strictEqual(plain("<|@ann> "), "\\<|@ann>")
    assert.strictEqual(markdownOf(compose("<|", bold("x"), "@ann>")), "\\<|**x**@ann>")
    assert.strictEqual(plain("1 <2 and <3"), "1 <2 and <3")
  })

  it("quotes stand apart, also with formatting, code and empty lines inside", () => {
    assert.strictEqual(
      over(
        "a\nb\n\nc\nd",
        { type: "blockquote", offset: 2, length: 4 },
        { type: "bold", offset: 2, length: 1 }
      ),
      "a\n\n> **b**\n>\n> c\n\nd"
    )
    assert.strictEqual(markdownOf(compose({ type: "expandable_blockquote", text: "long" })), "> long")
  })

  it("custom emoji, dates and kinds from the future are their text", () => {
    assert.strictEqual(markdownOf(compose({ type: "custom_emoji", text: "🙂", customEmojiId: "1" })), "🙂")
    assert.strictEqual(
      markdownOf(compose({ type: "date_time", text: "today" }, { type: "hologram", text: "!?" })),
      "today!?"
    )
  })
})

describe("plain text", () => {
  it("is shown as it was typed", () => {
    const typed = [
      "# no heading",
      "#tag",
      "1. no list",
      "- no list",
      "> no quote",
      "---",
      "***",
      "===",
      "a\n---",
      "a | b\n--|--",
      "<b>no tag</b>",
      "[no](link)",
      "![no](image)",
      "`no code`",
      "*no* _emphasis_ __at__ all",
      "~~no~~",
      "a\\b",
      "&amp; &copy; &#35;",
      "[x]: y",
      "<!-- no -->",
      "<https://a.org>",
      "$x$ ==y== %%z%%",
      "+ a",
      "```\nno\n```",
      "    no code",
      "\tno code",
      "12) no",
      "a ^block",
      "<",
      "http:// x"
    ]
    for (const text of typed) {
      const lines = text.split("\n").map((line) => line.trim())
      assert.deepStrictEqual(renderedLines(plain(text)), lines, plain(text))
      rendered(plain(text))
    }
  })

  it("stays readable: words, tags, prices and snake_case need no backslash", () => {
    assert.strictEqual(
      plain("#my_tag and #идея: AT&T, 5 < 6, snake_case, 1.5, e-mail (ok) - fine!?"),
      "#my_tag and #идея: AT&T, 5 < 6, snake_case, 1.5, e-mail (ok) - fine!?"
    )
  })

  it("keeps its line breaks and indentation", () => {
    assert.strictEqual(plain("a\nb\n\nc"), "a  \nb\n\nc")
    assert.strictEqual(plain("a\r\nb"), "a  \nb")
    assert.strictEqual(plain("  a"), "\u00A0\u00A0a")
    assert.strictEqual(plain(" \n\n "), "")
  })

  it("an entity that splits a character takes the whole of it", () => {
    assert.strictEqual(over("a😀b", { type: "italic", offset: 2, length: 2 }), "a<em>😀b</em>")
  })
})

const hostile = fc.constantFrom(
  "a",
  "Б",
  "word",
  "7",
  "1.",
  "1)",
  "-",
  "+",
  "*",
  "**",
  "***",
  "_",
  "__",
  "~",
  "~~",
  "`",
  "``",
  "```",
  "#",
  "# ",
  "> ",
  "<",
  ">",
  "<b>",
  "</b>",
  "<!--",
  "[",
  "]",
  "(",
  ")",
  "](",
  "![",
  "!",
  "|",
  "---",
  "--|--",
  "===",
  "\\",
  "&",
  "&amp;",
  ";",
  "$",
  "==",
  "%%",
  "^",
  ":",
  ".",
  ",",
  "“",
  "»",
  "—",
  "😀",
  "👨‍👩‍👧",
  "\n",
  "\n",
  "\n\n",
  " ",
  " ",
  "  ",
  "\t",
  "\u00A0",
  "\u2003",
  "https://a.org/b_c",
  "#tag",
  "@ann",
  "/go",
  "é",
  "e\u0301",
  "\u202E",
  "\u200B",
  "漢"
)
const types = [
  "bold",
  "italic",
  "underline",
  "strikethrough",
  "spoiler",
  "code",
  "pre",
  "text_link",
  "blockquote"
] as const
const formatted: fc.Arbitrary<FormattedText> = fc
  .tuple(
    fc.array(hostile, { maxLength: 14 }),
    fc.array(fc.tuple(fc.constantFrom(...types), fc.nat(14), fc.nat(6)), { maxLength: 6 })
  )
  .map(([pieces, marks]) => {
    const starts = [0]
    for (const piece of pieces) starts.push(starts.at(-1)! + piece.length)
    const at = (index: number) => starts[Math.min(index, pieces.length)]!
    return {
      text: pieces.join(""),
      entities: marks.map(([type, from, long]) => ({
        type,
        offset: at(from),
        length: at(from + long) - at(from),
        ...(type === "text_link" ? { url: "https://b.org/x" } : {})
      }))
    }
  })

/** What every visible character should look like, said without any of the renderer's machinery. */
const expected = ({ text, entities }: FormattedText) => {
  const shown: Array<{ char: string; formats: ReadonlyArray<string> }> = []
  const urls = [...text.matchAll(/\bhttps:\/\/a\.org\/b_c[^\s<>"']*/g)].map((match) => ({
    from: match.index,
    to: match.index + match[0].replace(/[.,;:!?)\]}*_~`|]+$/, "").length
  }))
  let at = 0
  for (const char of text) {
    const here = at
    at += char.length
    if (!/\S/u.test(char)) continue
    const on = new Set(
      entities
        .filter(({ offset, length }) => offset <= here && here < offset + length)
        .map(({ type }) => type)
    )
    const formats: Array<string> = on.has("blockquote") ? ["quote"] : []
    if (on.has("pre")) formats.push("pre")
    else if (on.has("code")) formats.push("code")
    else {
      const inline = ["bold", "italic", "underline", "strikethrough", "spoiler"]
      formats.push(...inline.filter((type) => on.has(type)))
      const bare = urls.some(({ from, to }) => from <= here && here < to)
      if (on.has("text_link") || bare) formats.push("link")
    }
    shown.push({ char, formats: formats.sort() })
  }
  return shown
}

describe("any text with any entities", () => {
  it("shows the same characters, each in its own formatting and no other", () => {
    fc.assert(
      fc.property(formatted, (value) => {
        assert.deepStrictEqual(rendered(markdownOf(value)), expected(value), markdownOf(value))
      }),
      { numRuns: 3000 }
    )
  })

  it("plain text keeps its lines", () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 20 }), (pieces) => {
        const text = pieces.join("")
        const lines = text
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line !== "")
        const shown = renderedLines(plain(text)).map((line) => line.trim())
        assert.deepStrictEqual(shown, lines)
      }),
      { numRuns: 2000 }
    )
  })
})
