import { assert, describe, it } from "@effect/vitest"
import { fromMarkdown } from "../../src/telegram/RichText.ts"
import { checkEntities, tagged } from "./support/entities.ts"
import { hostileStaysValid, longIsSplit, wordsAreKept } from "./support/richTextProperties.ts"

const shown = (...lines: ReadonlyArray<string>) => {
  const value = fromMarkdown(lines.join("\n"))
  checkEntities(value)
  return tagged(value)
}

type Case = readonly [markdown: string, shown: string]
const each = (cases: ReadonlyArray<Case>) => {
  for (const [markdown, expected] of cases) assert.strictEqual(shown(markdown), expected, markdown)
}

describe("words", () => {
  it("emphasis, strikethrough, code and what HTML says for it", () => {
    each([
      [
        "a **b** _c_ ~~d~~ `e`",
        "a <bold>b</bold> <italic>c</italic> <strikethrough>d</strikethrough> <code>e</code>"
      ],
      ["***both***", "<italic><bold>both</bold></italic>"],
      ["**a *b* c**", "<bold>a <italic>b</italic> c</bold>"],
      [
        "<u>a</u> <b>b</b> <em>c</em> <del>d</del>",
        "<underline>a</underline> <bold>b</bold> <italic>c</italic> <strikethrough>d</strikethrough>"
      ],
      ["<kbd>Ctrl</kbd>", "<code>Ctrl</code>"],
      ["<mark>a</mark><sub>2</sub> <x-y z='>'>b</x-y>", "a2 b"],
      ["2<sup>64</sup>\n\n<p>x<sup>2</sup></p>", "2^64\n\nx^2"],
      ["a<!-- no -->b<?php no ?>c", "abc"],
      ["5~10 of 20~30", "5~10 of 20~30"],
      ["\\*no\\* &amp; &copy; &#x41;", "*no* & © A"]
    ])
  })

  it("a spoiler, as our notes write it and as chats do", () => {
    each([
      ['<span class="spoiler">a *b*</span> c', "<spoiler>a <italic>b</italic></spoiler> c"],
      ["<tg-spoiler>a</tg-spoiler>", "<spoiler>a</spoiler>"],
      ["||a **b** c|| d", "<spoiler>a <bold>b</bold> c</spoiler> d"],
      ["a || b || c", "a || b || c"],
      ["x ||a", "x ||a"],
      ["`||a||` |||b||| \\|\\|c\\|\\|", "<code>||a||</code> |||b||| ||c||"],
      [
        "**a ||b** c||",
        "<bold>a <spoiler>b</spoiler></bold><spoiler> c</spoiler>".replace("<spoiler> c", " <spoiler>c")
      ],
      ["<span class=spoiler>a</span> <span>b</span>", "<spoiler>a</spoiler> b"]
    ])
  })

  it("code is nothing but code, formatting around it stops and goes on", () => {
    each([
      ["**a `b` c**", "<bold>a</bold> <code>b</code> <bold>c</bold>"],
      ["[`a`](https://a.org)", "<text_link https://a.org>a</text_link>"],
      ["`` ` ``", "<code>`</code>"],
      ["`  `", ""]
    ])
  })

  it("links lead somewhere, or are their words", () => {
    each([
      [
        "[a *b*](https://a.org/x_(y)?z=1&amp;2)",
        "<text_link https://a.org/x_(y)?z=1&2>a <italic>b</italic></text_link>"
      ],
      ["<https://a.org>", "<text_link https://a.org>https://a.org</text_link>"],
      ["see www.a.org.", "see <text_link http://www.a.org>www.a.org</text_link>."],
      ["[a][b]\n\n[b]: https://a.org 'T'", "<text_link https://a.org>a</text_link>"],
      ["[a][nowhere]", "[a][nowhere]"],
      ["<a href='https://a.org?x=1&amp;y'>a</a>", "<text_link https://a.org?x=1&y>a</text_link>"],
      ["[Ann](tg://user?id=7)", "<text_link tg://user?id=7>Ann</text_link>"],
      ["[](https://a.org)", "<text_link https://a.org>https://a.org</text_link>"],
      ["📎 [report.pdf](../../../media/ab/report.pdf) (1 KB)", "📎 report.pdf (1 KB)"],
      ["[](../media/a%20b.pdf#page=1)", "a b.pdf"],
      ["[a](#part) [b](javascript:alert(1)) [c](https://)", "a b c"],
      ["[write](mailto:a@b.org?subject=x) <a@b.org> [call](tel:+12)", "write (a@b.org) a@b.org call (+12)"],
      [
        "[1](https://a.org)[2](https://a.org)",
        "<text_link https://a.org>1</text_link><text_link https://a.org>2</text_link>"
      ]
    ])
  })

  it("a picture is its description, else its name", () => {
    each([
      ["![Cat](../media/x.jpg)", "🖼 Cat"],
      ["![](../media/%D0%BA%D0%BE%D1%82.jpg)", "🖼 кот.jpg"],
      ["![Cat](https://a.org/x.jpg)", "<text_link https://a.org/x.jpg>🖼 Cat</text_link>"],
      ["[![Cat](x.jpg)](https://a.org)", "<text_link https://a.org>🖼 Cat</text_link>"],
      ["<img alt='Cat' src=x.jpg>", "🖼 Cat"],
      ["![%ff](%ff)", "🖼 %ff"],
      ["![]()", "🖼"]
    ])
  })

  it("Obsidian's links are their words", () => {
    each([
      ["[[Page]] [[Page#Part|the part]] ![[cat.png|300]]", "Page the part 🖼 cat.png"],
      [
        "[[1]](https://a.org) \\[[a]] `[[b]]`",
        "<text_link https://a.org>[1]</text_link> [[a]] <code>[[b]]</code>"
      ],
      ["[[]] [[a\nb]] [[a", "[[]] [[a\nb]] [[a"],
      ["| a |\n|---|\n| [[P\\|w]] |", "<pre>a\n─\nw</pre>"]
    ])
  })

  it("lines break where they break in the file", () => {
    each([
      ["a\nb  \nc\\\nd<br>e<br>\nf", "a\nb\nc\nd\ne\nf"],
      ["**a  \nb**", "<bold>a\nb</bold>"],
      ["\u00A0\u00A0a", "\u00A0\u00A0a"],
      ["a\r\nb\r\rc", "a\nb\n\nc"]
    ])
  })
})

