/** Whom the installation serves, as it is shown. */
import { Schema } from "effect"
import { TenantId } from "./Ids.ts"

export const Tenant = Schema.Struct({
  id: TenantId,
  /** What people call it. */
  name: Schema.String,
  /** ISO 8601 */
  createdAt: Schema.String,
  /** Since when it is disabled. */
  disabledAt: Schema.optionalKey(Schema.String)
})
export type Tenant = typeof Tenant.Type

/** Rows that were deleted, by table. */
export const RemovedTenant = Schema.Struct({
  id: TenantId,
  rows: Schema.Record(Schema.String, Schema.Int)
})
export type RemovedTenant = typeof RemovedTenant.Type
