/**
 * From the names and values of the environment to the settings, or to all that is wrong with them. Pure.
 */
import { resolve } from "node:path"
import { Duration, Option, Redacted, Result, Schema } from "effect"
import { scrubShapes } from "../ops/Scrub.ts"
import type { LimitSettings } from "../telegram/LimitRules.ts"
import { webhookPorts } from "../telegram/WebhookRules.ts"
import { type Variable, type VariableName, variableNames, variables } from "./Variables.ts"

export type Environment = Readonly<Record<string, string | undefined>>

/** One thing wrong: the variable, what was wrong with it (never a secret), what is allowed. */
export const Problem = Schema.Struct({
  variable: Schema.String,
  wrong: Schema.String,
  allowed: Schema.String
})
export type Problem = typeof Problem.Type

type Read<Name extends VariableName> =
  ReturnType<(typeof variables)[Name]["read"]> extends Option.Option<infer A> ? A : never

/** The values as far as they are readable; a name that is empty or only spaces counts as absent. */
type Values = { readonly [Name in VariableName]: Read<Name> | undefined }

const readAll = (environment: Environment) => {
  const problems: Array<Problem> = []
  const values: Record<string, unknown> = {}
  const secrets = variableNames.flatMap((name) => ("secret" in variables[name] && environment[name]) || [])
  for (const name of variableNames) {
    const raw = environment[name]?.trim()
    if (raw === undefined || raw === "") continue
    const variable: Variable<unknown> = variables[name]
    const value = variable.read(raw)
    if (Option.isSome(value)) values[name] = value.value
    else problems.push({ variable: name, wrong: describe(variable, raw, secrets), allowed: variable.allowed })
  }
  return { values: values as Values, problems }
}

/** A secret in the wrong variable is a secret still. */
const describe = (variable: Variable<unknown>, raw: string, secrets: ReadonlyArray<string>): string => {
  if (variable.secret) return `its value (${raw.length} characters, not shown) is not of the right form`
  const shown = secrets.some((secret) => raw.includes(secret)) ? "<hidden>" : scrubShapes(raw)
  return `\`${shown.length > 80 ? `${shown.slice(0, 79)}…` : shown}\` is not of the right form`
}

/** Rules between variables. `given` by name, so that one that is wrong is not also called missing. */
const contradictions = (environment: Environment, values: Values): ReadonlyArray<Problem> => {
  const given = (name: VariableName) => (environment[name]?.trim() ?? "") !== ""
  const problems: Array<Problem> = []
  const needs = (name: VariableName, because: string, when: boolean) => {
    if (when && !given(name))
      problems.push({
        variable: name,
        wrong: `it is missing, and ${because}`,
        allowed: variables[name].allowed
      })
  }
  needs("TELEGRAM_WEBHOOK_SECRET", "TELEGRAM_WEBHOOK_URL is set", given("TELEGRAM_WEBHOOK_URL"))
  if (values.TELEGRAM_WEBHOOK_URL !== undefined && values.TELEGRAM_API_ROOT === undefined)
    problems.push(...notForTelegram(new URL(values.TELEGRAM_WEBHOOK_URL)))
  const clustered = given("CLUSTER_HOST") || given("CLUSTER_PORT")
  // Replicas may have none but their tenants' bots.
  needs("TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_URL is set", given("TELEGRAM_WEBHOOK_URL") && !clustered)
  needs("CLUSTER_HOST", "CLUSTER_PORT is set", clustered)
  needs("CLUSTER_PORT", "CLUSTER_HOST is set", clustered)
  needs("DATABASE_URL", "a cluster shares one database", clustered)
  needs("REDIS_URL", "a cluster shares its locks", clustered)
  needs("SECRETS_KEY", "replicas with a key each could not read what another sealed", clustered)
  const provider = values.LLM_PROVIDER ?? "none"
  needs("LLM_MODEL", `LLM_PROVIDER is \`${provider}\``, provider !== "none")
  needs("LLM_API_KEY", "LLM_PROVIDER is `anthropic`", provider === "anthropic")
  needs(
    "LLM_API_KEY",
    "LLM_PROVIDER is `openai` without an LLM_BASE_URL",
    provider === "openai" && !given("LLM_BASE_URL")
  )
  const { window, windowMax } = windowsOf(values)
  if (Duration.isGreaterThan(window, windowMax))
    problems.push({
      variable: given("NOTE_WINDOW") ? "NOTE_WINDOW" : "NOTE_WINDOW_MAX",
      wrong: `NOTE_WINDOW (${Duration.format(window)}) is longer than NOTE_WINDOW_MAX (${Duration.format(windowMax)})`,
      allowed: "a NOTE_WINDOW of at most NOTE_WINDOW_MAX"
    })
  return problems
}

