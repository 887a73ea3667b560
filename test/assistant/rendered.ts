/** Markdown as a reader sees it: every visible character with the formatting it is shown in. */
import MarkdownIt from "markdown-it"

export interface Shown {
  readonly char: string
  readonly formats: ReadonlyArray<string>
}

const reader = new MarkdownIt({ html: true, linkify: false })
// Links show the address as it was typed, not decoded for reading.
reader.normalizeLinkText = (url) => url

const ofToken: { readonly [token: string]: string } = {
  strong: "bold",
  em: "italic",
  s: "strikethrough",
  a: "link",
  blockquote: "quote"
}
const ofTag: { readonly [tag: string]: string } = {
  "<strong>": "bold",
  "<em>": "italic",
  "<s>": "strikethrough",
  "<u>": "underline",
  '<span class="spoiler">': "spoiler"
}

/** Throws on structure that text with entities never has: headings, lists, tables, rules, HTML blocks. */
export const rendered = (markdown: string): ReadonlyArray<Shown> => {
  const shown: Array<Shown> = []
  const open: Array<string> = []
  const say = (text: string, ...more: ReadonlyArray<string>) => {
    for (const char of text) if (/\S/u.test(char)) shown.push({ char, formats: [...open, ...more].sort() })
  }
  for (const block of reader.parse(markdown, {})) {
    if (block.type === "fence") say(block.content, "pre")
    else if (block.type === "blockquote_open") open.push("quote")
    else if (block.type === "blockquote_close") open.pop()
    else if (block.type !== "inline" && !block.type.startsWith("paragraph_"))
      throw new Error(`shows a ${block.type}`)
    for (const token of block.children ?? []) {
      if (token.type === "text" || token.type === "text_special") say(token.content)
      else if (token.type === "code_inline") say(token.content, "code")
      else if (token.type === "html_inline") {
        const format = ofTag[token.content]
        if (format !== undefined) open.push(format)
        else if (/^<\/(strong|em|s|u|span)>$/.test(token.content)) open.pop()
        else throw new Error(`shows HTML: ${token.content}`)
      } else if (token.nesting === 1) open.push(ofToken[token.tag] ?? token.type)
      else if (token.nesting === -1) open.pop()
      else if (!/^(hardbreak|softbreak)$/.test(token.type)) throw new Error(`shows a ${token.type}`)
    }
  }
  return shown
}

/** The lines a reader sees, without blanks at their ends and without empty ones. */
export const renderedLines = (markdown: string): ReadonlyArray<string> =>
  reader
    .parse(markdown, {})
    .flatMap((block) =>
      block.type === "fence"
        ? block.content.split("\n")
        : (block.children ?? [])
            .map((token) =>
              /^(hardbreak|softbreak)$/.test(token.type)
                ? "\n"
                : token.type === "html_inline"
                  ? ""
                  : token.content
            )
            .join("")
            .split("\n")
    )
    .map((line) => line.trim())
    .filter((line) => line !== "")
