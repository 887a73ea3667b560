// What a person types as `**bold**` and the like, and the entities it means. Pure.

const marks = [
  ["**", "bold"],
  ["__", "italic"],
  ["~~", "strikethrough"],
  ["||", "spoiler"],
  ["++", "underline"]
]
const markOf = Object.fromEntries(marks.map(([mark, type]) => [type, mark]))
const word = /[\p{L}\p{N}]/u
const space = /\s/

const closing = (source, mark, from, to) => {
  for (
    let at = source.indexOf(mark, from + 1);
    at !== -1 && at + mark.length <= to;
    at = source.indexOf(mark, at + 1)
  ) {
    const after = source[at + mark.length]
    if (source.slice(from, at).includes("\n\n")) return -1
    if (!space.test(source[at - 1]) && (after === undefined || !word.test(after)) && after !== mark[0])
      return at
  }
  return -1
}

/** One stretch without quotes. */
const inlineOf = (source) => {
  let text = ""
  const entities = []
  const add = (type, offset, extra) => {
    if (text.length > offset) entities.push({ type, offset, length: text.length - offset, ...extra })
  }
  const fence = (at, to) => {
    const match = /^```(?:([\w+#.-]+)\n|\n?)([\s\S]*?)\n?```/.exec(source.slice(at, to))
    if (match === null || match[2].trim() === "") return 0
    const offset = text.length
    text += match[2]
    add("pre", offset, match[1] === undefined ? {} : { language: match[1] })
    return match[0].length
  }
  const code = (at, to) => {
    const match = /^`([^`\n]+)`/.exec(source.slice(at, to))
    if (match === null) return 0
    const offset = text.length
    text += match[1]
    add("code", offset)
    return match[0].length
  }
  const named = (at, to) => {
    const match = /^\[([^[\]\n]+)\]\(((?:https?:\/\/|tg:\/\/|mailto:)[^\s()]+)\)/i.exec(source.slice(at, to))
    if (match === null) return 0
    const offset = text.length
    inline(at + 1, at + 1 + match[1].length)
    add("text_link", offset, { url: match[2] })
    return match[0].length
  }
  const marked = (at, to) => {
    const found = marks.find(([mark]) => source.startsWith(mark, at))
    if (found === undefined) return 0
    const [mark, type] = found
    const inner = at + mark.length
    const before = source[at - 1]
    if (inner >= to || space.test(source[inner]) || (before !== undefined && word.test(before))) return 0
    const end = closing(source, mark, inner, to)
    if (end === -1) return 0
    const offset = text.length
    inline(inner, end)
    add(type, offset)
    return end + mark.length - at
  }
  const readers = { "`": (at, to) => fence(at, to) || code(at, to), "[": named }
  const inline = (from, to) => {
    let at = from
    while (at < to) {
      const first = source[at]
      const used = (readers[first] ?? ("*_~|+".includes(first) ? marked : undefined))?.(at, to) ?? 0
      if (used === 0) text += first
      at += used || 1
    }
  }
  inline(0, source.length)
  return { text, entities }
}

/** Lines starting with `>` belong together, except inside a fence. */
const blocksOf = (source) => {
  const blocks = []
  let fenced = false
  for (const line of source.split("\n")) {
    const quote = !fenced && /^>(?: |$)/.test(line)
    const content = quote ? line.replace(/^> ?/, "") : line
    const last = blocks.at(-1)
    if (last?.quote === quote) last.lines.push(content)
    else blocks.push({ quote, lines: [content] })
    if (line.split("```").length % 2 === 0) fenced = !fenced
  }
  return blocks
}

/**
 * @param {string} source
 * @returns {{text: string, entities: Array<{type: string, offset: number, length: number}>}}
 */
