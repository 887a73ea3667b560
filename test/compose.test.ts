/** What is given to operators of several replicas, as far as it can be looked at without Docker. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parse } from "yaml"
import { decodeEnvironment } from "../src/app/Environment.ts"
import { variableNames } from "../src/app/Variables.ts"

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
const exists = (path: string) => existsSync(fileURLToPath(new URL(`../${path}`, import.meta.url)))

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly environment?: Readonly<Record<string, string>>
        readonly command?: ReadonlyArray<string>
        readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
        readonly healthcheck?: unknown
        readonly stop_grace_period?: string
        readonly volumes?: ReadonlyArray<string>
      }
    >
  >
  readonly volumes: Readonly<Record<string, unknown>>
}

const compose = parse(read("docker-compose.yml")) as Compose
const dockerfile = read("Dockerfile").replaceAll("\\\n", " ").split("\n")
const instructions = (name: string) =>
  dockerfile.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1).trim()] : []))

/** What an operator wrote into `.env`. */
const secrets: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: "letters",
  SECRETS_KEY: Buffer.alloc(32, 1).toString("base64"),
  ADMIN_TOKEN: "0123456789abcdef"
}

/** As Compose does it: `${NAME:?message}` must be set, `${NAME:-}` need not be. */
const interpolated = (value: string, given: Readonly<Record<string, string>>) =>
  value.replaceAll(/\$\{(\w+)(:\?|:-)[^}]*\}/g, (_, name: string, how: string) => {
    if (how === ":?") assert.property(given, name, "a secret the file asks for without naming it at its top")
    return given[name] ?? ""
  })

describe("docker-compose.yml", () => {
  const { command, depends_on, environment, stop_grace_period } = compose.services.zapiska!
  const set = Object.fromEntries(
    instructions("ENV").flatMap((line) => line.split(/\s+/).map((pair) => pair.split("=", 2)))
  ) as Record<string, string>

  it("sets nothing the program does not know, and all that a replica needs", () => {
    const all = { ...set, ...environment, CLUSTER_HOST: "172.18.0.4" }
    for (const name of Object.keys(all)) assert.include(variableNames, name)
    const decoded = decodeEnvironment(
      Object.fromEntries(Object.entries(all).map(([name, value]) => [name, interpolated(value, secrets)])),
      "/zapiska"
    )
    assert.isTrue(Result.isSuccess(decoded), JSON.stringify(decoded))
    assert.deepStrictEqual(Result.getOrThrow(decoded).cluster, { host: "172.18.0.4", port: 34431 })
    assert.include(command!.at(-1), "CLUSTER_HOST=")
    // Nothing of the file's own is a secret.
    for (const name of ["SECRETS_KEY", "ADMIN_TOKEN"]) assert.match(environment![name]!, /^\$\{/)
  })

  it("hands on what operators may say about who reaches a bot, and how much it takes", () => {
    const handed = variableNames.filter((name) => environment![name] === `\${${name}:-}`)
    assert.deepStrictEqual(
      handed,
      variableNames.filter(
        (name) =>
          /^(TELEGRAM_WEBHOOK|LIMIT)_/.test(name) ||
          ["TELEGRAM_BOT_TOKEN", "TELEGRAM_ALLOWED_USERS", "HTTP_ALLOWED_HOSTS", "PUBLIC_URL"].includes(name)
      )
    )
  })

  it("gives a replica longer to stop than it takes for what is begun", () => {
    assert.strictEqual(stop_grace_period, "30s")
  })

  it("starts the program as the image does, when what it stands on is healthy", () => {
    const [start] = instructions("CMD").map((line) => JSON.parse(line) as ReadonlyArray<string>)
    assert.isTrue(command!.at(-1)!.endsWith(`exec ${start!.join(" ")}`))
    for (const [name, { condition }] of Object.entries(depends_on!)) {
      assert.strictEqual(condition, "service_healthy")
      assert.property(compose.services[name], "healthcheck")
    }
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes) assert.property(compose.volumes, volume.split(":")[0]!)
    }
  })
})

describe("Dockerfile", () => {
  it("copies what is there, and starts the program as somebody without rights", () => {
    const sources = instructions("COPY").flatMap((line) => line.split(/\s+/).slice(0, -1))
    assert.includeMembers(sources, ["package.json", "package-lock.json", "src"])
    for (const source of sources) assert.isTrue(exists(source), source)
    assert.deepStrictEqual(instructions("USER"), ["node"])
    const [start] = instructions("CMD").map((line) => JSON.parse(line) as ReadonlyArray<string>)
    assert.isTrue(exists(start![1]!))
  })

  it("runs on the Node the program is tested with", () => {
    const { devDependencies } = JSON.parse(read("package.json"))
    assert.deepStrictEqual(instructions("FROM"), [`node:${devDependencies.node.split(".")[0]}-slim`])
  })
})
