/**
 * Every environment variable there is: its name, what is allowed in it and how one value is read.
 */
import { isAbsolute } from "node:path"
import { Duration, Option, Redacted } from "effect"
import { UserId } from "../domain/Ids.ts"
import { tokenShape } from "../telegram/Bots.ts"

export interface Variable<A> {
  readonly allowed: string
  /** Its value is never shown. */
  readonly secret?: true
  /** Accepted and checked, but nothing listens to it. */
  readonly withoutEffect?: true
  readonly read: (value: string) => Option.Option<A>
}

const matching = (pattern: RegExp) => (value: string) =>
  pattern.test(value) ? Option.some(value) : Option.none<string>()

const secretMatching = (pattern: RegExp) => (value: string) =>
  Option.map(matching(pattern)(value), (text) => Redacted.make(text))

const word =
  <const Words extends ReadonlyArray<string>>(words: Words) =>
  (value: string): Option.Option<Words[number]> =>
    Option.fromNullishOr(words.find((one) => one === value.toLowerCase()))

const integer = (least: number, most: number) => (value: string) =>
  /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most
    ? Option.some(Number(value))
    : Option.none<number>()

const urlOf = (protocols: ReadonlyArray<string>) => (value: string) =>
  Option.filter(Option.fromNullishOr(URL.parse(value)), (url) => protocols.includes(url.protocol))

/** A base address, without the slash at its end. */
const webAddress = (protocols: ReadonlyArray<string>) => (value: string) =>
  Option.map(urlOf(protocols)(value), () => value.replace(/\/+$/, ""))

const databaseAddress = (protocols: ReadonlyArray<string>) => (value: string) =>
  Option.map(urlOf(protocols)(value), () => Redacted.make(value))

const longest = Duration.days(1)
const duration = (value: string) =>
  /^\d+(\.\d+)?\s+(milli|second|minute|hour)s?$/.test(value)
    ? Option.filter(
        Duration.fromInput(value as Duration.Input),
        (read) => Duration.isGreaterThan(read, Duration.zero) && !Duration.isGreaterThan(read, longest)
      )
    : Option.none<Duration.Duration>()
const aDuration = "a number and a unit, such as `30 seconds`, `1.5 seconds`, `500 millis` or `5 minutes`"

const users = (value: string): Option.Option<"everyone" | ReadonlyArray<UserId>> => {
  if (value === "*") return Option.some("everyone")
  const ids = value.split(/[\s,]+/).filter((id) => id !== "")
  return ids.length > 0 && ids.every((id) => /^[1-9]\d{0,15}$/.test(id))
    ? Option.some(ids.map((id) => UserId.make(Number(id))))
    : Option.none()
}

const key = (value: string) => {
  const bytes = Buffer.from(value, "base64")
  return bytes.length === 32 && bytes.toString("base64").replace(/=$/, "") === value.replace(/=$/, "")
    ? Option.some(Redacted.make(new Uint8Array(bytes)))
    : Option.none<Redacted.Redacted<Uint8Array>>()
}

const anything = (value: string) => Option.some(value)

/** Messages a minute and a day; what is not named has no limit. */
export interface Rates {
  readonly minute?: number
  readonly day?: number
}

/** `600/minute 10000/day`, one of them, or `none`. */
const rates = (value: string): Option.Option<Rates> => {
  if (value.toLowerCase() === "none") return Option.some({})
  const read = value.split(/[\s,]+/).map((one) => /^([1-9]\d{0,8})\/(minute|day)$/i.exec(one))
  const spans = read.map((match) => match?.[2]?.toLowerCase())
  return read.includes(null) || new Set(spans).size < spans.length
    ? Option.none()
    : Option.some(Object.fromEntries(read.map((match, index) => [spans[index], Number(match?.[1])])))
}

const sizes: Readonly<Record<string, number>> = { mb: 1e6, gb: 1e9, tb: 1e12 }

/** `10 GB` or `none`. */
const size = (value: string): Option.Option<{ readonly bytes?: number }> => {
  if (value.toLowerCase() === "none") return Option.some({})
  const [, number = "", unit = ""] = /^([1-9]\d{0,5})\s*(mb|gb|tb)$/i.exec(value) ?? []
  return unit === "" ? Option.none() : Option.some({ bytes: Number(number) * sizes[unit.toLowerCase()]! })
}
const someRates = "messages such as `600/minute 10000/day` or `1000/day`, or `none`"

