import { randomBytes } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Inspectable, Layer, Redacted } from "effect"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { SecretUnknown, SecretUnreadable, Vault } from "../../src/session/Vault.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const other = TenantId.make("other")
const masterKey = Redacted.make(new Uint8Array(randomBytes(32)))
const canary = "canary-8f3b2c"
const name = { kind: "api-key", alias: "llm" } as const

const world = Vault.layer({ masterKey }).pipe(
  Layer.provideMerge(
    Layer.effectDiscard(
      Effect.flatMap(TenantScope, (scope) =>
        scope.transaction(other, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${other})`)
      )
    )
  ),
  Layer.provideMerge(TestDatabase.layer)
)

/** Behind the service, as whoever has the database. */
const administer = (statement: string) =>
  Effect.scoped(
    Effect.flatMap(TestDatabase, ({ superuser }) =>
      Effect.flatMap(PgConnection.make(superuser), (connection) => connection.queryValues(statement))
    )
  )

it.live("a secret is what was stored last under its name, for its tenant alone", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    yield* vault.put(defaultTenant, name, Redacted.make("first"))
    yield* vault.put(defaultTenant, name, Redacted.make(canary))
    yield* vault.put(defaultTenant, { kind: "git", alias: "llm" }, Redacted.make("another kind"))
    const secret = yield* vault.get(defaultTenant, name)
    assert.strictEqual(Redacted.value(secret), canary)
    assert.notInclude(`${secret}${JSON.stringify(secret)}${Inspectable.toStringUnknown(secret)}`, canary)
    const theirs = yield* Effect.flip(vault.get(other, name))
    const nobodys = yield* Effect.flip(vault.get(other, { kind: "api-key", alias: "none" }))
    assert.instanceOf(theirs, SecretUnknown)
    // Nothing tells that another tenant has one of that name.
    assert.strictEqual(theirs.message.replace("llm", "none"), nobodys.message)
    assert.deepStrictEqual(yield* vault.names(other), [])
    assert.deepStrictEqual(yield* vault.names(defaultTenant), [name, { kind: "git", alias: "llm" }])
    yield* vault.remove(defaultTenant, name)
    assert.instanceOf(yield* Effect.flip(vault.get(defaultTenant, name)), SecretUnknown)
  }).pipe(Effect.provide(world))
)

it.live("an envelope moved to another tenant, kind or name does not open", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    yield* vault.put(defaultTenant, name, Redacted.make(canary))
    yield* vault.put(other, name, Redacted.make("theirs"))
    const unreadable = Effect.fnUntraced(function* (where: Parameters<typeof vault.get>) {
      const error = yield* Effect.flip(vault.get(...where))
      assert.instanceOf(error, SecretUnreadable)
      assert.notInclude(`${error.message}${JSON.stringify(error)}`, canary)
    })
    yield* administer(
      `UPDATE zapiska.vault_secrets SET alias = 'moved' WHERE tenant_id = 'default' AND alias = 'llm'`
    )
    yield* unreadable([defaultTenant, { ...name, alias: "moved" }])
    yield* administer(`UPDATE zapiska.vault_secrets SET sealed = (
      SELECT sealed FROM zapiska.vault_secrets WHERE tenant_id = 'default') WHERE tenant_id = 'other'`)
    yield* unreadable([other, name])
    // Also with the key it was sealed under beside it.
    yield* administer(`INSERT INTO zapiska.vault_keys (tenant_id, id, wrapped)
      SELECT 'other', id, wrapped FROM zapiska.vault_keys WHERE tenant_id = 'default'`)
    yield* unreadable([other, name])
  }).pipe(Effect.provide(world))
)

it.live("under another master key nothing opens, and nothing is overwritten by accident", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    yield* vault.put(defaultTenant, name, Redacted.make(canary))
    const scope = yield* TenantScope
    const wrong = Vault.layer({ masterKey: Redacted.make(new Uint8Array(randomBytes(32))) }).pipe(
      Layer.provide(Layer.succeed(TenantScope, scope))
    )
    yield* Effect.gen(function* () {
      const stranger = yield* Vault
      assert.instanceOf(yield* Effect.flip(stranger.get(defaultTenant, name)), SecretUnreadable)
      assert.instanceOf(yield* Effect.flip(stranger.rotate(defaultTenant)), SecretUnreadable)
      assert.instanceOf(
        yield* Effect.flip(stranger.put(defaultTenant, name, Redacted.make("x"))),
        SecretUnreadable
      )
    }).pipe(Effect.provide(wrong, { local: true }))
    assert.strictEqual(Redacted.value(yield* vault.get(defaultTenant, name)), canary)
  }).pipe(Effect.provide(world))
)

it.live("rotating while a thousand reads go on fails none of them and leaves no old key", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    const aliases = Array.from({ length: 20 }, (_, nth) => `alias-${nth}`)
    yield* Effect.forEach(aliases, (alias) =>
      vault.put(defaultTenant, { kind: "session", alias }, Redacted.make(`secret of ${alias}`))
    )
    const before = (yield* administer(`SELECT id FROM zapiska.vault_keys`)).flat()
    const reads = Effect.forEach(
      Array.from({ length: 1_000 }, (_, nth) => aliases[nth % aliases.length]!),
      (alias) =>
        Effect.map(vault.get(defaultTenant, { kind: "session", alias }), (secret) =>
          assert.strictEqual(Redacted.value(secret), `secret of ${alias}`)
        ),
      { concurrency: 3, discard: true }
    )
    const rotations = Effect.forEach([1, 2, 3, 4, 5], () => vault.rotate(defaultTenant), { discard: true })
    const writes = Effect.forEach(aliases, (alias) =>
      vault.put(defaultTenant, { kind: "session", alias }, Redacted.make(`secret of ${alias}`))
    )
    yield* Effect.all([reads, rotations, writes], { concurrency: "unbounded", discard: true })
    const after = (yield* administer(`SELECT id FROM zapiska.vault_keys`)).flat()
    assert.lengthOf(after, 1)
    assert.notDeepEqual(after, before)
    const sealedWith = yield* administer(
      `SELECT DISTINCT encode(substring(sealed FROM 2 FOR 8), 'hex') FROM zapiska.vault_secrets`
    )
    assert.deepStrictEqual(sealedWith.flat(), after)
  }).pipe(Effect.provide(world))
)

it.live("no row holds a secret or a key in the clear", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    yield* vault.put(defaultTenant, name, Redacted.make(canary))
    const rows = yield* administer(
      `SELECT row_to_json(s)::text || encode(s.sealed, 'escape') FROM zapiska.vault_secrets s
       UNION ALL SELECT row_to_json(k)::text || encode(k.wrapped, 'escape') FROM zapiska.vault_keys k`
    )
    assert.lengthOf(rows, 2)
    assert.notInclude(String(rows), canary)
    assert.notInclude(String(rows), Buffer.from(canary).toString("hex"))
  }).pipe(Effect.provide(world))
)