describe("blocks", () => {
  it("headings are bold lines, rules are a line", () => {
    each([
      ["# A *b*\n\ntext\n\n## C", "<bold>A <italic>b</italic></bold>\n\ntext\n\n<bold>C</bold>"],
      ["# A **b** `c`", "<bold>A b</bold> <code>c</code>"],
      ["a\n\n---\n\nb", "a\n\n———\n\nb"]
    ])
  })

  it("lists: bullets by depth, numbers as written, the lines of an item under each other", () => {
    each([
      ["- a\n- b\n  - c\n    - d\n      - e", "• a\n• b\n   ◦ c\n      ▪ d\n         ▪ e"],
      ["3. a\n1. b", "3. a\n4. b"],
      ["1. a\n   - b\n2. c", "1. a\n   ◦ b\n2. c"],
      ["- a\n  b\n\n  c\n- d", "• a\n   b\n\n   c\n\n• d"],
      ["-\n- a", "•\n• a"],
      ["- **a\n  b**", "• <bold>a</bold>\n   <bold>b</bold>"],
      ["10. a\n    b", "10. a\n    b"]
    ])
  })

  it("tasks have boxes", () => {
    each([
      ["- [ ] a\n- [x] b\n- c", "☐ a\n☑ b\n• c"],
      ["1. [X] a", "1. ☑ a"]
    ])
  })

  it("code keeps its lines and its language, in a list too", () => {
    each([
      ["```ts\n\n  a\n\n b  \n```", "<pre ts>  a\n\n b</pre>"],
      ["~~~\n```\n~~~", "<pre>```</pre>"],
      ["```c++ title=x\na\n```", "<pre c++>a</pre>"],
      ["```<b>\na\n```", "<pre>a</pre>"],
      ["    a\n      b", "<pre>a\n  b</pre>"],
      ["```\n\n```", ""],
      ["- a\n  ```sh\n  b\n    c\n  ```\n  d", "• a\n<pre sh>b\n  c</pre>\n   d"],
      ["- ```\n  a\n  ```", "•\n<pre>a</pre>"],
      ["```\nopen **a**", "<pre>open **a**</pre>"]
    ])
  })

  it("quotes hold anything; one in another has a bar; a long one opens at a tap", () => {
    each([
      ["> a\n> b\n\nc", "<blockquote>a\nb</blockquote>\n\nc"],
      [
        "> **a**\n>\n> - b\n>\n> ```\n> c\n> ```",
        "<blockquote><bold>a</bold>\n\n• b\n\n<pre>c</pre></blockquote>"
      ],
      ["> a\n>\n> > b\n> > c", "<blockquote>a\n\n│ b\n│ c</blockquote>"],
      ["- > a\n  > b\n- c", "•\n<blockquote>a\nb</blockquote>\n• c"],
      ["> - > a\n>   > b", "<blockquote>• │ a\n   │ b</blockquote>"],
      [`> ${"a\n> ".repeat(8)}a`, `<expandable_blockquote>${"a\n".repeat(8)}a</expandable_blockquote>`],
      [
        `> ${"word ".repeat(121)}`,
        `<expandable_blockquote>${"word ".repeat(121).trim()}</expandable_blockquote>`
      ],
      ["> a\n\n<!-- -->\n\n> b", "<blockquote>a</blockquote>\n\n<blockquote>b</blockquote>"],
      [">\n>", ""]
    ])
  })

  it("a table that fits a phone stands in columns, by its alignment, whatever the letters' width", () => {
    each([
      [
        "| Name | Qty | |\n|:--|--:|:-:|\n| **Tea** | 5 | x |\n| 漢字 😀 | 12 | `y\\|z` |\n| Кофе |",
        [
          "<pre>Name    │ Qty │",
          "────────┼─────┼────",
          "Tea     │   5 │  x",
          "漢字 😀 │  12 │ y|z",
          "Кофе    │     │</pre>"
        ].join("\n")
      ],
      ["| a<br>b |\n|---|", "<pre>a b\n───</pre>"],
      ["| |\n|---|", ""]
    ])
  })

  it("a wider one, or one with links, is a list of its rows", () => {
    const wide = "a long name for a column of a table"
    each([
      [
        `| x | ${wide} | |\n|---|---|---|\n| *1* | ok | z |\n| 2 | |`,
        `• <bold>x</bold>: <italic>1</italic>\n   <bold>${wide}</bold>: ok\n   z\n` +
          `• <bold>x</bold>: 2\n   <bold>${wide}</bold>: –\n   –`
      ],
      ["| a |\n|---|\n| [b](https://b.org) |", "• <bold>a</bold>: <text_link https://b.org>b</text_link>"],
      ["| a |\n|---|\n| <tg-spoiler>b</tg-spoiler> |", "• <bold>a</bold>: <spoiler>b</spoiler>"],
      [`| a b c | ${wide} |\n|---|---|`, `• <bold>a b c, ${wide}</bold>`]
    ])
  })

  it("footnotes stand below the text, numbered as they are referred to", () => {
    each([
      [
        "a[^x] b[^1] c[^x]\n\n[^1]: One\n[^x]: The *x*\n\n    more\n\n[^y]: Unused\n\nend",
        "a[1] b[2] c[1]\n\nend\n\n———\n\n[1] The <italic>x</italic>\n   more\n[2] One\n[3] Unused"
      ],
      ["a[^nowhere]", "a[^nowhere]"]
    ])
  })

  it("blocks of HTML are their text", () => {
    each([
      [
        "<details><summary>More &mdash; here</summary>\n\n**a**\n\n</details>",
        "<bold>More — here</bold>\n\n<bold>a</bold>"
      ],
      [
        "<div align=center>\n  <h1>A</h1>\n  <p>b <b>c</b><br>\n  d</p>\n<ul><li>e<li>f</ul></div>",
        "<bold>A</bold>\nb <bold>c</bold>\nd\n• e\n• f"
      ],
      ["<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "<bold>a</bold> b\nc"],
      ["<pre>a\n  <b>b</b> &lt;</pre>", "<pre>a\n  b <</pre>"],
      [
        "<p><img src='x/cat.png'> <a href='https://a.org'>a</a></p>",
        "🖼 cat.png <text_link https://a.org>a</text_link>"
      ],
      ["<script>\nno\n</script>\n\n<style>no</style>\n\na", "a"],
      ["<!-- no\n\nno -->\n\na", "a"],
      ["<p>&notathing; &#0; &#xD800; 1 < 2</p>", "&notathing; \uFFFD \uFFFD 1 < 2"]
    ])
  })

  it("what shows nothing is no text", () => {
    for (const markdown of [
      "",
      " \n\t\n",
      "<!-- a -->",
      "[a]: https://a.org",
      "&nbsp;",
      "\u200B",
      "<b></b>"
    ]) {
      assert.strictEqual(shown(markdown), "", markdown)
    }
  })
})

describe("any Markdown", () => {
  it("made to exhaust a parser is shown as typed, soon", () => {
    const hostile = ["> ", "1. ", "- ", "[a](", "[^a]", "**a_", "| a\n", "[a]\n", "a|b\n-|-\n", "***a "]
    for (const piece of hostile) {
      const markdown = piece.repeat(20_000).trim()
      assert.strictEqual(shown(markdown), markdown)
    }
    const deep = Array.from({ length: 300 }, (_, depth) => `${"  ".repeat(depth)}- a`).join("\n")
    assert.strictEqual(shown(deep), deep)
  })

  it("halves of surrogate pairs and control characters do no harm", () => {
    assert.strictEqual(shown("a\uD83D **b\uDE00** \0"), "a\uFFFD <bold>b\uFFFD</bold> \uFFFD")
    assert.strictEqual(shown("\uFEFF# a"), "<bold>a</bold>")
  })

  it("becomes text with entities Telegram takes, in parts that are the text", () => {
    hostileStaysValid(1_000)
  })

  it("keeps every word a reader sees, in order, and no other", () => {
    wordsAreKept(300)
  })

  it("of many messages' length: the same, and parts that hold", () => {
    longIsSplit(25)
  })
})
