import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import type { Formatted } from "../../src/sandbox/Entities.ts"
import { mark, trim } from "../../src/sandbox/Entities.ts"
import { parseHtml } from "../../src/sandbox/ParseHtml.ts"
import { parseMarkdown } from "../../src/sandbox/ParseMarkdown.ts"
import type { Answer } from "../../src/sandbox/Refusal.ts"

const shown = (parsed: Answer<Formatted>) =>
  Result.match(parsed, {
    onFailure: ({ description }) => description,
    onSuccess: ({ text, entities }) => [
      text,
      ...entities.map(({ type, offset, length }) => `${type} ${offset}+${length}`)
    ]
  })

describe("HTML", () => {
  it("opens and closes what Telegram knows", () => {
    const cases: ReadonlyArray<readonly [string, unknown]> = [
      ["a &lt;b&gt; &amp; &#128578;", ["a <b> & 🙂"]],
      [
        "<u>1</u><s>2</s><tg-spoiler>3</tg-spoiler>",
        ["123", "underline 0+1", "strikethrough 1+1", "spoiler 2+1"]
      ],
      ['<span class="tg-spoiler">x</span>', ["x", "spoiler 0+1"]],
      ["<pre>a</pre> <code>b</code>", ["a b", "pre 0+1", "code 2+1"]],
      ['<pre><code class="language-ts">a</code></pre>', ["a", "pre 0+1"]],
      ["<blockquote expandable>q</blockquote>", ["q", "expandable_blockquote 0+1"]],
      ["<b></b>x", ["x"]]
    ]
    for (const [source, expected] of cases) assert.deepStrictEqual(shown(parseHtml(source)), expected)
  })

  it("refuses what is unbalanced or unknown, naming the byte", () => {
    assert.include(shown(parseHtml("<b>x")), `Can't find end tag corresponding to start tag "b"`)
    assert.include(shown(parseHtml("й<b><i>x</b></i>")), `byte offset 9, expected "</i>", found "</b>"`)
    assert.include(shown(parseHtml("<p>x</p>")), 'Unsupported start tag "p" at byte offset 0')
    assert.include(shown(parseHtml("x</b>")), "Unexpected end tag at byte offset 1")
    assert.include(shown(parseHtml("1 < 2")), "byte offset 2")
  })
})

describe("MarkdownV2", () => {
  it("opens and closes what Telegram knows", () => {
    const cases: ReadonlyArray<readonly [string, unknown]> = [
      ["*b _i_*", ["b i", "bold 0+3", "italic 2+1"]],
      ["__u__ ~s~ ||p||", ["u s p", "underline 0+1", "strikethrough 2+1", "spoiler 4+1"]],
      ["`a_b` x", ["a_b x", "code 0+3"]],
      ["```ts\nlet a\n```", ["let a\n", "pre 0+6"]],
      ["[l](https://a.b/\\)x)", ["l", "text_link 0+1"]],
      [">q1\n>q2\nx\\.", ["q1\nq2\nx.", "blockquote 0+6"]]
    ]
    for (const [source, expected] of cases) assert.deepStrictEqual(shown(parseMarkdown(source)), expected)
  })

  it("refuses what is unbalanced or not escaped", () => {
    assert.include(shown(parseMarkdown("*x")), "Can't find end of bold entity")
    assert.include(shown(parseMarkdown("*a _b* c_")), "Can't find end of italic entity")
    assert.include(shown(parseMarkdown("a.b")), "Character '.' is reserved")
    assert.include(shown(parseMarkdown("`x")), "Can't find end of Code entity")
    assert.include(shown(parseMarkdown("[a](b")), "Can't find end of a URL")
  })

  it("gives any text back when every character is escaped", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const escaped = text.replace(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&")
        assert.deepStrictEqual(Result.getOrThrow(parseMarkdown(escaped)), { text, entities: [] })
      })
    )
  })
})

describe("what Telegram does to a text by itself", () => {
  it("keeps every entity within the trimmed text, over the same characters", () => {
    const space = fc.stringMatching(/^[ \n\t]{0,4}$/)
    fc.assert(
      fc.property(
        space,
        fc.string(),
        space,
        fc.nat(20),
        fc.integer({ min: 1, max: 20 }),
        (a, b, c, offset, length) => {
          const text = `${a}${b}${c}`
          fc.pre(offset + length <= text.length)
          const trimmed = trim({ text, entities: [{ type: "bold", offset, length }] })
          assert.strictEqual(trimmed.text, text.trim())
          const [entity] = trimmed.entities
          const before = text.slice(offset, offset + length)
          const after =
            entity === undefined ? "" : trimmed.text.slice(entity.offset, entity.offset + entity.length)
          assert.strictEqual(after.trim(), before.trim())
        }
      )
    )
  })

  it("marks commands, hashtags, mentions, links and addresses, but not inside of code", () => {
    const text = "/start@my_bot #тег #123 @someone a@b.io https://x.y/(z) `#no`"
    const code = { type: "code", offset: text.indexOf("`"), length: 5 }
    assert.deepStrictEqual(
      mark({ text, entities: [code] }).entities.map(({ type, offset, length }) => [
        type,
        text.slice(offset, offset + length)
      ]),
      [
        ["bot_command", "/start@my_bot"],
        ["hashtag", "#тег"],
        ["mention", "@someone"],
        ["email", "a@b.io"],
        ["url", "https://x.y/(z"],
        ["code", "`#no`"]
      ]
    )
  })
})
