/**
 * Formatted text in portions Telegram takes: at most 4,096 UTF-16 units and 100 entities a message.
 * Put together again, the parts are the text, character for character.
 */
import type { FormattedText, TextEntity } from "../domain/FormattedText.ts"

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

/** The length of the first part of `text`: at most `longest` units unless the first grapheme has more. */
const cutAt = (text: string, longest: number, units: number): number => {
  const window = text.slice(0, longest + 1)
  const segments = graphemes.segment(text)
  const isBoundary = (at: number) => segments.containing(at)?.index === at
  for (const pattern of breaks) {
    const ends = [...window.matchAll(pattern)].map((match) => match.index + match[0].length)
    const best = ends.findLast((end) => end <= longest && end >= longest / 2 && isBoundary(end))
    if (best !== undefined) return best
  }
  const grapheme = segments.containing(longest)
  if (grapheme === undefined || grapheme.index > 0) return grapheme?.index ?? longest
  // More entities begin in the first grapheme than a part holds: it stays whole, and some go.
  if (grapheme.segment.length <= units) return grapheme.segment.length
  // One grapheme longer than a message: nothing is left but to keep its surrogate pairs whole.
  return longest > 1 && isHighSurrogate(text.charCodeAt(longest - 1)) ? longest - 1 : longest
}

const overlaps = (entity: TextEntity, start: number, end: number) =>
  entity.offset < end && entity.offset + entity.length > start

const piece = (entity: TextEntity, start: number, end: number): TextEntity => {
  const from = Math.max(entity.offset, start)
  const to = Math.min(entity.offset + entity.length, end)
  return { ...entity, offset: from - start, length: to - from }
}

/** How far a part from `start` may reach before it would hold too many entities. */
const entityEnd = (entities: ReadonlyArray<TextEntity>, start: number, most: number): number => {
  const begins = entities
    .filter(({ offset, length }) => offset + length > start && length > 0)
    .map(({ offset }) => Math.max(offset, start))
    .sort((a, b) => a - b)
  const next = begins[most]
  return next === undefined || next <= start ? Number.POSITIVE_INFINITY : next
}

/**
 * Parts of at most `limits.units` UTF-16 units and `limits.entities` entities, cut after a paragraph, line,
 * sentence or word where there is one in the second half, never inside a grapheme. An entity across a cut
 * goes on in the next part. A text within the limits comes back as it is; an empty one has no parts.
 */
export const split = (
  formatted: FormattedText,
  limits: PartLimits = messageLimits
): ReadonlyArray<FormattedText> => {
  const { text, entities } = formatted
  const parts: Array<FormattedText> = []
  let start = 0
  while (start < text.length) {
    const longest = Math.min(limits.units, entityEnd(entities, start, limits.entities) - start)
    // A little more than fits, to see the grapheme across the limit whole.
    const ahead = text.slice(start, start + limits.units + 64)
    const end = text.length - start <= longest ? text.length : start + cutAt(ahead, longest, limits.units)
    parts.push({
      text: text.slice(start, end),
      entities: entities
        .filter((entity) => overlaps(entity, start, end))
        .slice(0, limits.entities)
        .map((entity) => piece(entity, start, end))
    })
    start = end
  }
  return parts
}
