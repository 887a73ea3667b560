/**
 * Formatted text in portions Telegram takes: at most 4,096 UTF-16 units and 100 entities a message.
 * Put together again, the parts are the text, character for character, but for blanks too many for a message
 * with words in it.
 */
import type { FormattedText, TextEntity } from "../../domain/FormattedText.ts"
import { isBlank, trimmed } from "./Runs.ts"

/** Source: Bot API, sendMessage and "Formatting options". */
export interface PartLimits {
  readonly units: number
  readonly entities: number
}
export const messageLimits: PartLimits = { units: 4_096, entities: 100 }

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** Where a reader expects a break, the best first: after a paragraph, a line, a sentence, a word. */
const breaks: ReadonlyArray<RegExp> = [/\n[ \t]*\n+/g, /\n/g, /[.!?…。！？]["'»”)\]]*\s+/g, /\s+/g]

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff

const endOf = ({ offset, length }: TextEntity) => offset + length

const visibleStart = (text: string): number => {
  let start = 0
  for (const char of text) {
    if (!isBlank(char)) return start
    start += char.length
  }
  return start
}

/** Where the last visible character ends; the rest of the text shows nothing. */
const visibleEnd = (text: string): number => {
  let end = text.length
  while (end > 0) {
    const low = text.charCodeAt(end - 1)
    const pair = low >= 0xdc00 && low <= 0xdfff && end > 1 && isHighSurrogate(text.charCodeAt(end - 2))
    const start = pair ? end - 2 : end - 1
    if (!isBlank(text.slice(start, end))) return end
    end = start
  }
  return 0
}

interface Cut {
  /** From where the part begins: all that fits, and a little more, to see the grapheme across its end whole. */
  readonly ahead: string
  /** The part has at most as many units, unless its first grapheme has more. */
  readonly longest: number
  readonly units: number
  /** Whether a cut there goes through something that would fit into a part whole. */
  readonly parts: (at: number) => boolean
}

/** The length of a part. */
const cutAt = ({ ahead, longest, units, parts }: Cut): number => {
  const window = ahead.slice(0, longest + 1)
  const visible = visibleStart(window)
  const segments = graphemes.segment(ahead)
  const isBoundary = (at: number) => segments.containing(at)?.index === at
  const ends = breaks.map((pattern) =>
    [...window.matchAll(pattern)]
      .map((match) => match.index + match[0].length)
      .filter((end) => end <= longest && end >= longest / 2 && end > visible && isBoundary(end))
  )
  for (const whole of [true, false]) {
    for (const found of ends) {
      const best = found.findLast((end) => !(whole && parts(end)))
      if (best !== undefined) return best
    }
  }
  const grapheme = segments.containing(longest)
  if (grapheme === undefined || grapheme.index > 0) return grapheme?.index ?? longest
  // More entities begin in the first grapheme than a part holds: it stays whole, and some go.
  if (grapheme.segment.length <= units) return grapheme.segment.length
  // One grapheme longer than a message: nothing is left but to keep its surrogate pairs whole.
  return longest > 1 && isHighSurrogate(ahead.charCodeAt(longest - 1)) ? longest - 1 : longest
}

const piece = (text: string, entity: TextEntity, start: number, end: number): ReadonlyArray<TextEntity> => {
  const offset = Math.max(entity.offset, start)
  const part = trimmed(text, { ...entity, offset, length: Math.min(endOf(entity), end) - offset })
  return part === undefined ? [] : [{ ...part, offset: part.offset - start }]
}

/**
 * Parts of at most `limits.units` UTF-16 units and `limits.entities` entities, cut after a paragraph, line,
 * sentence or word where there is one in the second half, rather beside an entity than through it, never
 * inside a grapheme. An entity across a cut, code too, goes on in the next part. No part is blank: Telegram
 * refuses those. A text within the limits comes back as it is; one without anything to see has no parts.
 */
export const split = (
  { text, entities }: FormattedText,
  limits: PartLimits = messageLimits
): ReadonlyArray<FormattedText> => {
  const seen = visibleEnd(text)
  if (seen === 0) return []
  if (text.length <= limits.units && entities.length <= limits.entities) return [{ text, entities }]
  const upcoming = entities
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.offset - b.offset || b.length - a.length)
  const lastVisible = graphemes.segment(text).containing(seen - 1)?.index ?? 0
  const parts: Array<FormattedText> = []
  let next = 0
  let open: ReadonlyArray<TextEntity> = []
  for (let start = 0; start < text.length; ) {
    const tooMany = open.length < limits.entities ? upcoming[next + limits.entities - open.length] : undefined
    const fits = tooMany !== undefined && tooMany.offset > start ? tooMany.offset - start : Infinity
    const longest = Math.min(limits.units, fits)
    const here = [...open]
    for (let at = next; at < upcoming.length && upcoming[at]!.offset < start + longest; at++) {
      here.push(upcoming[at]!)
    }
    const cut = (most: number) =>
      start +
      cutAt({
        ahead: text.slice(start, start + limits.units + 64),
        longest: most,
        units: limits.units,
        parts: (at) =>
          here.some((one) => one.offset < start + at && start + at < endOf(one) && one.length <= limits.units)
      })
    let end = text.length - start <= longest ? text.length : cut(longest)
    // The last words wait for the blanks after them, which alone would be no message.
    if (end >= seen && end < text.length && lastVisible > start) end = cut(lastVisible - start)
    const part = text.slice(start, end)
    if (!isBlank(part)) {
      const inside = here.filter(({ offset }) => offset < end).flatMap((one) => piece(text, one, start, end))
      parts.push({ text: part, entities: inside.slice(0, limits.entities) })
    }
    while (next < upcoming.length && upcoming[next]!.offset < end) next++
    open = here.filter((one) => one.offset < end && endOf(one) > end)
    start = end
  }
  return parts
}
