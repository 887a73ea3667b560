/** How much a tenant and each of its people may send and store, where that differs from the defaults. */
import { Schema } from "effect"

const Count = Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 })))

/** What a tenant has of its own; where it is null, the default of the installation counts. */
export const TenantLimits = Schema.Struct({
  userPerMinute: Count,
  userPerDay: Count,
  tenantPerMinute: Count,
  tenantPerDay: Count,
  storageBytes: Schema.NullOr(Schema.Int.check(Schema.isGreaterThan(0)))
})
export type TenantLimits = typeof TenantLimits.Type
