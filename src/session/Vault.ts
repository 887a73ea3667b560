/**
 * Where secrets rest: sealed under a key of their tenant, which rests sealed under the master key (`SECRETS_KEY`).
 * An alias names a secret; what it names never leaves in an error, a list or a row.
 */
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import * as Envelope from "./Envelope.ts"

/** What a secret is for. Secrets of two kinds may have the same alias. */
export const SecretKind = Schema.Literals(["bot", "session", "api-key", "git"])
export type SecretKind = typeof SecretKind.Type

export interface SecretName {
  readonly kind: SecretKind
  readonly alias: string
}

/** No secret of this tenant bears the name: also when another tenant has one. */
export class SecretUnknown extends Schema.TaggedError<SecretUnknown>()("SecretUnknown", {
  kind: SecretKind,
  alias: Schema.String
}) {
  override get message() {
    return `There is no ${this.kind} secret named ${this.alias}; store it, or correct the name`
  }
}

/** It is there and does not open: another SECRETS_KEY, or somebody changed or moved the row. */
export class SecretUnreadable extends Schema.TaggedError<SecretUnreadable>()("SecretUnreadable", {
  what: Schema.String,
  /** `key`: that of the tenant is of another SECRETS_KEY, with which all would open again. */
  lost: Schema.Literals(["key", "secret"])
}) {
  override get message() {
    return `${this.what} cannot be opened: SECRETS_KEY is not the one it was sealed with, or the row was changed. Put the right SECRETS_KEY back, or store the secret again`
  }
}

/**
 * `foreign`: sealed under another SECRETS_KEY. `damaged`: under this one, and the row, or that of its key, was
 * changed, moved or lost.
 */
export type SecretState = "sound" | "foreign" | "damaged"

export type VaultError = SecretUnreadable | SqlError.SqlError

export class Vault extends Context.Service<
  Vault,
  {
    /** Takes the place of what had the name. Joins a transaction, as everything here does. */
    readonly put: (
      tenant: TenantId,
      name: SecretName,
      secret: Redacted.Redacted
    ) => Effect.Effect<void, VaultError>
    readonly get: (
      tenant: TenantId,
      name: SecretName
    ) => Effect.Effect<Redacted.Redacted, SecretUnknown | VaultError>
    readonly remove: (tenant: TenantId, name: SecretName) => Effect.Effect<void, SqlError.SqlError>
    /** Keeps what does not open apart, as it is: under its name there is nothing then. */
    readonly setAside: (tenant: TenantId, name: SecretName) => Effect.Effect<void, SqlError.SqlError>
    readonly names: (tenant: TenantId) => Effect.Effect<ReadonlyArray<SecretName>, SqlError.SqlError>
    /** Every secret of the tenant, and whether it opens. */
    readonly examine: (
      tenant: TenantId
    ) => Effect.Effect<ReadonlyArray<SecretName & { readonly state: SecretState }>, SqlError.SqlError>
    /**
     * Seals all secrets of the tenant under a new key and forgets the old ones, at once: whoever reads meanwhile gets
     * the one or the other. How many were sealed anew.
     */
    readonly rotate: (tenant: TenantId) => Effect.Effect<number, VaultError>
  }
