/**
 * Who the installation serves. A tenant that is disabled keeps everything and is served nothing; one that is removed
 * leaves its name behind, and the record of what was done to it.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { defaultTenant, TenantId } from "../domain/Ids.ts"
import type { RemovedTenant, Tenant } from "../domain/Tenant.ts"
import { type Actor, Audit } from "./Audit.ts"
import { Signals } from "./Signals.ts"
import { TenantScope } from "./TenantScope.ts"
import * as TenantTables from "./TenantTables.ts"

export class TenantInvalid extends Schema.TaggedError<TenantInvalid>()(
  "TenantInvalid",
  { tenant: Schema.String },
  { httpApiStatus: 400 }
) {
  override get message() {
    return `${JSON.stringify(this.tenant)} cannot name a tenant: 1 to 63 of a-z, 0-9 and '-', not beginning with '-'`
  }
}
export class TenantUnknown extends Schema.TaggedError<TenantUnknown>()(
  "TenantUnknown",
  { tenant: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `There is no tenant ${this.tenant}; the list of tenants shows those there are`
  }
}
export class TenantExists extends Schema.TaggedError<TenantExists>()(
  "TenantExists",
  { tenant: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `There is a tenant ${this.tenant} already; choose another name`
  }
}
/** Messages, locks and files of it may still be on their way somewhere: another tenant must not get them. */
export class TenantRemoved extends Schema.TaggedError<TenantRemoved>()(
  "TenantRemoved",
  { tenant: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `The name ${this.tenant} belonged to a tenant that was removed and is not given again; choose another`
  }
}
export class TenantPermanent extends Schema.TaggedError<TenantPermanent>()(
  "TenantPermanent",
  { tenant: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `The tenant ${this.tenant} cannot be removed: every installation has it. Disable it instead`
  }
}

export class Tenants extends Context.Service<
  Tenants,
  {
    /** Without a name it is called by its id. */
    readonly add: (
      tenant: { readonly id: string; readonly name?: string },
      actor: Actor
    ) => Effect.Effect<Tenant, TenantInvalid | TenantExists | TenantRemoved | SqlError.SqlError>
    readonly list: Effect.Effect<ReadonlyArray<Tenant>, SqlError.SqlError>
    readonly get: (id: TenantId) => Effect.Effect<Tenant, TenantUnknown | SqlError.SqlError>
    /** Its bots fall silent, what they have not handled waits. Disabling what is disabled changes nothing. */
    readonly disable: (id: TenantId, actor: Actor) => Effect.Effect<Tenant, TenantUnknown | SqlError.SqlError>
    readonly enable: (id: TenantId, actor: Actor) => Effect.Effect<Tenant, TenantUnknown | SqlError.SqlError>
    /**
     * Deletes every row of it, its sealed secrets and their keys included. Its files are removed by the processes
     * that hold them, as they learn of it.
     */
    readonly remove: (
      id: TenantId,
      actor: Actor
    ) => Effect.Effect<RemovedTenant, TenantUnknown | TenantPermanent | SqlError.SqlError>
    /** Whether a tenant of this name was removed, and is not merely unknown to this database. */
    readonly wasRemoved: (id: TenantId) => Effect.Effect<boolean, SqlError.SqlError>
  }