/** A Bot API server of one's own delivers anywhere. */
const notForTelegram = (url: URL): ReadonlyArray<Problem> => {
  const port = url.port === "" ? "443" : url.port
  const wrong =
    url.protocol === "http:"
      ? "it begins with http://, where Telegram delivers nothing"
      : `its port is ${port}, where Telegram delivers nothing`
  return url.protocol === "https:" && webhookPorts.includes(port)
    ? []
    : [
        {
          variable: "TELEGRAM_WEBHOOK_URL",
          wrong,
          allowed: `an address beginning with https://, on port ${webhookPorts.join(", ")}`
        }
      ]
}

const windowsOf = (values: Values) => ({
  window: values.NOTE_WINDOW ?? Duration.seconds(30),
  windowMax: values.NOTE_WINDOW_MAX ?? Duration.minutes(5)
})

/** Generous: a burst of forwards passes, a flood does not. */
const limitsOf = (values: Values): LimitSettings => {
  const user = values.LIMIT_USER ?? { minute: 600, day: 10_000 }
  const tenant = values.LIMIT_TENANT ?? { minute: 3_000, day: 100_000 }
  return {
    ...(user.minute === undefined ? {} : { userPerMinute: user.minute }),
    ...(user.day === undefined ? {} : { userPerDay: user.day }),
    ...(tenant.minute === undefined ? {} : { tenantPerMinute: tenant.minute }),
    ...(tenant.day === undefined ? {} : { tenantPerDay: tenant.day }),
    ...(values.LIMIT_STORAGE?.bytes === undefined ? {} : { storageBytes: values.LIMIT_STORAGE.bytes })
  }
}

const settingsOf = (values: Values, directory: string) => {
  const { window, windowMax } = windowsOf(values)
  return {
    telegram: {
      /** The default tenant's bot; absent: the sandbox. */
      botToken: values.TELEGRAM_BOT_TOKEN,
      apiRoot: values.TELEGRAM_API_ROOT ?? "https://api.telegram.org",
      /** `claim`: the first user to send the code printed at start. */
      allowedUsers: values.TELEGRAM_ALLOWED_USERS ?? ("claim" as const),
      webhook:
        values.TELEGRAM_WEBHOOK_URL !== undefined && values.TELEGRAM_WEBHOOK_SECRET !== undefined
          ? { url: values.TELEGRAM_WEBHOOK_URL, secret: values.TELEGRAM_WEBHOOK_SECRET }
          : undefined
    },
    /** From the root. */
    dataDir: resolve(directory, values.DATA_DIR ?? "data"),
    databaseUrl: values.DATABASE_URL,
    /** Absent: the binaries that came with the dependencies. */
    postgresBinaries: values.POSTGRES_BINARIES,
    redisUrl: values.REDIS_URL,
    cluster:
      values.CLUSTER_HOST !== undefined && values.CLUSTER_PORT !== undefined
        ? { host: values.CLUSTER_HOST, port: values.CLUSTER_PORT }
        : undefined,
    http: {
      host: values.HTTP_HOST ?? "127.0.0.1",
      port: values.HTTP_PORT ?? 8080,
      /** Whether somebody chose the port: if not, another one may be taken. */
      portChosen: values.HTTP_PORT !== undefined,
      /** Names of ours besides loopback: behind a proxy, in a container network. */
      names: values.HTTP_ALLOWED_HOSTS ?? [],
      /** Where people open the pages that are made for them; absent: the address it listens on. */
      publicUrl: values.PUBLIC_URL
    },
    /** Absent: generated, see `Secrets`. */
    adminToken: values.ADMIN_TOKEN,
    secretsKey: values.SECRETS_KEY,
    /** Of a tenant that has none of its own. */
    limits: limitsOf(values),
    windows: { note: window, noteMax: windowMax, chat: values.CHAT_WINDOW ?? Duration.millis(1500) },
    model: {
      provider: values.LLM_PROVIDER ?? ("none" as const),
      name: values.LLM_MODEL,
      apiKey: values.LLM_API_KEY,
      baseUrl: values.LLM_BASE_URL
    },
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    log: { level: values.LOG_LEVEL ?? ("info" as const), format: values.LOG_FORMAT }
  }
}

export type Settings = ReturnType<typeof settingsOf>

/** All that is wrong, or the settings. Relative paths start at `directory`. */
export const decodeEnvironment = (
  environment: Environment,
  directory: string
): Result.Result<Settings, readonly [Problem, ...ReadonlyArray<Problem>]> => {
  const { values, problems } = readAll(environment)
  const [first, ...others] = [...problems, ...contradictions(environment, values)]
  return first === undefined ? Result.succeed(settingsOf(values, directory)) : Result.fail([first, ...others])
}

/** The variables whose values are secrets, as they are set: what a scrubber must know. */
export const secretsIn = (environment: Environment): ReadonlyArray<Redacted.Redacted> =>
  variableNames.flatMap((name) => {
    const value = "secret" in variables[name] ? environment[name]?.trim() : undefined
    return value ? [Redacted.make(value)] : []
  })

/** Set, but nothing listens to them in this version. */
export const withoutEffect = (environment: Environment): ReadonlyArray<VariableName> =>
  variableNames.filter((name) => "withoutEffect" in variables[name] && environment[name]?.trim())
