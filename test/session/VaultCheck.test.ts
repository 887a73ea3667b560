import { randomBytes } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Health } from "../../src/ops/Health.ts"
import { Vault } from "../../src/session/Vault.ts"
import * as VaultCheck from "../../src/session/VaultCheck.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory } from "../../src/store/Directory.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")
const canary = "canary-71c0ffee"
const newKey = () => Redacted.make(new Uint8Array(randomBytes(32)))
const key = newKey()

/** One secret of the default tenant; of acme a bot's, and an app that names one that is not there. */
const stored = Effect.gen(function* () {
  const { put } = yield* Vault
  const { transaction } = yield* TenantScope
  yield* Tenants.use(({ add }) => add({ id: acme }, "admin"))
  yield* put(defaultTenant, { kind: "git", alias: "remote" }, Redacted.make(canary))
  yield* put(acme, { kind: "bot", alias: "helper" }, Redacted.make(canary))
  yield* transaction(
    acme,
    (sql) => sql`INSERT INTO apps (tenant_id, app, kind, bot_id, api_key_alias)
      VALUES (${acme}, 'helper', 'bot', 7, 'helper'), (${acme}, 'lost', 'bot', 8, 'lost')`
  )
}).pipe(Effect.provide(Vault.layer({ masterKey: key }), { local: true }))

const administer = (statement: string) =>
  Effect.scoped(
    Effect.flatMap(TestDatabase, ({ superuser }) =>
      Effect.flatMap(PgConnection.make(superuser), (connection) => connection.query(statement))
    )
  )

/** A start with this key: what it logs, and what health says of it. */
const started = (masterKey: Redacted.Redacted<Uint8Array>) => {
  const said: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    said.push(`${logLevel} ${message}`)
  })
  return Effect.gen(function* () {
    const { checks, ready } = yield* Health.use((health) => health.ready)
    return { said, ready, secrets: checks.find(({ name }) => name === "secrets") }
  }).pipe(
    Effect.provide(
      VaultCheck.layer.pipe(
        Layer.provideMerge(Layer.mergeAll(Directory.layer, Health.layer, Vault.layer({ masterKey }))),
        Layer.provide(Logger.layer([logger]))
      ),
      { local: true }
    )
  )
}

const world = Tenants.layer.pipe(Layer.provideMerge(Audit.layer), Layer.provideMerge(TestDatabase.layer))

it.live("where all is well, and where nothing is stored, nothing is said", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* started(key), { said: [], ready: true, secrets: undefined })
    yield* stored
    yield* administer("DELETE FROM zapiska.apps WHERE app = 'lost'")
    assert.deepStrictEqual(yield* started(key), { said: [], ready: true, secrets: undefined })
  }).pipe(Effect.provide(world))
)

it.live("what does not open is told all together, and others are served", () =>
  Effect.gen(function* () {
    yield* stored
    yield* administer(
      `UPDATE zapiska.vault_secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE tenant_id = 'acme'`
    )
    const { said, ready, secrets } = yield* started(key)
    assert.isTrue(ready)
    assert.lengthOf(said, 1)
    assert.match(said[0]!, /^Error /)
    for (const text of [said[0]!, secrets?.reason ?? ""]) {
      assert.include(text, "acme: the bot secret helper was damaged, or its row was changed")
      assert.include(text, "acme: the bot secret lost is named by an app and not there")
      assert.notInclude(text, "remote")
      assert.notInclude(text, canary)
    }
  }).pipe(Effect.provide(world))
)

it.live("an account without what it logs in with, or without what keeps it logged in, is told", () =>
  Effect.gen(function* () {
    const { transaction } = yield* TenantScope
    yield* transaction(
      defaultTenant,
      (sql) => sql`INSERT INTO sessions (tenant_id, app, kind, state, api_key_alias, changed_at)
        VALUES (${defaultTenant}, 'ada', 'user', 'AUTHORIZED', 'mine', now()),
          (${defaultTenant}, 'bob', 'user', 'ABSENT', NULL, now())`
    )
    const { said, ready } = yield* started(key)
    assert.isTrue(ready)
    assert.include(
      said[0],
      "default: the api-key secret mine is named by an app and not there; store it again"
    )
    assert.include(said[0], "default: the session secret ada is named by an app and not there; log in again")
    assert.notInclude(said[0], "bob")
    yield* Effect.gen(function* () {
      const { put } = yield* Vault
      yield* put(defaultTenant, { kind: "api-key", alias: "mine" }, Redacted.make(canary))
      yield* put(defaultTenant, { kind: "session", alias: "ada" }, Redacted.make(canary))
    }).pipe(Effect.provide(Vault.layer({ masterKey: key }), { local: true }))
    assert.deepStrictEqual((yield* started(key)).said, [])
  }).pipe(Effect.provide(world))
)

it.live("what is mended is no longer told", () =>
  Effect.gen(function* () {
    yield* stored
    const check = VaultCheck.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(Directory.layer, Health.layer, Vault.layer({ masterKey: key }))),
      Layer.provide(Logger.layer([]))
    )
    yield* Effect.gen(function* () {
      const secrets = Effect.map(
        Health.use((health) => health.ready),
        ({ checks }) => checks.find(({ name }) => name === "secrets")
      )
      assert.include((yield* secrets)?.reason, "lost")
      yield* Vault.use(({ put }) => put(acme, { kind: "bot", alias: "lost" }, Redacted.make(canary)))
      assert.deepStrictEqual(yield* secrets, { name: "secrets", ready: true })
    }).pipe(Effect.provide(check, { local: true }))
  }).pipe(Effect.provide(world))
)

it.live("a SECRETS_KEY that opens none of the secrets refuses to start and lists them", () =>
  Effect.gen(function* () {
    yield* stored
    const error = yield* Effect.flip(started(newKey()))
    assert.strictEqual(error._tag, "SecretsKeyWrong")
    assert.include(error.message, "SECRETS_KEY opens none")
    assert.include(error.message, "default: the git secret remote was stored with another SECRETS_KEY")
    assert.include(error.message, "acme: the bot secret helper was stored with another SECRETS_KEY")
    assert.notInclude(error.message, canary)
  }).pipe(Effect.provide(world))
)

it.live(
  "one secret that is damaged does not refuse the start, nor does one of another key among others",
  () =>
    Effect.gen(function* () {
      yield* stored
      for (const statement of [
        "DELETE FROM zapiska.apps",
        "DELETE FROM zapiska.vault_secrets WHERE tenant_id = 'default'",
        "DELETE FROM zapiska.vault_keys WHERE tenant_id = 'default'",
        "UPDATE zapiska.vault_secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)"
      ]) {
        yield* administer(statement)
      }
      assert.include((yield* started(key)).secrets?.reason, "helper was damaged")
      const another = newKey()
      yield* Vault.use(({ put }) =>
        put(defaultTenant, { kind: "git", alias: "new" }, Redacted.make(canary))
      ).pipe(Effect.provide(Vault.layer({ masterKey: another }), { local: true }))
      const mixed = yield* started(another)
      assert.include(mixed.secrets?.reason, "acme: the bot secret helper was stored with another SECRETS_KEY")
      assert.notInclude(mixed.secrets?.reason, "default")
    }).pipe(Effect.provide(world))
)
