import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Result } from "effect"
import { AppId, TenantId, UserId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { LimitCounters } from "../../src/telegram/LimitCounters.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Members } from "../../src/telegram/Members.ts"
import { TestDatabase } from "../support/Postgres.ts"

const world = Layer.mergeAll(
  Members.layer,
  Limits.layer({ userPerDay: 60 }).pipe(Layer.provide([LimitCounters.layerMemory, BotPort.layerRecording])),
  SessionStore.layer({ replica: "one" }),
  Tenants.layer
).pipe(
  Layer.provide(Audit.layer),
  Layer.provideMerge(Layer.mergeAll(TestDatabase.layer, Scrubber.layer, Logger.layer([])))
)

it.live("who adds something to a tenant while it is removed is told that there is no such tenant", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const members = yield* Members
    const limits = yield* Limits
    const sessions = yield* SessionStore
    const user = UserId.make(7)
    const adding = (tenant: TenantId) => [
      members.add(tenant, { user, role: "member" }, "admin"),
      limits.set(tenant, { userPerDay: 7 }, "admin"),
      sessions.add({ tenant, app: AppId.make("mine") }, { kind: "user" })
    ]
    for (let nth = 0; nth < 10; nth++) {
      const tenant = TenantId.make(`t-${nth}`)
      yield* tenants.add({ id: tenant }, "admin")
      const removal = yield* Effect.forkChild(tenants.remove(tenant, "admin"), { startImmediately: true })
      const at = (when: string) =>
        Effect.map(
          Effect.forEach(adding(tenant), (add) => Effect.result(add as Effect.Effect<unknown, unknown>), {
            concurrency: "unbounded"
          }),
          (results) =>
            results.forEach((result) => {
              if (Result.isFailure(result)) assert.propertyVal(result.failure, "_tag", "TenantUnknown", when)
            })
        )
      yield* at("while it is removed")
      assert.strictEqual((yield* Fiber.join(removal)).id, tenant)
      for (const add of adding(tenant))
        assert.propertyVal(
          yield* Effect.flip(add as Effect.Effect<unknown, unknown>),
          "_tag",
          "TenantUnknown"
        )
    }
  }).pipe(Effect.provide(world))
)
