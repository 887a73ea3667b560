/**
 * Plain text, code and link targets written so that Markdown shows exactly them: CommonMark, GFM and what
 * Obsidian adds. Escapes only what would be read as markup, so that notes stay readable as plain files.
 */

const isWord = (char: string | undefined) => char !== undefined && /^[\p{L}\p{N}]$/u.test(char)

/**
 * Characters that may be markup wherever they stand; the other half of a pair can be lines away. GitHub takes
 * one tilde for strikethrough, Obsidian dollars for mathematics.
 */
const always = /[\\`*[\]~$]/

/** An entity such as `&amp;`, or what may become one with the text that follows this piece. */
const entity = /^&(#\d{1,7};|#[xX][\da-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};|#?[A-Za-z0-9]*$)/

/** What may become an address in angle brackets: `<|@ann>` is one (CommonMark 0.31, "email address"). */
const address = { line: /^<[\w.!#$%&'*+/=?^`{|}~-]+@/, markup: /^<[\w.!#$%&'*+/=?^`{|}~-]+(?:@|$)/ } as const

/** Where a stretch of text ends: with its line, or at markup the line goes on with. */
export type End = keyof typeof address

const needsEscape = (text: string, at: number, char: string, end: End): boolean => {
  const before = text[at - 1]
  const after = text[at + 1]
  switch (char) {
    // Inside a word it never is emphasis, and `#my_tag` has to stay one tag.
    case "_":
      return !(isWord(before) && isWord(after))
    case "<":
      return after === undefined || /[A-Za-z/!?]/.test(after) || address[end].test(text.slice(at))
    case "&":
      return entity.test(text.slice(at))
    // Obsidian: highlight and comment.
    case "=":
    case "%":
      return before === char || after === char
    // Obsidian: the name of a block, at the end of it.
    case "^":
      return /^\^[A-Za-z0-9-]*\s*$/.test(text.slice(at))
    default:
      return always.test(char)
  }
}

/** Text inside a line. `text` is the whole stretch between two pieces of markup. */
export const escapeText = (text: string, end: End = "markup"): string => {
  let out = ""
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (needsEscape(text, at, char, end)) out += "\\"
    out += char
  }
  return out
}

/** What a link can follow at once: after an exclamation mark it would be an image. */
export const beforeLink = (escaped: string): string => escaped.replace(/!$/, "\\!")

/**
 * The start of a line, already escaped otherwise: what would open a heading, a list, a quote, a rule, an
 * underlined heading or the second row of a table gets a backslash.
 */
export const escapeLineStart = (line: string): string => {
  const number = /^(\d{1,9})([.)])(?=\s|$)/.exec(line)
  if (number !== null) return `${number[1]}\\${line.slice(number[1]!.length)}`
  const opens =
    /^#{1,6}(\s|$)/.test(line) ||
    /^[+-](\s|$)/.test(line) ||
    line.startsWith(">") ||
    /^=+\s*$/.test(line) ||
    /^[|:-][\s|:-]*$/.test(line)
  return opens ? `\\${line}` : line
}

const longestRun = (text: string): number =>
  Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length))

/** One line of code. The fence is longer than any run of backticks inside. */
export const codeSpan = (code: string): string => {
  const fence = "`".repeat(longestRun(code) + 1)
  const padded =
    code.startsWith("`") || code.endsWith("`") || (/^ .* $/.test(code) && code.trim() !== "")
      ? ` ${code} `
      : code
  return `${fence}${padded}${fence}`
}

export const codeBlock = (code: string, language: string | undefined): string => {
  const fence = "`".repeat(Math.max(3, longestRun(code) + 1))
  const info = language !== undefined && /^[A-Za-z0-9+#._-]{1,40}$/.test(language) ? language : ""
  return `${fence}${info}\n${code}\n${fence}`
}

/** What may stand behind a text. Others (`javascript:`, `file:`) are shown, never followed. */
const followed = /^(https?|tg|ton|mailto|tel|ftp):/i

/** The destination of a link, or nothing when it is not one a note should follow. */
export const linkTarget = (url: string): string | undefined => {
  const trimmed = url.trim()
  if (trimmed === "") return undefined
  const absolute = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(trimmed) ? trimmed : `http://${trimmed}`
  if (!followed.test(absolute)) return undefined
  return absolute
    .replace(/[\s<>\\`|"]|\p{Cc}/gu, (char) => encodeURIComponent(char))
    .replace(/[()]/g, "\\$&")
    .replace(/&(?=[#A-Za-z][A-Za-z0-9]*;)/g, "\\&")
}
