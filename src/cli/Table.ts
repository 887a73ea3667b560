/** Rows for people: columns that line up, whatever the names in them are. */

/**
 * A name comes from Telegram: what in it moves the cursor or colours the line is not printed. The joiner (U+200D), which
 * makes one picture of several, does neither.
 */
const printable = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]|(?!\u200d)\p{Cf}/gu, " ")

/** The same of several lines. */
export const printableLines = (text: string) => text.split("\n").map(printable).join("\n")

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })
/** Drawn two columns wide by terminals: pictures, and the scripts of East Asia. */
const wide =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u

const widthOf = (text: string): number =>
  [...graphemes.segment(text)].reduce((sum, { segment }) => sum + (wide.test(segment) ? 2 : 1), 0)

export type Row = Readonly<Record<string, string>>

/** Lines without spaces at their ends, the first of them the headings. `columns`: the keys of the rows, in order. */
export const table = (columns: ReadonlyArray<string>, rows: ReadonlyArray<Row>): string => {
  const lines = [
    columns.map((column) => column.toUpperCase()),
    ...rows.map((row) => columns.map((column) => printable(row[column] ?? "") || "–"))
  ]
  const widths = columns.map((_, nth) => Math.max(...lines.map((line) => widthOf(line[nth] ?? ""))))
  return lines
    .map((line) =>
      line
        .map((cell, nth) => cell + " ".repeat((widths[nth] ?? 0) - widthOf(cell)))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
