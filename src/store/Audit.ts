/** Who changed what of a tenant, and when: written in the transaction of the change, never rewritten. */
import { Context, Effect, Layer, type Schema } from "effect"
import type { SqlError } from "effect/sql"
import { type AuditRow, auditPage } from "../domain/AuditRow.ts"
import type { TenantId } from "../domain/Ids.ts"
import { TenantScope } from "./TenantScope.ts"

/** Who asks for a change: `admin` (the bearer of the admin API), `user:<Telegram id>` or `system`. */
export type Actor = "admin" | "system" | `user:${number}`

export interface AuditEntry {
  readonly tenant: TenantId
  readonly actor: Actor
  readonly action: string
  readonly subject: string
  /** Nothing secret, and nothing anybody wrote to a bot. */
  readonly details?: Readonly<Record<string, Schema.Json>>
}

export class Audit extends Context.Service<
  Audit,
  {
    /** Joins the transaction of the change: both are kept, or neither. */
    readonly record: (entry: AuditEntry) => Effect.Effect<void, SqlError.SqlError>
    /** The newest first, below the row `before` when given; also of a tenant that was removed. */
    readonly list: (
      tenant: TenantId,
      before?: number
    ) => Effect.Effect<ReadonlyArray<AuditRow>, SqlError.SqlError>
  }
>()("zapiska/store/Audit") {
  static readonly layer: Layer.Layer<Audit, never, TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  return Audit.of({
    record: Effect.fn("Audit.record")(({ tenant, actor, action, subject, details = {} }) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`
          INSERT INTO audit (tenant_id, actor, action, subject, details)
          VALUES (${tenant}, ${actor}, ${action}, ${subject}, ${JSON.stringify(details)}::jsonb)`)
      )
    ),
    list: Effect.fn("Audit.list")((tenant, before) =>
      scope.transaction(
        tenant,
        (sql) => sql<AuditRow>`
          SELECT tenant_id AS tenant, id::float8 AS id, actor, action, subject, details,
            to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
          FROM audit
          WHERE tenant_id = ${tenant} AND id < COALESCE(${before ?? null}::bigint, 9223372036854775807)
          ORDER BY id DESC
          LIMIT ${auditPage}::int`
      )
    )
  })
})
