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

export class Scrubber extends Context.Service<
  Scrubber,
  {
    /** From now on this secret is hidden wherever it turns up. Secrets under 8 characters are not. */
    readonly register: (secret: Redacted.Redacted) => Effect.Effect<void>
    /** Synchronous, for it is called from inside loggers and serializers. */
    readonly text: (text: string) => string
  }
>()("zapiska/ops/Scrubber") {
  static readonly layer = Layer.sync(Scrubber, () => {
    // Longest first: a secret inside another must not leave the rest of the longer one behind.
    let known: ReadonlyArray<string> = []
    return Scrubber.of({
      register: (secret) =>
        Effect.sync(() => {
          known = [...new Set([...known, ...spellings(Redacted.value(secret))])].sort(
            (a, b) => b.length - a.length
          )
        }),
      text: (text) => scrubShapes(known.reduce((rest, secret) => rest.replaceAll(secret, hidden), text))
    })
  })
}
