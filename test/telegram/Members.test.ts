import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schedule } from "effect"
import type { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { AppId, defaultApp, defaultTenant, TenantId, UserId } from "../../src/domain/Ids.ts"
import type { Sender } from "../../src/domain/IncomingMessage.ts"
import type { Role } from "../../src/domain/Role.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants, type TenantUnknown } from "../../src/store/Tenants.ts"
import { type BotKey, BotPort } from "../../src/telegram/BotPort.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { Members } from "../../src/telegram/Members.ts"
import { Permission } from "../../src/telegram/Permission.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import * as People from "./support/people.ts"
import { messageUpdate } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const other = TenantId.make("other")
const layer = Layer.mergeAll(People.layer(), Audit.layer).pipe(
  Layer.provide(BotPort.layerRecording),
  Layer.provideMerge(TestDatabase.layer)
)

const addTenant = (tenant: TenantId) =>
  TenantScope.use(({ transaction }) =>
    transaction(
      tenant,
      (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${tenant}) ON CONFLICT DO NOTHING`
    )
  )
const roleOf = (user: number, of = bot) =>
  Effect.map(
    Permission.use((permission) => permission.role(of, user)),
    Option.getOrUndefined
  )
const tags = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onSuccess: () => "done", onFailure: ({ _tag }) => _tag })

type Step =
  | { readonly op: "add" | "setRole"; readonly tenant: TenantId; readonly user: number; readonly role: Role }
  | { readonly op: "remove"; readonly tenant: TenantId; readonly user: number }

const tenant = fc.constantFrom(defaultTenant, other)
const user = fc.integer({ min: 1, max: 4 })
const role = fc.constantFrom<Role>("owner", "member", "reader")
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constantFrom("add" as const, "setRole" as const), tenant, user, role }),
  fc.record({ op: fc.constant("remove" as const), tenant, user })
)

/** What the rules say becomes of the members of a tenant. */
const expected = (roll: Map<number, Role>, one: Step): string => {
  const mine = roll.get(one.user)
  if (one.op === "add") {
    if (mine !== undefined) return "MemberExists"
    roll.set(one.user, one.role)
    return "done"
  }
  if (mine === undefined) return "MemberUnknown"
  const owners = [...roll.values()].filter((role) => role === "owner").length
  const stays = one.op === "setRole" && one.role === "owner"
  if (mine === "owner" && owners === 1 && !stays) return "LastOwner"
  if (one.op === "remove") roll.delete(one.user)
  else roll.set(one.user, one.role)
  return "done"
}

const perform = (one: Step): Effect.Effect<string, never, Members> => {
  const id = UserId.make(one.user)
  return Members.use((members) => {
    switch (one.op) {
      case "add":
        return tags(members.add(one.tenant, { user: id, role: one.role }, "admin"))
      case "setRole":
        return tags(members.setRole(one.tenant, id, one.role, "admin"))
      case "remove":
        return tags(members.remove(one.tenant, id, "admin"))
    }
  })
}

describe("members", () => {
  it.live("of two tenants are what the rules say after any changes, and at once in the eyes of a bot", () =>
    Effect.gen(function* () {
      yield* addTenant(other)
      const context = yield* Effect.context<Members | Permission | TenantScope>()
      const clean = TenantScope.use(({ transaction }) =>
        Effect.forEach([defaultTenant, other], (one) => transaction(one, (sql) => sql`DELETE FROM members`))
      )
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) =>
            Effect.runPromiseWith(context)(
              Effect.gen(function* () {
                yield* clean
                const rolls = new Map([defaultTenant, other].map((id) => [id, new Map<number, Role>()]))
                for (const one of steps) {
                  const model = rolls.get(one.tenant)!
                  assert.strictEqual(yield* perform(one), expected(model, one), JSON.stringify(one))
                  if (one !== steps[0]) {
                    assert.strictEqual(
                      yield* roleOf(one.user, { tenant: one.tenant, app: AppId.make("second") }),
                      model.get(one.user)
                    )
                  }
                }
                for (const [id, model] of rolls) {
                  const listed = yield* Members.use((members) => members.list(id))
                  assert.deepStrictEqual(new Map(listed.map((one) => [one.user, one.role])), model)
                }
              })
            )
          ),
          { numRuns: 25 }
        )
      )
    }).pipe(Effect.provide(layer))
  )

  it.live("of two owners who leave at once, one stays", () =>
    Effect.gen(function* () {
      const members = yield* Members
      for (const id of [1, 2])
        yield* members.add(defaultTenant, { user: UserId.make(id), role: "owner" }, "system")
      const leaving = yield* Effect.forEach(
        [1, 2],
        (id) => tags(members.remove(defaultTenant, UserId.make(id), `user:${id}`)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...leaving].sort(), ["LastOwner", "done"])
      assert.lengthOf(yield* members.list(defaultTenant), 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "one who is removed on another replica is out at once, without waiting for what is believed",
    () =>
      Effect.gen(function* () {
        const members = yield* Members
        yield* members.add(defaultTenant, { user: UserId.make(1), role: "owner" }, "system")
        yield* members.add(defaultTenant, { user: UserId.make(7), role: "member" }, "user:1")
        const replica = yield* Layer.build(
          Layer.fresh(People.layer()).pipe(Layer.provide(BotPort.layerRecording))
        )
        assert.strictEqual(yield* roleOf(7), "member")
        yield* Effect.provide(
          Members.use((there) => there.remove(defaultTenant, UserId.make(7), "user:1")),
          replica
        )
        // The clock of the test stands still: nothing lapses by itself.
        const heard = yield* Effect.forkChild(
          roleOf(7).pipe(
            Effect.repeat({
              until: (now) => now === undefined,
              schedule: Schedule.spaced("1 millis")
            })
          )
        )
        for (let nth = 0; nth < 2_000 && heard.pollUnsafe() === undefined; nth++) {
          yield* Effect.promise(() => new Promise((done) => setTimeout(done, 5)))
          yield* TestClock.adjust("1 millis")
        }
        assert.isUndefined(yield* Fiber.join(heard))
      }).pipe(Effect.provide(layer))
  )

  it.live("who changed what is in the record", () =>
    Effect.gen(function* () {
      const members = yield* Members
      const user = UserId.make(7)
      yield* members.add(defaultTenant, { user: UserId.make(1), role: "owner" }, "admin")
      yield* members.add(defaultTenant, { user, role: "reader", name: "Ann" }, "user:1")
      yield* members.setRole(defaultTenant, user, "member", "user:1")
      yield* members.setRole(defaultTenant, user, "member", "user:1")
      yield* members.remove(defaultTenant, user, "admin")
      const rows = yield* Audit.use((audit) => audit.list(defaultTenant))
      assert.deepStrictEqual(
        rows.map(({ actor, action, subject, details }) => [actor, action, subject, details]).reverse(),
        [
          ["admin", "member.added", "1", { role: "owner" }],
          ["user:1", "member.added", "7", { role: "reader" }],
          ["user:1", "member.role", "7", { from: "reader", to: "member" }],
          ["admin", "member.removed", "7", { role: "member" }]
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.live(
    "whoever would own, join or invite to a tenant that is being removed meanwhile is told that it is gone",
    () =>
      Effect.gen(function* () {
        const members = yield* Members
        const invites = yield* Invites
        const tenants = yield* Tenants
        const sender = (id: number): Sender => ({ id, kind: "user", name: "Ann" })
        const at = (app: BotKey, text: string) =>
          Permission.use((permission) => permission.admit(app, decodeUpdate(messageUpdate(1, { text }, 7))))
        const entered: ReadonlyArray<
          (tenant: TenantId) => Effect.Effect<unknown, TenantUnknown | SqlError.SqlError>
        > = [
          (tenant: TenantId) => members.claim(tenant, sender(7)),
          (tenant: TenantId) => members.join(tenant, sender(7), "member"),
          (tenant: TenantId) => invites.redeem({ tenant, app: defaultApp }, sender(7), "0"),
          (tenant: TenantId) => invites.create(tenant, { role: "member", uses: 1 }, "admin")
        ]
        for (const [nth, enter] of entered.entries()) {
          const tenant = TenantId.make(`gone-${nth}`)
          yield* addTenant(tenant)
          const begun = yield* Deferred.make<void>()
          const removal = yield* Effect.forkChild(
            TenantScope.use(({ transaction }) =>
              transaction(tenant, (sql) =>
                Effect.gen(function* () {
                  yield* sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenant} FOR UPDATE`
                  yield* Deferred.succeed(begun, undefined)
                  // The other asks for the row it has locked.
                  yield* sql`SELECT 1 FROM pg_locks WHERE NOT granted`.pipe(
                    Effect.repeat({
                      until: (waiting) => waiting.length > 0,
                      schedule: Schedule.spaced("10 millis")
                    })
                  )
                  yield* tenants.remove(tenant, "admin")
                })
              )
            )
          )
          yield* Deferred.await(begun)
          assert.strictEqual(yield* tags(enter(tenant)), "TenantUnknown")
          yield* Fiber.join(removal)
          for (const text of ["hello", "/start 0000000000000000"])
            assert.strictEqual((yield* at({ tenant, app: defaultApp }, text))._tag, "Stranger")
        }
      }).pipe(Effect.provide(Layer.provideMerge(Tenants.layer, layer)))
  )
})
