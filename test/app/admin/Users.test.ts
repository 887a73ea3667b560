/** The people of a tenant and the invites to it, over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { adminApi, call, recorded } from "../../support/adminApi.ts"

const users = "/api/tenants/default/users"
const invites = "/api/tenants/default/invites"

describe("people over HTTP", () => {
  it.live("are added, given another role and removed, each change on record", () =>
    Effect.gen(function* () {
      const added = yield* call("POST", users, { payload: { user: 42, role: "owner", name: "Ann" } })
      assert.strictEqual(added.status, 201, added.text)
      assert.deepInclude(added.body, { user: 42, role: "owner", name: "Ann" })
      yield* call("POST", users, { payload: { user: 7_000_000_000, role: "reader" } })
      const listed = yield* call("GET", users)
      assert.deepStrictEqual(
        listed.body.map(({ user, role }: Record<string, unknown>) => [user, role]),
        [
          [42, "owner"],
          [7_000_000_000, "reader"]
        ]
      )
      const changed = yield* call("PUT", `${users}/7000000000/role`, { payload: { role: "owner" } })
      assert.deepInclude(changed.body, { user: 7_000_000_000, role: "owner" })
      assert.strictEqual((yield* call("DELETE", `${users}/42`)).status, 204)
      assert.deepStrictEqual(yield* recorded("default"), [
        "admin member.added 42",
        "admin member.added 7000000000",
        "admin member.role 7000000000",
        "admin member.removed 42"
      ])
    }).pipe(Effect.provide(adminApi))
  )

  it.live("that cannot be changed as asked: why, in words and with the right status", () =>
    Effect.gen(function* () {
      yield* call("POST", users, { payload: { user: 42, role: "owner" } })
      for (const [method, path, payload, status, word] of [
        ["POST", users, { user: 42, role: "reader" }, 409, "MemberExists"],
        ["PUT", `${users}/42/role`, { role: "member" }, 409, "LastOwner"],
        ["DELETE", `${users}/42`, undefined, 409, "LastOwner"],
        ["PUT", `${users}/43/role`, { role: "member" }, 404, "MemberUnknown"],
        ["DELETE", `${users}/43`, undefined, 404, "MemberUnknown"],
        ["GET", "/api/tenants/nobody/users", undefined, 404, "TenantUnknown"],
        ["POST", "/api/tenants/nobody/users", { user: 42, role: "reader" }, 404, "TenantUnknown"],
        ["PUT", "/api/tenants/nobody/users/42/role", { role: "reader" }, 404, "MemberUnknown"],
        ["POST", users, { user: -1, role: "reader" }, 400, "payload.user"],
        ["POST", users, { user: 43, role: "king" }, 400, "payload.role"],
        ["POST", users, { user: 43, role: "reader", name: "" }, 400, "payload.name"],
        ["DELETE", `${users}/ann`, undefined, 400, "params.user"]
      ] as const) {
        const answer = yield* call(method, path, payload === undefined ? {} : { payload })
        const what = `${method} ${path} ${JSON.stringify(payload)}: ${answer.text}`
        assert.strictEqual(answer.status, status, what)
        assert.strictEqual(answer.body.reason ?? answer.body.problems[0].field, word, what)
      }
      assert.deepStrictEqual(yield* recorded("default"), ["admin member.added 42"])
    }).pipe(Effect.provide(adminApi))
  )
})

describe("invites over HTTP", () => {
  it.live("are made with a link for each bot, listed without it and closed, which is on record", () =>
    Effect.gen(function* () {
      const before = yield* DateTime.now
      const made = yield* call("POST", invites, {
        payload: { role: "reader", uses: 3, lifetime: "12 hours" }
      })
      assert.strictEqual(made.status, 201, made.text)
      const { invite, code, links } = made.body
      assert.deepInclude(invite, { role: "reader", usesLeft: 3, createdBy: "admin" })
      const hours = (Date.parse(invite.expiresAt) - DateTime.toEpochMillis(before)) / 3_600_000
      assert.isTrue(hours >= 12 && hours < 13, `${hours} hours`)
      assert.lengthOf(links, 1)
      assert.match(links[0], /^https:\/\/t\.me\/\w+\?start=/)
      assert.include(links[0], code)

      const usual = (yield* call("POST", invites, { payload: {} })).body.invite
      assert.deepInclude(usual, { role: "member", usesLeft: 1 })
      const listed = yield* call("GET", invites)
      assert.lengthOf(listed.body, 2)
      assert.deepInclude(listed.body, invite)
      assert.notInclude(listed.text, code)

      assert.strictEqual((yield* call("DELETE", `${invites}/${invite.id}`)).status, 204)
      assert.deepStrictEqual((yield* call("GET", invites)).body, [usual])
      assert.deepStrictEqual(yield* recorded("default"), [
        `admin invite.created ${invite.id}`,
        `admin invite.created ${usual.id}`,
        `admin invite.revoked ${invite.id}`
      ])
      const audit = yield* call("GET", "/api/tenants/default/audit")
      assert.notInclude(audit.text, code)
    }).pipe(Effect.provide(adminApi))
  )

  it.live("to a tenant without a bot have a code and no link", () =>
    Effect.gen(function* () {
      yield* call("POST", "/api/tenants", { payload: { tenant: "acme" } })
      const { body } = yield* call("POST", "/api/tenants/acme/invites", { payload: {} })
      assert.deepStrictEqual(body.links, [])
      assert.isNotEmpty(body.code)
    }).pipe(Effect.provide(adminApi))
  )

  it.live("that cannot be made or closed as asked: why", () =>
    Effect.gen(function* () {
      for (const [method, path, payload, status, word] of [
        ["POST", invites, { uses: 0 }, 400, "payload.uses"],
        ["POST", invites, { uses: 1.5 }, 400, "payload.uses"],
        ["POST", invites, { uses: 1001 }, 400, "payload.uses"],
        ["POST", invites, { role: "owner" }, 400, "payload.role"],
        ["POST", invites, { lifetime: "soon" }, 400, "payload.lifetime"],
        ["POST", invites, { lifetime: "0 hours" }, 400, "payload.lifetime"],
        ["POST", invites, { lifetime: "400 days" }, 400, "payload.lifetime"],
        ["POST", invites, { lifetime: "Infinity" }, 400, "payload.lifetime"],
        ["POST", "/api/tenants/nobody/invites", {}, 404, "TenantUnknown"],
        ["GET", "/api/tenants/nobody/invites", undefined, 404, "TenantUnknown"],
        ["DELETE", `${invites}/nothing`, undefined, 404, "InviteUnknown"]
      ] as const) {
        const answer = yield* call(method, path, payload === undefined ? {} : { payload })
        const what = `${method} ${path} ${JSON.stringify(payload)}: ${answer.text}`
        assert.strictEqual(answer.status, status, what)
        assert.strictEqual(answer.body.reason ?? answer.body.problems[0].field, word, what)
        if (status === 400 && "lifetime" in payload) assert.include(answer.body.message, "3 days")
      }
      assert.deepStrictEqual(yield* recorded("default"), [])
    }).pipe(Effect.provide(adminApi))
  )
})
