/**
 * Looked at before anything begins: does every stored secret open, and does every app have one? One tenant's trouble
 * is told and stops nobody else; with a SECRETS_KEY that opens nothing there is no point in starting.
 */
import { Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Health } from "../ops/Health.ts"
import { Directory } from "../store/Directory.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type SecretName, type SecretState, Vault } from "./Vault.ts"

/** Not one of the stored secrets opens. */
export class SecretsKeyWrong extends Schema.TaggedError<SecretsKeyWrong>()("SecretsKeyWrong", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return [
      "SECRETS_KEY opens none of the stored secrets:",
      ...this.problems.map((problem) => `  ${problem}`),
      "Put the key back they were stored with: SECRETS_KEY, or secrets.key in DATA_DIR."
    ].join("\n")
  }
}

interface Examined extends SecretName {
  readonly tenant: TenantId
  readonly state: SecretState | "missing"
}

const words = {
  foreign: "was stored with another SECRETS_KEY",
  damaged: "was damaged, or its row was changed",
  missing: "is named by an app and not there"
} as const

/** What is wrong with what, a line each. */
export const problemsOf = (examined: ReadonlyArray<Examined>): ReadonlyArray<string> =>
  examined.flatMap(({ tenant, kind, alias, state }) =>
    state === "sound"
      ? []
      : [
          `${tenant}: the ${kind} secret ${alias} ${words[state]}; ${kind === "session" ? "log in" : "store it"} again`
        ]
  )

/** Some secrets are of another key, and none is of this one. */
export const isOfAnotherKey = (examined: ReadonlyArray<Examined>): boolean =>
  examined.some(({ state }) => state === "foreign") && !examined.some(({ state }) => state === "sound")

/** What the accounts of a tenant log in with, and what those that are logged in cannot be without. */
const namedBySessions = (tenant: TenantId) =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    transaction(tenant, (sql) =>
      Effect.map(
        sql<SecretName>`
          SELECT 'api-key' AS kind, api_key_alias AS alias FROM sessions
            WHERE tenant_id = ${tenant} AND kind = 'user' AND api_key_alias IS NOT NULL
          UNION SELECT 'session', app FROM sessions
            WHERE tenant_id = ${tenant} AND kind = 'user' AND state = 'AUTHORIZED'
          ORDER BY 1, 2`,
        (names) => names.map((name): Examined => ({ ...name, tenant, state: "missing" }))
      )
    )
  )

const examine = Effect.fn("VaultCheck.examine")(function* (which: (tenant: TenantId) => boolean) {
  const directory = yield* Directory
  const vault = yield* Vault
  const { tenants, apps } = yield* directory.listing
  const stored = yield* Effect.forEach(
    [...tenants.keys()].filter(which),
    (tenant) => Effect.map(vault.examine(tenant), (all) => all.map((one): Examined => ({ ...one, tenant }))),
    { concurrency: 4 }
  )
  const found = stored.flat()
  const missing = apps.flatMap(({ tenant, alias, kind }): ReadonlyArray<Examined> => {
    const there = found.some((one) => one.tenant === tenant && one.kind === "bot" && one.alias === alias)
    return kind === "user" || there || !which(tenant)
      ? []
      : [{ tenant, kind: "bot", alias, state: "missing" }]
  })
  const named = yield* Effect.forEach([...tenants.keys()].filter(which), namedBySessions, { concurrency: 4 })
  const isThere = (one: Examined) =>
    found.some(({ tenant, kind, alias }) => tenant === one.tenant && kind === one.kind && alias === one.alias)
  return [...found, ...missing, ...named.flat().filter((one) => !isThere(one))]
})

export const layer: Layer.Layer<
  never,
  SecretsKeyWrong | SqlError.SqlError,
  Directory | Health | TenantScope | Vault
> = Layer.effectDiscard(
  Effect.gen(function* () {
    const health = yield* Health
    const context = yield* Effect.context<Directory | TenantScope | Vault>()
    const examined = yield* examine(() => true)
    const problems = problemsOf(examined)
    if (isOfAnotherKey(examined)) return yield* new SecretsKeyWrong({ problems })
    if (problems.length === 0) return
    yield* Effect.logError(
      ["Some stored secrets cannot be used; what needs them is not served:", ...problems].join("\n  ")
    )
    const troubled = new Set(examined.flatMap(({ tenant, state }) => (state === "sound" ? [] : [tenant])))
    // Others are served: it is said, and nobody is sent away for it. Said until it is mended.
    yield* health.register(
      "secrets",
      examine((tenant) => troubled.has(tenant)).pipe(
        Effect.provide(context),
        Effect.map((now) => {
          const wrong = problemsOf(now)
          return wrong.length === 0 ? undefined : wrong.join("; ")
        }),
        // The database is another check's to tell.
        Effect.catch(() => Effect.succeed(undefined))
      )
    )
  })
)
