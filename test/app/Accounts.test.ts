import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { served } from "../../src/app/Accounts.ts"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")

it.live("the accounts of a tenant that is disabled are not looked at until it is enabled", () =>
  Effect.gen(function* () {
    const { add, disable, enable, list } = yield* Tenants
    yield* add({ id: acme }, "admin")
    yield* disable(acme, "admin")
    assert.deepStrictEqual(served(yield* list), [defaultTenant])
    yield* enable(acme, "admin")
    assert.sameMembers([...served(yield* list)], [defaultTenant, acme])
  }).pipe(
    Effect.provide(
      Tenants.layer.pipe(Layer.provideMerge(Audit.layer), Layer.provideMerge(TestDatabase.layer))
    )
  )
)
