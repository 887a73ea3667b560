/** How much a tenant may send and store, over HTTP. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { adminApi, call, recorded } from "../../support/adminApi.ts"

const path = "/api/tenants/default/limits"
const none = {
  userPerMinute: null,
  userPerDay: null,
  tenantPerMinute: null,
  tenantPerDay: null,
  storageBytes: null
}

it.live("limits are shown, changed one by one and taken back to the default, each change on record", () =>
  Effect.gen(function* () {
    const defaults = none
    assert.deepStrictEqual((yield* call("GET", path)).body, { ...none, defaults })
    const changed = yield* call("PATCH", path, { payload: { userPerDay: 100, storageBytes: 10_000_000_000 } })
    assert.strictEqual(changed.status, 200, changed.text)
    assert.deepStrictEqual(changed.body, { ...none, userPerDay: 100, storageBytes: 10_000_000_000, defaults })
    const back = yield* call("PATCH", path, { payload: { userPerDay: null } })
    assert.deepStrictEqual(back.body, { ...none, storageBytes: 10_000_000_000, defaults })
    assert.deepStrictEqual((yield* call("GET", path)).body, back.body)
    assert.lengthOf(yield* recorded("default"), 2)

    for (const [at, payload, status, word] of [
      [path, { userPerDay: 0 }, 400, "payload.userPerDay"],
      [path, { userPerDay: "many" }, 400, "payload.userPerDay"],
      [path, { perDay: 7 }, 400, "payload.perDay"],
      ["/api/tenants/nobody/limits", { userPerDay: 7 }, 404, "TenantUnknown"]
    ] as const) {
      const answer = yield* call("PATCH", at, { payload })
      assert.strictEqual(answer.status, status, answer.text)
      assert.strictEqual(answer.body.reason ?? answer.body.problems[0].field, word)
    }
    assert.strictEqual((yield* call("GET", "/api/tenants/nobody/limits")).status, 404)
    assert.lengthOf(yield* recorded("default"), 2)
  }).pipe(Effect.provide(adminApi))
)