export const parse = (source) => {
  let text = ""
  const entities = []
  for (const [index, block] of blocksOf(source).entries()) {
    if (index > 0) text += "\n"
    const inner = inlineOf(block.lines.join("\n"))
    const offset = text.length
    text += inner.text
    if (block.quote && inner.text !== "")
      entities.push({ type: "blockquote", offset, length: inner.text.length })
    for (const entity of inner.entities) entities.push({ ...entity, offset: entity.offset + offset })
  }
  return { text, entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length) }
}

/** Formatting people choose; the rest (addresses, hashtags, commands) is found again by itself. */
const chosen = new Set([...Object.keys(markOf), "code", "pre", "text_link", "blockquote"])
const key = (entities) =>
  JSON.stringify(
    entities
      .filter((entity) => chosen.has(entity.type))
      .map((entity) => [entity.offset, entity.length, entity.type, entity.url ?? entity.language ?? ""])
      .sort()
  )

/** The inverse of `parse`, or undefined when these entities cannot be typed that way. */
export const unparse = (text, entities) => {
  if (entities.some((entity) => entity.type === "custom_emoji" || entity.type === "text_mention"))
    return undefined
  const inserts = []
  const quotes = []
  for (const entity of entities) {
    const end = entity.offset + entity.length
    const [open, close] =
      entity.type === "code"
        ? ["`", "`"]
        : entity.type === "pre"
          ? [`\`\`\`${entity.language ?? ""}\n`, "\n```"]
          : entity.type === "text_link"
            ? ["[", `](${entity.url})`]
            : [markOf[entity.type] ?? "", markOf[entity.type] ?? ""]
    if (entity.type === "blockquote") quotes.push([entity.offset, end])
    else if (open !== "") {
      inserts.push({ at: entity.offset, text: open, order: [1, -entity.length] })
      inserts.push({ at: end, text: close, order: [0, entity.length] })
    }
  }
  for (const [from, to] of quotes) {
    for (let at = from; at < to; at = text.indexOf("\n", at) + 1) {
      inserts.push({ at, text: "> ", order: [1, Number.NEGATIVE_INFINITY] })
      if (!text.slice(at, to).includes("\n")) break
    }
  }
  inserts.sort((a, b) => a.at - b.at || a.order[0] - b.order[0] || a.order[1] - b.order[1])
  let source = ""
  let at = 0
  for (const insert of inserts) {
    source += text.slice(at, insert.at) + insert.text
    at = insert.at
  }
  source += text.slice(at)
  const back = parse(source)
  return back.text === text && key(back.entities) === key(entities) ? source : undefined
}

/** Entities after an edit of plain text: those before and after the changed stretch keep their place. */
export const shift = (before, after, entities) => {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before.at(-1 - tail) === after.at(-1 - tail)
  )
    tail++
  const change = after.length - before.length
  const oldEnd = before.length - tail
  const move = (at) => (at <= head ? at : at >= oldEnd ? at + change : head)
  return entities
    .map((entity) => {
      const offset = move(entity.offset)
      return { ...entity, offset, length: move(entity.offset + entity.length) - offset }
    })
    .filter((entity) => entity.length > 0)
}

const longest = 4096

/** Pieces of at most 4,096 units, cut at a line, else a space, as Telegram's clients cut what is pasted. */
export const split = ({ text, entities }) => {
  const parts = []
  let from = 0
  while (text.length - from > longest) {
    const window = text.slice(from, from + longest)
    const cut = [window.lastIndexOf("\n"), window.lastIndexOf(" ")].find((at) => at > longest / 2)
    // A pair of surrogates stays together.
    const hard = /[\ud800-\udbff]$/.test(window) ? longest - 1 : longest
    parts.push([from, from + (cut === undefined ? hard : cut + 1)])
    from = parts.at(-1)[1]
  }
  parts.push([from, text.length])
  return parts.map(([start, end]) => ({
    text: text.slice(start, end),
    entities: entities
      .map((entity) => {
        const offset = Math.max(entity.offset, start)
        return {
          ...entity,
          offset: offset - start,
          length: Math.min(entity.offset + entity.length, end) - offset
        }
      })
      .filter((entity) => entity.length > 0)
  }))
}
