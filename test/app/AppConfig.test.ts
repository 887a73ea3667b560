import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Result } from "effect"
import fc from "fast-check"
import { AppConfig, ConfigInvalid, ProcessEnvironment } from "../../src/app/AppConfig.ts"
import { decodeEnvironment, type Environment } from "../../src/app/Environment.ts"
import { variableNames, variables } from "../../src/app/Variables.ts"

const token = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
const secretsKey = Buffer.alloc(32, 7).toString("base64")

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "zapiska-config-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The configuration of an environment, with `.env` holding `dotEnv`. */
const configOf = (environment: Environment, dotEnv?: string) =>
  Effect.gen(function* () {
    const path = yield* directory
    if (dotEnv !== undefined) writeFileSync(join(path, ".env"), dotEnv)
    return yield* AppConfig.pipe(
      Effect.provide(AppConfig.layer),
      Effect.provideService(ProcessEnvironment, { variables: environment, directory: path })
    )
  })

const refusalOf = (environment: Environment) =>
  Effect.flip(configOf(environment)).pipe(
    Effect.map((error) => {
      assert.instanceOf(error, ConfigInvalid)
      return error
    })
  )

describe("AppConfig", () => {
  it.effect("an empty environment is the sandbox with the documented defaults", () =>
    Effect.gen(function* () {
      const config = yield* configOf({})
      assert.isUndefined(config.telegram.botToken)
      assert.strictEqual(config.telegram.apiRoot, "https://api.telegram.org")
      assert.strictEqual(config.telegram.allowedUsers, "claim")
      assert.match(config.dataDir, /^\/.*\/data$/)
      assert.isUndefined(config.databaseUrl)
      assert.deepStrictEqual(config.http, {
        host: "127.0.0.1",
        port: 8080,
        portChosen: false,
        names: [],
        publicUrl: undefined
      })
      assert.strictEqual(Duration.toMillis(config.windows.note), 30_000)
      assert.strictEqual(Duration.toMillis(config.windows.noteMax), 300_000)
      assert.strictEqual(Duration.toMillis(config.windows.chat), 1_500)
      assert.strictEqual(config.model.provider, "none")
      assert.deepStrictEqual(config.log, { level: "info", format: undefined })
      assert.deepStrictEqual(config.warnings, [])
    })
  )

  it.effect("every variable is read into its setting", () =>
    Effect.gen(function* () {
      const config = yield* configOf({
        TELEGRAM_BOT_TOKEN: ` ${token} `,
        TELEGRAM_API_ROOT: "http://localhost:8081/",
        TELEGRAM_ALLOWED_USERS: "12, 34",
        DATA_DIR: "/srv/zapiska",
        DATABASE_URL: "postgres://owner:pass%20word@db/zapiska",
        POSTGRES_BINARIES: "/usr/lib/postgresql/18/bin",
        REDIS_URL: "rediss://r:6379",
        CLUSTER_HOST: "10.0.0.7",
        CLUSTER_PORT: "34431",
        HTTP_HOST: "::1",
        HTTP_PORT: "0",
        HTTP_ALLOWED_HOSTS: "Notes.example.org, zapiska",
        PUBLIC_URL: "https://notes.example.org/",
        ADMIN_TOKEN: "sixteen-letters-or-more",
        LIMIT_USER: "20/Minute",
        LIMIT_TENANT: "none",
        LIMIT_STORAGE: "10 GB",
        NOTE_WINDOW: "500 millis",
        NOTE_WINDOW_MAX: "2 minutes",
        CHAT_WINDOW: "1 second",
        LLM_PROVIDER: "OpenAI",
        LLM_MODEL: "m",
        LLM_BASE_URL: "http://localhost:11434/v1",
        SECRETS_KEY: secretsKey,
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
        LOG_LEVEL: "DEBUG",
        LOG_FORMAT: "json"
      })
      assert.strictEqual(Redacted.value(config.telegram.botToken!), token)
      assert.strictEqual(config.telegram.apiRoot, "http://localhost:8081")
      assert.deepStrictEqual<unknown>(config.telegram.allowedUsers, [12, 34])
      assert.strictEqual(config.dataDir, "/srv/zapiska")
      assert.strictEqual(Redacted.value(config.databaseUrl!), "postgres://owner:pass%20word@db/zapiska")
      assert.strictEqual(config.postgresBinaries, "/usr/lib/postgresql/18/bin")
      assert.deepStrictEqual(config.cluster, { host: "10.0.0.7", port: 34431 })
      assert.deepStrictEqual(config.http, {
        host: "::1",
        port: 0,
        portChosen: true,
        names: ["notes.example.org", "zapiska"],
        publicUrl: "https://notes.example.org"
      })
      assert.deepStrictEqual(config.limits, { userPerMinute: 20, storageBytes: 10_000_000_000 })
      assert.strictEqual(Duration.toMillis(config.windows.note), 500)
      assert.strictEqual(config.model.provider, "openai")
      assert.deepStrictEqual(Redacted.value(config.secretsKey!), new Uint8Array(32).fill(7))
      assert.deepStrictEqual(config.log, { level: "debug", format: "json" })
      assert.strictEqual(config.secrets.length, 5)
    })
  )

  it.effect("everybody is let in only by a star", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* configOf({ TELEGRAM_ALLOWED_USERS: "*" })).telegram.allowedUsers, "everyone")
      const refusal = yield* refusalOf({ TELEGRAM_ALLOWED_USERS: "12, @somebody" })
      assert.include(refusal.message, "TELEGRAM_ALLOWED_USERS: `12, @somebody` is not of the right form")
    })
  )

  it.effect("limits are so many messages a minute or a day, each named once, or none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* configOf({})).limits, {
        userPerMinute: 600,
        userPerDay: 10_000,
        tenantPerMinute: 3_000,
        tenantPerDay: 100_000
      })
      const { limits } = yield* configOf({ LIMIT_USER: "5/day, 2/minute", LIMIT_TENANT: "9/day" })
      assert.deepStrictEqual(limits, { userPerMinute: 2, userPerDay: 5, tenantPerDay: 9 })
      assert.deepStrictEqual((yield* configOf({ LIMIT_USER: "none", LIMIT_TENANT: "NONE" })).limits, {})
      for (const wrong of ["0/minute", "5", "5/hour", "5/day 6/day", "-1/day"]) {
        assert.include((yield* refusalOf({ LIMIT_USER: wrong })).message, "LIMIT_USER: ")
      }
      for (const wrong of ["0 GB", "10", "1.5 GB", "10 GiB"]) {
        assert.include((yield* refusalOf({ LIMIT_STORAGE: wrong })).message, "LIMIT_STORAGE: ")
      }
    })
  )

  it.effect("a variable that is empty counts as absent", () =>
    Effect.gen(function* () {
      const config = yield* configOf({ TELEGRAM_BOT_TOKEN: "", HTTP_PORT: "  ", CLUSTER_HOST: "" })
      assert.isUndefined(config.telegram.botToken)
      assert.strictEqual(config.http.port, 8080)
    })
  )

  it.effect(".env fills in what the environment does not say, and only that", () =>
    Effect.gen(function* () {
      const config = yield* configOf(
        { HTTP_PORT: "9001" },
        `# ours\nHTTP_PORT=9002\nexport HTTP_HOST="localhost"\nNOTE_WINDOW='10 seconds'\nHTTP_PROT=1\n`
      )
      assert.strictEqual(config.http.port, 9001)
      assert.strictEqual(config.http.host, "localhost")
      assert.strictEqual(Duration.toMillis(config.windows.note), 10_000)
      assert.match(config.warnings.join(), /HTTP_PROT .* HTTP_PORT was meant/)
    })
  )

  it.effect("a .env that cannot be read refuses to start instead of being overlooked", () =>
    Effect.gen(function* () {
      const path = yield* directory
      mkdirSync(join(path, ".env"))
      chmodSync(join(path, ".env"), 0o700)
      const error = yield* AppConfig.pipe(
        Effect.provide(AppConfig.layer),
        Effect.provideService(ProcessEnvironment, { variables: {}, directory: path }),
        Effect.flip
      )
      assert.include(error.message, ".env: ")
      assert.include(error.message, "cannot be read")
    })
  )

  it.effect(
    "all problems are reported at once, each with the variable, what is wrong and what is allowed",
    () =>
      Effect.gen(function* () {
        const wrong = {
          TELEGRAM_API_ROOT: "telegram",
          TELEGRAM_ALLOWED_USERS: "me",
          DATABASE_URL: "mysql://x",
          POSTGRES_BINARIES: "bin",
          REDIS_URL: "localhost",
          CLUSTER_HOST: "a b",
          CLUSTER_PORT: "0",
          HTTP_PORT: "80a",
          HTTP_ALLOWED_HOSTS: "https://x.example/",
          PUBLIC_URL: "https://x.example/notes",
          NOTE_WINDOW: "soon",
          NOTE_WINDOW_MAX: "0 seconds",
          CHAT_WINDOW: "2 days",
          LLM_PROVIDER: "gpt",
          SECRETS_KEY: "dG9vIHNob3J0",
          OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
          LOG_LEVEL: "loud",
          LOG_FORMAT: "xml"
        }
        const refusal = yield* refusalOf(wrong)
        assert.sameMembers(
          refusal.problems.map((problem) => problem.variable),
          Object.keys(wrong)
        )
        for (const { variable, allowed } of refusal.problems)
          assert.strictEqual(allowed, variables[variable as keyof typeof variables].allowed)
        assert.include(refusal.message, "The configuration has 18 problems:")
        assert.include(
          refusal.message,
          "HTTP_PORT: `80a` is not of the right form\n    allowed: a port, 1 to 65535"
        )
        assert.include(refusal.message, "LOG_LEVEL: `loud`")
      })
  )

  it.effect("no secret is ever shown, in its own variable or in another", () =>
    Effect.gen(function* () {
      const secrets = {
        TELEGRAM_BOT_TOKEN: "canary-token",
        TELEGRAM_WEBHOOK_SECRET: "canary webhook",
        DATABASE_URL: "postgress://u:canary-db@h",
        REDIS_URL: "canary-redis",
        ADMIN_TOKEN: "canary-admin",
        LLM_API_KEY: "canary llm",
        SECRETS_KEY: "canary-key"
      }
      const refusal = yield* refusalOf({
        ...secrets,
        HTTP_PORT: "canary-admin",
        LOG_LEVEL: token,
        TELEGRAM_API_ROOT: "ftp://user:canary-pw@host"
      })
      assert.strictEqual(refusal.problems.length, 10)
      assert.notInclude(refusal.message, "canary")
      assert.notInclude(JSON.stringify(refusal), "canary")
      assert.notInclude(refusal.message, token)
      const config = yield* configOf({ ADMIN_TOKEN: "canary-canary-canary", TELEGRAM_BOT_TOKEN: token })
      assert.notInclude(JSON.stringify(config), "canary")
      assert.notInclude(JSON.stringify(config), token)
    })
  )

  const rules: ReadonlyArray<readonly [string, Environment, ReadonlyArray<string>]> = [
    [
      "a webhook address without a secret",
      { TELEGRAM_BOT_TOKEN: token, TELEGRAM_WEBHOOK_URL: "https://x.example/" },
      ["TELEGRAM_WEBHOOK_SECRET"]
    ],
    [
      "a webhook without a bot",
      { TELEGRAM_WEBHOOK_URL: "https://x.example", TELEGRAM_WEBHOOK_SECRET: "0123456789abcdef" },
      ["TELEGRAM_BOT_TOKEN"]
    ],
    [
      "a webhook Telegram does not deliver to, by its protocol",
      {
        TELEGRAM_BOT_TOKEN: token,
        TELEGRAM_WEBHOOK_URL: "http://x.example",
        TELEGRAM_WEBHOOK_SECRET: "0123456789abcdef"
      },
      ["TELEGRAM_WEBHOOK_URL"]
    ],
    [
      "a webhook Telegram does not deliver to, by its port",
      {
        TELEGRAM_BOT_TOKEN: token,
        TELEGRAM_WEBHOOK_URL: "https://x.example:8080",
        TELEGRAM_WEBHOOK_SECRET: "0123456789abcdef"
      },
      ["TELEGRAM_WEBHOOK_URL"]
    ],
    [
      "a cluster without the two shared servers",
      { CLUSTER_HOST: "a", CLUSTER_PORT: "1" },
      ["DATABASE_URL", "REDIS_URL", "SECRETS_KEY"]
    ],
    [
      "a cluster with locks that end at the process",
      { CLUSTER_HOST: "a", CLUSTER_PORT: "1", DATABASE_URL: "postgres://h/d", SECRETS_KEY: secretsKey },
      ["REDIS_URL"]
    ],
    [
      "a cluster whose replicas would each make a key of their own",
      { CLUSTER_HOST: "a", CLUSTER_PORT: "1", DATABASE_URL: "postgres://h/d", REDIS_URL: "redis://h" },
      ["SECRETS_KEY"]
    ],
    [
      "half of a cluster's address",
      { CLUSTER_HOST: "a", DATABASE_URL: "postgres://h/d", REDIS_URL: "redis://h", SECRETS_KEY: secretsKey },
      ["CLUSTER_PORT"]
    ],
    ["a model provider without a model", { LLM_PROVIDER: "anthropic", LLM_API_KEY: "k" }, ["LLM_MODEL"]],
    ["a hosted model without a key", { LLM_PROVIDER: "openai", LLM_MODEL: "m" }, ["LLM_API_KEY"]],
    ["a window longer than its maximum", { NOTE_WINDOW: "6 minutes" }, ["NOTE_WINDOW"]],
    ["a maximum shorter than the window", { NOTE_WINDOW_MAX: "5 seconds" }, ["NOTE_WINDOW_MAX"]]
  ]
  for (const [name, environment, expected] of rules) {
    it.effect(`${name} is refused`, () =>
      Effect.gen(function* () {
        const refusal = yield* refusalOf(environment)
        assert.deepStrictEqual(
          refusal.problems.map((problem) => problem.variable),
          expected
        )
      })
    )
  }

  it.effect("what has no effect yet is accepted and said", () =>
    Effect.gen(function* () {
      const config = yield* configOf({
        LLM_PROVIDER: "openai",
        LLM_MODEL: "m",
        LLM_API_KEY: "quiet"
      })
      assert.strictEqual(config.model.name, "m")
      assert.deepStrictEqual(
        config.warnings.map((line) => line.split(" ")[0]),
        ["LLM_PROVIDER", "LLM_MODEL", "LLM_API_KEY"]
      )
      assert.notInclude(config.warnings.join(), "quiet")
    })
  )

  it.effect("a webhook's address may be anywhere for a Bot API server of one's own", () =>
    Effect.gen(function* () {
      const config = yield* configOf({
        TELEGRAM_BOT_TOKEN: token,
        TELEGRAM_API_ROOT: "http://127.0.0.1:8081",
        TELEGRAM_WEBHOOK_URL: "http://127.0.0.1:8080/",
        TELEGRAM_WEBHOOK_SECRET: "0123456789abcdef"
      })
      assert.strictEqual(config.telegram.webhook?.url, "http://127.0.0.1:8080")
    })
  )

  it("any environment at all is settings or problems, never a defect", () => {
    const value = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.nat().map(String),
      fc.constantFrom("0 seconds", "1e9 hours")
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...variableNames), value), (environment) => {
        const decoded = decodeEnvironment(environment, "/srv")
        return Result.isSuccess(decoded) || decoded.failure.length > 0
      })
    )
  })
})
