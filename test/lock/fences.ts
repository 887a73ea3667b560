/** Fences of a real database with the contract's two tenants. */
import { Effect, Layer } from "effect"
import { Fences } from "../../src/lock/Fences.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { otherTenant } from "./contract.ts"

export const database = Layer.effectDiscard(
  Effect.flatMap(TenantScope, (scope) =>
    scope.transaction(otherTenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${otherTenant})`)
  )
).pipe(Layer.provideMerge(TestDatabase.layer))

export const fences = Fences.layer.pipe(Layer.provide(database))
