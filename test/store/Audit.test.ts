import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { auditPage } from "../../src/domain/AuditRow.ts"
import { defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"

const world = Audit.layer.pipe(Layer.provideMerge(TestDatabase.layer))
const entry = { tenant: defaultTenant, actor: "admin", action: "app.added", subject: "bot" } as const

it.live("what was done is kept with its change, and not without it", () =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const { transaction } = yield* TenantScope
    yield* transaction(defaultTenant, () => audit.record({ ...entry, details: { botId: 7 } }))
    yield* Effect.flip(
      transaction(defaultTenant, () => Effect.andThen(audit.record(entry), Effect.fail("taken back")))
    )
    const rows = yield* audit.list(defaultTenant)
    assert.lengthOf(rows, 1)
    assert.deepInclude(rows[0], { ...entry, details: { botId: 7 } })
    assert.match(rows[0]!.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepStrictEqual(yield* audit.list(TenantId.make("other")), [])
  }).pipe(Effect.provide(world))
)

it.live("the newest is shown first, and what is older page by page, without a gap", () =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const subjects = Array.from({ length: auditPage + 5 }, (_, nth) => `bot-${nth}`)
    yield* Effect.forEach(subjects, (subject) => audit.record({ ...entry, subject }), { discard: true })
    const first = yield* audit.list(defaultTenant)
    const second = yield* audit.list(defaultTenant, first.at(-1)!.id)
    assert.deepStrictEqual(
      [...first, ...second].map(({ subject }) => subject),
      subjects.toReversed()
    )
    assert.lengthOf(first, auditPage)
  }).pipe(Effect.provide(world))
)

it.live("the role the program runs as can neither rewrite nor remove what was done", () =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const { transaction } = yield* TenantScope
    yield* audit.record(entry)
    for (const change of ["UPDATE audit SET actor = 'system'", "DELETE FROM audit"]) {
      const error = yield* Effect.flip(transaction(defaultTenant, (sql) => sql.unsafe(change)))
      assert.strictEqual(error.reason._tag, "AuthorizationError", change)
    }
    assert.lengthOf(yield* audit.list(defaultTenant), 1)
  }).pipe(Effect.provide(world))
)
