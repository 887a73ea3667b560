/** Markdown to try the reader with: soup of marks, long documents, and documents whose words are known. */
import fc from "fast-check"

const marks = [
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
  "```ts\n",
  "~~~",
  "#",
  "# ",
  "## ",
  "> ",
  ">",
  "- ",
  "* ",
  "+ ",
  "1. ",
  "2) ",
  "- [ ] ",
  "- [x] ",
  "  ",
  "    ",
  "\t",
  "|",
  "||",
  " | ",
  "\n|---|:-:|\n",
  "---",
  "***\n",
  "[",
  "]",
  "](",
  ")",
  "![",
  "[^1]",
  "[^1]: ",
  "[a]: https://d.org\n",
  "[a]",
  "[[",
  "]]",
  "![[",
  "<",
  ">",
  "<b>",
  "</b>",
  "<i>",
  "</i>",
  "<u>",
  "</u>",
  "<code>",
  "</code>",
  "<pre>",
  "</pre>",
  "<br>",
  '<span class="spoiler">',
  "</span>",
  '<a href="https://c.org">',
  "</a>",
  "<div>\n",
  "</div>",
  "<blockquote>",
  "<img alt='x'>",
  "<!--",
  "-->",
  "<script>",
  "</script>",
  "<li>",
  "\\",
  "&amp;",
  "&#128512;",
  "&nbsp;",
  "https://a.org/b_c",
  "www.b.org",
  "a@b.org",
  "===",
  "\n",
  "\n\n",
  "\n\n\n",
  "  \n",
  "\\\n",
  " ",
  "\r\n"
]
const words = [
  "a",
  "Слово",
  "word",
  "x1",
  "😀",
  "👨‍👩‍👧",
  "🇩🇪",
  "e\u0301",
  "漢字",
  "ﷺ",
  "\u202E",
  "\u200B",
  "\u00A0",
  "\uD83D",
  "\uDE00",
  "\0",
  ".",
  "!",
  ",",
  ":",
  "(",
  "”",
  "«"
]
const soup = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...marks) },
  { weight: 2, arbitrary: fc.constantFrom(...words) }
)

export const hostileMarkdown: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.array(soup, { maxLength: 60 }).map((pieces) => pieces.join("")) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 80 }) }
)

/** A document and the words a reader must find in it, in this order. */
export interface Wordy {
  readonly markdown: string
  readonly words: ReadonlyArray<string>
}

type Text = (word: () => string) => string
const inlines: fc.Arbitrary<Text> = fc
  .array(
    fc.constantFrom<Text>(
      (word) => word(),
      (word) => `**${word()}**`,
      (word) => `*${word()} __${word()}__*`,
      (word) => `~~${word()}~~`,
      (word) => `\`${word()}\``,
      (word) => `[${word()} **${word()}**](https://a.org/hidden)`,
      (word) => `[${word()}](../hidden/x.md "hidden")`,
      (word) => `![${word()}](../hidden/x.jpg)`,
      (word) => `||${word()} ${word()}||`,
      (word) => `<u>${word()}</u>`,
      (word) => `<span class="spoiler">${word()}</span>`,
      (word) => `[[hidden|${word()}]]`,
      (word) => `[[${word()}]]`,
      (word) => `${word()}<!-- hidden -->`,
      (word) => `https://${word()}.org`,
      (word) => `**${word()} *${word()} \`${word()}\`* ${word()}**`,
      (word) => `“${word()}”, (${word()}) – 😀 ${word()}!`
    ),
    { minLength: 1, maxLength: 6 }
  )
  .map((parts) => (word) => parts.map((part) => part(word)).join(" "))

const indented = (text: string, by: string) => text.replace(/\n(?=.)/g, `\n${by}`)

const block: fc.Memo<Text> = fc.memo((depth) => {
  const leaf = fc.oneof(
    inlines,
    inlines.map(
      (text): Text =>
        (word) =>
          `## ${text(word)}`
    ),
    fc.constant<Text>((word) => `\`\`\`ts hidden\n${word()}\n\n  ${word()}\n\`\`\``),
    fc.constant<Text>(() => "---"),
    fc.constant<Text>((word) => `<div>\n<p>${word()} <b>${word()}</b></p>\n</div>`),
    fc.constant<Text>(
      (word) => `| ${word()} | ${word()} |\n|---|--:|\n| ${word()} | *${word()}* |\n| ${word()} | ${word()} |`
    ),
    fc.constant<Text>((word) => `${word()}  \n${word()}\\\n${word()}<br>${word()}`)
  )
  if (depth <= 1) return leaf
  const inner = block(depth - 1)
  return fc.oneof(
    leaf,
    fc.array(inlines, { minLength: 1, maxLength: 3 }).map(
      (items): Text =>
        (word) =>
          items.map((text) => `- [ ] ${text(word)}`).join("\n")
    ),
    inner.map(
      (text): Text =>
        (word) =>
          `> ${text(word).replaceAll("\n", "\n> ")}`
    ),
    fc.tuple(fc.constantFrom("- ", "1. ", "* "), fc.array(inner, { minLength: 1, maxLength: 3 })).map(
      ([sign, items]): Text =>
        (word) =>
          items
            .map((text) => sign + indented(text(word), " ".repeat(sign.startsWith("1") ? 3 : 2)))
            .join("\n")
    )
  )
})

const document = (blocks: number): fc.Arbitrary<Wordy> =>
  fc.array(block(3), { minLength: 1, maxLength: blocks }).map((texts) => {
    const words: Array<string> = []
    const word = () => {
      words.push(`w${words.length}q`)
      return words.at(-1)!
    }
    return { markdown: texts.map((text) => text(word)).join("\n\n"), words }
  })

export const wordyMarkdown: fc.Arbitrary<Wordy> = document(8)

/** 2 to 8 messages of it. */
export const longMarkdown: fc.Arbitrary<Wordy> = fc
  .tuple(document(20), fc.integer({ min: 8_000, max: 32_000 }))
  .map(([{ markdown, words }, length]) => {
    const times = Math.ceil(length / (markdown.length + 2))
    return {
      markdown: Array.from({ length: times }, () => markdown).join("\n\n"),
      words: Array.from({ length: times }, () => words).flat()
    }
  })