>()("zapiska/session/Vault") {
  static readonly layer = (options: {
    /** 32 bytes. */
    readonly masterKey: Redacted.Redacted<Uint8Array>
  }): Layer.Layer<Vault, never, TenantScope> => Layer.effect(this, make(options.masterKey))
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Named after itself, so that another master key is told from a damaged row. */
const masterOf = (bytes: Uint8Array): Envelope.SealingKey => ({
  id: createHash("sha256").update("zapiska master key\0").update(bytes).digest("hex").slice(0, 16),
  bytes
})

interface KeyRow {
  readonly id: string
  readonly wrapped: Uint8Array
}
interface SecretRow extends SecretName {
  readonly sealed: Uint8Array
}

const make = Effect.fnUntraced(function* (masterKey: Redacted.Redacted<Uint8Array>) {
  const scope = yield* TenantScope
  const master = masterOf(Redacted.value(masterKey))

  const bindingOf = (tenant: TenantId, { kind, alias }: SecretName) => [tenant, kind, alias]
  const keyBinding = (tenant: TenantId, id: string) => [tenant, "key", id]

  const isForeign = ({ wrapped }: KeyRow) =>
    Option.exists(Envelope.keyIdOf(wrapped), (id) => id !== master.id)

  /** `None`: sealed under this very SECRETS_KEY, and changed or moved here since. No other key would open it. */
  const unwrap = (tenant: TenantId, row: KeyRow) =>
    isForeign(row)
      ? Effect.fail(new SecretUnreadable({ what: `The key ${row.id} of tenant ${tenant}`, lost: "key" }))
      : Effect.succeed(
          Option.map(
            Envelope.open(master, keyBinding(tenant, row.id), row.wrapped),
            (bytes): Envelope.SealingKey => ({ id: row.id, bytes })
          )
        )
  const unwrapAll = (tenant: TenantId, rows: ReadonlyArray<KeyRow>) =>
    Effect.map(
      Effect.forEach(rows, (row) => unwrap(tenant, row)),
      (all) => all.flatMap(Option.toArray)
    )

  const add = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, tenant: TenantId) {
    const key = Envelope.newKey()
    const wrapped = Envelope.seal(master, keyBinding(tenant, key.id), key.bytes)
    yield* sql`INSERT INTO vault_keys (tenant_id, id, wrapped) VALUES (${tenant}, ${key.id}, ${wrapped}::bytea)`
    return key
  })

  const keys = (sql: SqlClient.SqlClient, tenant: TenantId) => sql<KeyRow>`
    SELECT id, wrapped FROM vault_keys WHERE tenant_id = ${tenant} ORDER BY created_at DESC, id`

  /** One writer at a time, so that none seals under a key that is being forgotten. */
  const alone = (sql: SqlClient.SqlClient, tenant: TenantId) =>
    sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenant} FOR NO KEY UPDATE`

  const write = (sql: SqlClient.SqlClient, tenant: TenantId, name: SecretName, sealed: Uint8Array) => sql`
    INSERT INTO vault_secrets (tenant_id, kind, alias, sealed)
    VALUES (${tenant}, ${name.kind}, ${name.alias}, ${sealed}::bytea)
    ON CONFLICT (tenant_id, kind, alias) DO UPDATE SET sealed = EXCLUDED.sealed, updated_at = now()`

  const opened = (tenant: TenantId, row: SecretRow, known: ReadonlyArray<Envelope.SealingKey>) =>
    Option.match(
      Option.flatMap(
        Option.fromNullishOr(
          known.find(({ id }) => id === Option.getOrUndefined(Envelope.keyIdOf(row.sealed)))
        ),
        (key) => Envelope.open(key, bindingOf(tenant, row), row.sealed)
      ),
      {
        onNone: () =>
          Effect.fail(new SecretUnreadable({ what: `The ${row.kind} secret ${row.alias}`, lost: "secret" })),
        onSome: (bytes) => Effect.succeed(bytes)
      }
    )

  /** What a secret is opened with, beside it: two statements could have a rotation between them. */
  const withKeys = (sql: SqlClient.SqlClient, tenant: TenantId) => sql`
    SELECT s.kind, s.alias, s.sealed, k.id, k.wrapped FROM vault_secrets s
    LEFT JOIN vault_keys k
      ON k.tenant_id = s.tenant_id AND k.id = encode(substring(s.sealed FROM 2 FOR 8), 'hex')
    WHERE s.tenant_id = ${tenant}`

  const read = (tenant: TenantId, row: SecretRow & KeyRow) =>
    Effect.gen(function* () {
      const known = yield* unwrapAll(tenant, row.id === null ? [] : [row])
      return yield* opened(tenant, row, known)
    })

  const stateOf = (tenant: TenantId, row: SecretRow & KeyRow): Effect.Effect<SecretState> =>
    row.id !== null && isForeign(row)
      ? Effect.succeed("foreign")
      : Effect.match(read(tenant, row), { onFailure: () => "damaged", onSuccess: () => "sound" })

  return Vault.of({
    put: Effect.fn("Vault.put")((tenant, name, secret) =>
      scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          yield* alone(sql, tenant)
          const [newest] = yield* unwrapAll(tenant, yield* keys(sql, tenant))
          const key = newest ?? (yield* add(sql, tenant))
          const bytes = encoder.encode(Redacted.value(secret))
          yield* write(sql, tenant, name, Envelope.seal(key, bindingOf(tenant, name), bytes))
        })
      )
    ),

    get: Effect.fn("Vault.get")((tenant, name) =>
      scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          const [row] = yield* sql<SecretRow & KeyRow>`
            ${withKeys(sql, tenant)} AND s.kind = ${name.kind} AND s.alias = ${name.alias}`
          if (row === undefined) return yield* new SecretUnknown(name)
          return Redacted.make(decoder.decode(yield* read(tenant, row)), { label: name.kind })
        })
      )
    ),

    remove: Effect.fn("Vault.remove")((tenant, { kind, alias }) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(
          sql`DELETE FROM vault_secrets WHERE tenant_id = ${tenant} AND kind = ${kind} AND alias = ${alias}`
        )
      )
    ),

    setAside: Effect.fn("Vault.setAside")((tenant, { kind, alias }) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`
          WITH gone AS (
            DELETE FROM vault_secrets WHERE tenant_id = ${tenant} AND kind = ${kind} AND alias = ${alias}
            RETURNING tenant_id, kind, alias, sealed)
          INSERT INTO vault_quarantine (tenant_id, kind, alias, sealed) SELECT * FROM gone`)
      )
    ),

    names: Effect.fn("Vault.names")((tenant) =>
      scope.transaction(
        tenant,
        (sql) => sql<SecretName>`
          SELECT kind, alias FROM vault_secrets WHERE tenant_id = ${tenant} ORDER BY kind, alias`
      )
    ),

    examine: Effect.fn("Vault.examine")((tenant) =>
      scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          const rows = yield* sql<SecretRow & KeyRow>`${withKeys(sql, tenant)} ORDER BY s.kind, s.alias`
          const states = yield* Effect.forEach(rows, (row) => stateOf(tenant, row))
          return rows.map(({ kind, alias }, nth) => ({ kind, alias, state: states[nth]! }))
        })
      )
    ),

    rotate: Effect.fn("Vault.rotate")((tenant) =>
      scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          yield* alone(sql, tenant)
          const old = yield* unwrapAll(tenant, yield* keys(sql, tenant))
          const rows = yield* sql<SecretRow>`
            SELECT kind, alias, sealed FROM vault_secrets WHERE tenant_id = ${tenant}`
          const key = yield* add(sql, tenant)
          for (const row of rows) {
            const bytes = yield* opened(tenant, row, old)
            yield* write(sql, tenant, row, Envelope.seal(key, bindingOf(tenant, row), bytes))
          }
          yield* sql`DELETE FROM vault_keys WHERE tenant_id = ${tenant} AND id <> ${key.id}`
          return rows.length
        })
      )
    )
  })
})
