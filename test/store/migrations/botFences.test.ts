import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TenantId } from "../../../src/domain/Ids.ts"
import { accept, Fences } from "../../../src/lock/Fences.ts"
import { TenantScope } from "../../../src/store/TenantScope.ts"
import { databaseAt, empty, migrated } from "./databaseAt.ts"

it.live("the bots of every tenant go on with fences above those their outboxes have accepted", () =>
  Effect.gen(function* () {
    const accepted = { alpha: 41, beta: 7 }
    yield* Effect.scoped(
      databaseAt(
        8,
        Object.entries(accepted).map(([tenant, fence]) => ({
          tenant,
          fill: (sql) => sql`INSERT INTO resource_fences (tenant_id, resource, fence) VALUES
            (${tenant}, ${`outbox/1${fence}`}, ${fence}::bigint), (${tenant}, 'session/own', 99)`
        }))
      )
    )
    yield* Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      const { next } = yield* Fences
      for (const [name, former] of Object.entries(accepted)) {
        const tenant = TenantId.make(name)
        const fence = yield* next({ tenant, name: `bot/1${former}` })
        assert.isAbove(fence, former)
        yield* transaction(tenant, (sql) => accept(sql, tenant, `outbox/1${former}`, fence))
        const names = yield* transaction(tenant, (sql) => sql`SELECT name FROM lock_fences`)
        assert.deepStrictEqual(names, [{ name: `bot/1${former}` }])
      }
    }).pipe(Effect.provide(Fences.layer), Effect.provide(migrated))
  }).pipe(Effect.provide(empty))
)
