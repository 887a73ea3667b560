/** How many columns a text takes in a monospaced font. Pure. */

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

const plain = /^[\x20-\x7E]*$/

const emoji = /^(?:\p{Emoji_Presentation}|\p{Regional_Indicator}|\p{Emoji}\u{FE0F})/u

/** Source: Unicode, UAX #11: "halfwidth" forms are narrow whatever their script. */
const narrow = /^[\uFF61-\uFFDC\uFFE8-\uFFEE]/

const wide =
  /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Bopomofo}\p{sc=Yi}\p{sc=Tangut}\u3000-\u303E\u30FC\uFE10-\uFE19\uFE30-\uFE6B\uFF01-\uFF60\uFFE0-\uFFE6]/u

const invisible = /^[\p{M}\p{Cc}\p{Default_Ignorable_Code_Point}]+$/u

const columnsOf = (grapheme: string): number => {
  if (emoji.test(grapheme)) return 2
  if (narrow.test(grapheme)) return 1
  if (wide.test(grapheme)) return 2
  return invisible.test(grapheme) ? 0 : 1
}

/** East Asian wide characters and emoji take two columns, marks that join the letter before take none. */
export const displayWidth = (text: string): number =>
  plain.test(text)
    ? text.length
    : [...graphemes.segment(text)].reduce((width, { segment }) => width + columnsOf(segment), 0)