>()("zapiska/store/Tenants") {
  static readonly layer: Layer.Layer<Tenants, never, Audit | Signals | TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

interface Row {
  readonly id: TenantId
  readonly name: string | null
  readonly created_at: Date
  readonly disabled_at: Date | null
}

const tenantOf = ({ id, name, created_at, disabled_at }: Row): Tenant => ({
  id,
  name: name ?? id,
  createdAt: created_at.toISOString(),
  ...(disabled_at === null ? {} : { disabledAt: disabled_at.toISOString() })
})

/**
 * Fails unless the tenant is there, which it then is until the transaction ends: whoever removes it meanwhile is
 * waited for, and nobody who only uses it is held up.
 */
export const present = (sql: SqlClient.SqlClient, tenant: TenantId) =>
  Effect.flatMap(sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenant} FOR KEY SHARE`, (rows) =>
    rows.length === 0 ? Effect.fail(new TenantUnknown({ tenant })) : Effect.void
  )

const removal = "tenant.removed"

/** Of those who write rows of a tenant while it is removed one side loses; it is tried again. */
const isCrossed = ({ reason }: SqlError.SqlError) => reason.isRetryable || reason._tag === "ConstraintError"

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const audit = yield* Audit
  const signals = yield* Signals

  const read = (sql: SqlClient.SqlClient, id: TenantId) =>
    Effect.flatMap(
      sql<Row>`SELECT tenant_id AS id, name, created_at, disabled_at FROM tenants WHERE tenant_id = ${id}`,
      ([row]) =>
        row === undefined ? Effect.fail(new TenantUnknown({ tenant: id })) : Effect.succeed(tenantOf(row))
    )

  const wasRemoved = (id: TenantId) =>
    scope.transaction(id, (sql) =>
      Effect.map(
        sql`SELECT 1 FROM audit WHERE tenant_id = ${id} AND action = ${removal} LIMIT 1`,
        (rows) => rows.length > 0
      )
    )

  /** With the rows of the change: who did it, and word to every process. */
  const told = Effect.fnUntraced(function* (
    sql: SqlClient.SqlClient,
    tenant: TenantId,
    actor: Actor,
    action: string,
    details?: Readonly<Record<string, string | number>>
  ) {
    yield* audit.record({ tenant, actor, action, subject: tenant, ...(details ? { details } : {}) })
    yield* signals.notify(sql, "zapiska_directory", tenant)
  })

  const turn = (id: TenantId, actor: Actor, to: "enabled" | "disabled") =>
    scope.transaction(id, (sql) =>
      Effect.gen(function* () {
        const changed = yield* sql`
          UPDATE tenants SET disabled_at = ${to === "disabled" ? sql`now()` : sql`NULL`}
          WHERE tenant_id = ${id} AND (disabled_at IS NULL) = ${to === "disabled"}
          RETURNING 1`
        if (changed.length > 0) yield* told(sql, id, actor, `tenant.${to}`)
        return yield* read(sql, id)
      })
    )

  return Tenants.of({
    add: Effect.fn("Tenants.add")(function* ({ id: given, name }, actor) {
      const id = yield* Schema.decodeEffect(TenantId)(given).pipe(
        Effect.mapError(() => new TenantInvalid({ tenant: given }))
      )
      return yield* scope.transaction(id, (sql) =>
        Effect.gen(function* () {
          if (yield* wasRemoved(id)) return yield* new TenantRemoved({ tenant: id })
          const added = yield* sql`
            INSERT INTO tenants (tenant_id, name) VALUES (${id}, ${name ?? null})
            ON CONFLICT DO NOTHING RETURNING 1`
          if (added.length === 0) return yield* new TenantExists({ tenant: id })
          yield* told(sql, id, actor, "tenant.added", name === undefined ? {} : { name })
          return yield* Effect.catchTag(read(sql, id), "TenantUnknown", Effect.die)
        })
      )
    }),
    list: scope
      .directory(
        (sql) => sql<Row>`SELECT tenant_id AS id, name, created_at, disabled_at FROM tenants ORDER BY 1`
      )
      .pipe(
        Effect.map((rows) => rows.map(tenantOf)),
        Effect.withSpan("Tenants.list")
      ),
    get: Effect.fn("Tenants.get")((id) => scope.transaction(id, (sql) => read(sql, id))),
    disable: Effect.fn("Tenants.disable")((id, actor) => turn(id, actor, "disabled")),
    enable: Effect.fn("Tenants.enable")((id, actor) => turn(id, actor, "enabled")),
    remove: Effect.fn("Tenants.remove")(function* (id, actor) {
      if (id === defaultTenant) return yield* new TenantPermanent({ tenant: id })
      return yield* scope
        .transaction(id, (sql) =>
          Effect.gen(function* () {
            const there = yield* sql`SELECT 1 FROM tenants WHERE tenant_id = ${id} FOR UPDATE`
            if (there.length === 0) return yield* new TenantUnknown({ tenant: id })
            const rows = yield* TenantTables.empty(sql, id)
            yield* told(sql, id, actor, removal, rows)
            return { id, rows }
          })
        )
        .pipe(Effect.retry({ while: (error) => error._tag === "SqlError" && isCrossed(error), times: 5 }))
    }),
    wasRemoved: Effect.fn("Tenants.wasRemoved")(wasRemoved)
  })
})
