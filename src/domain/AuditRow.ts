/** One change of something of a tenant, as it is shown. */
import { Schema } from "effect"
import { TenantId } from "./Ids.ts"

export const AuditRow = Schema.Struct({
  tenant: TenantId,
  /** Grows with time. */
  id: Schema.Int,
  /** ISO 8601 */
  at: Schema.String,
  actor: Schema.String,
  /** Such as `app.rotated`. */
  action: Schema.String,
  /** What it was done to, such as the name of an app. */
  subject: Schema.String,
  details: Schema.Record(Schema.String, Schema.Json)
})
export type AuditRow = typeof AuditRow.Type

/** Rows given at once. */
export const auditPage = 100