/** `A` of each variable's value. */
export const variables = {
  TELEGRAM_BOT_TOKEN: {
    allowed: "the token @BotFather gave, such as `123456789:` and 35 letters, digits, `-` or `_`",
    secret: true,
    read: secretMatching(tokenShape)
  },
  TELEGRAM_API_ROOT: {
    allowed: "an address beginning with https:// or http://",
    read: webAddress(["https:", "http:"])
  },
  TELEGRAM_ALLOWED_USERS: {
    allowed: "numeric user ids, separated by commas, or `*` for everyone",
    read: users
  },
  TELEGRAM_WEBHOOK_URL: {
    allowed: "the public address of this server, beginning with https://",
    read: (value: string) =>
      Option.filter(webAddress(["https:", "http:"])(value), (address) => !/[?#]/.test(address))
  },
  TELEGRAM_WEBHOOK_SECRET: {
    allowed: "16 or more characters without spaces",
    secret: true,
    read: secretMatching(/^[\x21-\x7e]{16,}$/)
  },
  DATA_DIR: { allowed: "a directory", read: anything },
  DATABASE_URL: {
    allowed: "an address beginning with postgres:// or postgresql://",
    secret: true,
    read: databaseAddress(["postgres:", "postgresql:"])
  },
  POSTGRES_BINARIES: {
    allowed: "the directory with `initdb` and `postgres` of PostgreSQL 15 or later, from the root",
    read: (value: string) => (isAbsolute(value) ? Option.some(value) : Option.none<string>())
  },
  REDIS_URL: {
    allowed: "an address beginning with redis:// or rediss://",
    secret: true,
    read: databaseAddress(["redis:", "rediss:"])
  },
  CLUSTER_HOST: {
    allowed: "the host name or address the other replicas reach this one at",
    read: matching(/^[\w.:-]+$/)
  },
  CLUSTER_PORT: { allowed: "a port, 1 to 65535", read: integer(1, 65_535) },
  HTTP_HOST: { allowed: "the host name or address to listen on", read: matching(/^[\w.:-]+$/) },
  HTTP_PORT: { allowed: "a port, 1 to 65535, or 0 for any free one", read: integer(0, 65_535) },
  HTTP_ALLOWED_HOSTS: {
    allowed: "host names without ports, separated by commas",
    read: (value: string) => {
      const names = value
        .toLowerCase()
        .split(/[\s,]+/)
        .filter((name) => name !== "")
      return names.every((name) => /^[a-z0-9._-]+$/.test(name))
        ? Option.some(names)
        : Option.none<Array<string>>()
    }
  },
  PUBLIC_URL: {
    allowed: "the address people reach this server at, such as https://notes.example, without a path",
    read: (value: string) =>
      Option.filter(
        webAddress(["https:", "http:"])(value),
        (address) => URL.parse(address)?.origin === address
      )
  },
  ADMIN_TOKEN: {
    allowed: "16 or more characters without spaces",
    secret: true,
    read: secretMatching(/^[\x21-\x7e]{16,}$/)
  },
  LIMIT_USER: { allowed: someRates, read: rates },
  LIMIT_TENANT: { allowed: someRates, read: rates },
  LIMIT_STORAGE: { allowed: "a size such as `500 MB`, `10 GB` or `1 TB`, or `none`", read: size },
  NOTE_WINDOW: { allowed: `${aDuration}, at most a day`, read: duration },
  NOTE_WINDOW_MAX: { allowed: `${aDuration}, at most a day`, read: duration },
  CHAT_WINDOW: { allowed: `${aDuration}, at most a day`, withoutEffect: true, read: duration },
  LLM_PROVIDER: {
    allowed: "`none`, `openai` or `anthropic`",
    withoutEffect: true,
    read: word(["none", "openai", "anthropic"])
  },
  LLM_MODEL: { allowed: "the name of a model", withoutEffect: true, read: anything },
  LLM_API_KEY: {
    allowed: "the provider's key, without spaces",
    secret: true,
    withoutEffect: true,
    read: secretMatching(/^[\x21-\x7e]+$/)
  },
  LLM_BASE_URL: {
    allowed: "an address beginning with https:// or http://",
    withoutEffect: true,
    read: webAddress(["https:", "http:"])
  },
  SECRETS_KEY: {
    allowed: "32 bytes in base 64, such as `openssl rand -base64 32` prints",
    secret: true,
    read: key
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    allowed: "an address beginning with https:// or http://, such as http://localhost:4318",
    read: webAddress(["https:", "http:"])
  },
  LOG_LEVEL: {
    allowed: "`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `none`",
    read: word(["trace", "debug", "info", "warn", "error", "fatal", "none"])
  },
  LOG_FORMAT: { allowed: "`pretty` or `json`", read: word(["pretty", "json"]) }
} as const satisfies Record<string, Variable<unknown>>

export type VariableName = keyof typeof variables
export const variableNames = Object.keys(variables) as ReadonlyArray<VariableName>
