import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { defaultTenant } from "../../src/domain/Ids.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

layer(TestDatabase.layer)("TenantScope", (it) => {
  it.effect("sees the tenant's rows and no others", () =>
    Effect.gen(function* () {
      const scope = yield* TenantScope
      const rows = yield* scope.transaction(defaultTenant, (sql) => sql`SELECT tenant_id FROM tenants`)
      assert.deepStrictEqual(rows, [{ tenant_id: "default" }])
    })
  )
})
