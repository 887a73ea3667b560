/**
 * The last thing every log line, span, metric and answer of the admin API passes before it leaves the process:
 * bot tokens by their shape, and every secret we were told of, become `<hidden>`.
 */
import { Context, Effect, Layer, Redacted } from "effect"

const hidden = "<hidden>"

/** A bot token: the bot's id, a colon (also as `%3A`), the secret part. With `bot` before it in URLs. */
const botToken = /(?<![\w-])(?:bot)?\d{6,}(?::|%3A)[\w-]{30,}/gi
/** What stands between `//` and `@` in a URL: a login. */
const urlLogin = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"'\\]+@/gi

/** Hides what has the shape of a secret, whoever it belongs to. */
export const scrubShapes = (text: string): string =>
  text.replace(botToken, hidden).replace(urlLogin, `$1${hidden}@`)

/** Shorter ones would tear holes into ordinary words. */
const shortestSecret = 8

/** The ways one secret can be written down: as it is, in JSON, in a URL, and in base 64. */
export const spellings = (secret: string): ReadonlyArray<string> => {
  const base64 = Buffer.from(secret).toString("base64")
  const all = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    base64,
    base64.replace(/=+$/, ""),
    Buffer.from(secret).toString("base64url")
  ]
  return [...new Set(all)].filter((spelling) => spelling.length >= shortestSecret)
}

/** Where a text begins with one of many words, told at the price of one look at each of its characters. */
const makeWords = () => {
  /** By the first characters, which any word has; longest first, so that none hides the rest of another. */
  const byStart = new Map<string, ReadonlyArray<string>>()
  /** Most places of most texts begin no word: an entry is set where some start has its hash. */
  const starts = new Uint8Array(1 << 16)
  const hashed = (hash: number, code: number) => ((hash << 2) ^ (Math.imul(code, 0x9e3779b1) >>> 16)) & 0xffff

  const add = (word: string) => {
    const start = word.slice(0, shortestSecret)
    const known = byStart.get(start) ?? []
    if (known.includes(word)) return
    byStart.set(
      start,
      [...known, word].sort((a, b) => b.length - a.length)
    )
    let hash = 0
    for (let index = 0; index < shortestSecret; index++) hash = hashed(hash, word.charCodeAt(index))
    starts[hash] = 1
  }

  /** Eight shifts by two push out what came before: the hash is one of the last eight characters. */
  const replaced = (text: string, by: string): string => {
    let result = ""
    /** Everything before it is in `result`. */
    let copied = 0
    /** End of the words found since; words that overlap are one. */
    let end = 0
    let begin = -1
    let hash = 0
    for (let index = 0; index < text.length; index++) {
      hash = hashed(hash, text.charCodeAt(index))
      const at = index - shortestSecret + 1
      if (at < 0 || starts[hash] === 0) continue
      const word = byStart.get(text.slice(at, index + 1))?.find((one) => text.startsWith(one, at))
      if (word === undefined) continue
      if (begin >= 0 && at >= end) {
        result += text.slice(copied, begin) + by
        copied = end
        begin = -1
      }
      if (begin < 0) begin = at
      end = Math.max(end, at + word.length)
    }
    return begin < 0 ? text : `${result}${text.slice(copied, begin)}${by}${text.slice(end)}`
  }

  return { add, replaced }
}

export class Scrubber extends Context.Service<
  Scrubber,
  {
    /** From now on this secret is hidden wherever it turns up. Secrets under 8 characters are not. */
    readonly register: (secret: Redacted.Redacted) => Effect.Effect<void>
    /** Synchronous, for it is called from inside loggers and serializers. Costs the same for one secret or thousands. */
    readonly text: (text: string) => string
  }
>()("zapiska/ops/Scrubber") {
  static readonly layer = Layer.sync(Scrubber, () => {
    const words = makeWords()
    return Scrubber.of({
      register: (secret) =>
        Effect.sync(() => {
          for (const spelling of spellings(Redacted.value(secret))) words.add(spelling)
        }),
      text: (text) => scrubShapes(words.replaced(text, hidden))
    })
  })
}
