import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { AppId, defaultApp, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import type { Sender } from "../../src/domain/IncomingMessage.ts"
import type { InviteRole } from "../../src/domain/Invite.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { BotPort, BotRecorder } from "../../src/telegram/BotPort.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { Members } from "../../src/telegram/Members.ts"
import { type Admission, Permission } from "../../src/telegram/Permission.ts"
import { decodeUpdate } from "../../src/telegram/UpdateDecoder.ts"
import { TestDatabase } from "../support/Postgres.ts"
import * as People from "./support/people.ts"
import { messageUpdate } from "./updates.ts"

const bot = { tenant: defaultTenant, app: defaultApp }
const layer = Layer.mergeAll(People.layer(), Audit.layer).pipe(
  Layer.provideMerge(BotPort.layerRecording),
  Layer.provideMerge(TestDatabase.layer)
)

const owner: Sender = { id: 1, kind: "user", name: "Olga", language: "ru" }
/** A tenant with an owner. */
const owned = <A, E>(
  body: Effect.Effect<A, E, Layer.Success<typeof layer> | Scope.Scope>
): Effect.Effect<A, unknown, Scope.Scope> =>
  Effect.andThen(
    Members.use((members) => members.claim(defaultTenant, owner)),
    body
  ).pipe(Effect.provide(layer))

const invited = (role: InviteRole = "member", uses = 1) =>
  Effect.map(
    Invites.use((invites) => invites.create(defaultTenant, { role, uses }, "user:1")),
    (invite) => ({ ...invite, code: Redacted.value(invite.code) })
  )
const opens = (user: number, code: string) =>
  Permission.use((permission) =>
    permission.admit(bot, decodeUpdate(messageUpdate(user, { text: `/start ${code}` }, user)))
  )
const byCode = (role: InviteRole): Admission => ({ _tag: "Admitted", role, holdsCode: true })
const stranger: Admission = { _tag: "Stranger" }

/** A column of a table of the tenant, as text. */
const column = (table: string, expression: string) =>
  TenantScope.use(({ transaction }) =>
    Effect.map(
      transaction(
        defaultTenant,
        (sql) =>
          sql<{ value: string }>`SELECT ${sql.literal(expression)} AS value FROM ${sql(table)} ORDER BY 1`
      ),
      (rows) => rows.map(({ value }) => value)
    )
  )

describe("an invite", () => {
  it.live(
    "lets in as many as it says, as what it says, and the owner is told of each in their language",
    () =>
      owned(
        Effect.gen(function* () {
          const invite = yield* invited("reader", 2)
          assert.deepStrictEqual(yield* opens(7, invite.code), byCode("reader"))
          assert.deepStrictEqual(yield* opens(8, invite.code), byCode("reader"))
          assert.deepStrictEqual(yield* opens(9, invite.code), stranger)
          const roll = yield* Members.use((members) => members.list(defaultTenant))
          assert.deepStrictEqual(
            roll.map(({ user, role }) => [user as number, role]),
            [
              [1, "owner"],
              [7, "reader"],
              [8, "reader"]
            ]
          )
          const told = yield* column("outbox", "chat_id || ' ' || action")
          assert.lengthOf(told, 2)
          assert.isTrue(told.every((one) => one.startsWith("1 ") && one.includes("по вашему приглашению")))
          assert.deepStrictEqual(yield* Invites.use((invites) => invites.list(defaultTenant)), [])
        })
      )
  )

  it.live("with one use lets in one of many who open it at once, on any replica", () =>
    owned(
      Effect.gen(function* () {
        const { code } = yield* invited()
        const replica = yield* Layer.build(Layer.fresh(People.layer()))
        const users = [7, 8, 9, 10]
        const outcomes = yield* Effect.forEach(
          users,
          (user) => (user % 2 === 0 ? Effect.provide(opens(user, code), replica) : opens(user, code)),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          outcomes.filter(({ _tag }) => _tag === "Admitted"),
          1
        )
        assert.lengthOf(yield* Members.use((members) => members.list(defaultTenant)), 2)
        assert.deepStrictEqual(yield* column("invites", "uses_left::text"), ["0"])
      })
    )
  )

  it.effect(
    "works for as long as it says and not after it was revoked; then it is answered like any stranger",
    () =>
      owned(
        Effect.gen(function* () {
          const invites = yield* Invites
          const kept = yield* invited()
          const revoked = yield* invited()
          yield* invites.revoke(defaultTenant, revoked.id, "admin")
          assert.deepStrictEqual(yield* opens(7, revoked.code), stranger)
          assert.strictEqual(
            (yield* Effect.flip(invites.revoke(defaultTenant, revoked.id, "admin")))._tag,
            "InviteUnknown"
          )
          yield* TestClock.adjust("6 days")
          assert.lengthOf(yield* invites.list(defaultTenant), 1)
          yield* TestClock.adjust("1 day")
          assert.deepStrictEqual(yield* opens(8, kept.code), stranger)
          assert.deepStrictEqual(yield* invites.list(defaultTenant), [])
          yield* invites.purge(defaultTenant, "1 day")
          assert.lengthOf(yield* column("invites", "id"), 1)
          yield* TestClock.adjust("25 hours")
          yield* invites.purge(defaultTenant, "1 day")
          assert.deepStrictEqual(yield* column("invites", "id"), [])
          yield* Effect.yieldNow
          const calls = yield* BotRecorder.use((recorder) => recorder.calls)
          const texts = calls.flatMap((call) =>
            call.method === "send" && call.content._tag === "Text" ? [call.content.text.text] : []
          )
          assert.lengthOf(texts, 2)
          assert.isTrue(texts.every((text) => text.startsWith("Sorry, I am a personal assistant")))
        })
      )
  )

  it.effect("is guessed at five times an hour by one person; links with other words count for nothing", () =>
    owned(
      Effect.gen(function* () {
        const { code } = yield* invited()
        for (let nth = 0; nth < 10; nth++) yield* opens(7, "promo")
        for (let nth = 0; nth < 5; nth++) yield* opens(7, "0123456789abcdef")
        assert.deepStrictEqual(yield* opens(7, code), stranger)
        assert.deepStrictEqual(yield* opens(8, code), byCode("member"))
      })
    )
  )

  it.live("opened by somebody it gives nothing is not used up; a reader becomes a member by it", () =>
    owned(
      Effect.gen(function* () {
        const reader = yield* invited("reader")
        const member = yield* invited("member", 2)
        assert.deepStrictEqual(yield* opens(1, member.code), {
          _tag: "Admitted",
          role: "owner",
          holdsCode: true
        })
        const invites = yield* Invites
        assert.isTrue(Option.isNone(yield* invites.redeem(bot, owner, member.code)))
        yield* opens(7, reader.code)
        assert.deepStrictEqual(yield* opens(7, member.code), byCode("member"))
        assert.deepStrictEqual(yield* opens(7, member.code), byCode("member"))
        assert.deepStrictEqual(
          (yield* invites.list(defaultTenant)).map(({ usesLeft }) => usesLeft),
          [1]
        )
      })
    )
  )

  it.live("of another tenant lets nobody in", () =>
    owned(
      Effect.gen(function* () {
        const other = TenantId.make("other")
        yield* TenantScope.use(({ transaction }) =>
          transaction(other, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${other})`)
        )
        const invites = yield* Invites
        const { code } = yield* invites.create(other, { role: "member", uses: 5 }, "admin")
        assert.deepStrictEqual(yield* opens(7, Redacted.value(code)), stranger)
        const sender: Sender = { id: 7, kind: "user", name: "Ann" }
        const there = { tenant: other, app: AppId.make("bot") }
        assert.deepStrictEqual(
          yield* invites.redeem(there, sender, Redacted.value(code)),
          Option.some<InviteRole>("member")
        )
      })
    )
  )

  it.live("is stored as a digest: its code is in no row, and made again under its id it is the same", () =>
    owned(
      Effect.gen(function* () {
        const invites = yield* Invites
        const make = invites.create(defaultTenant, { role: "member", uses: 3, id: "42-1" }, "user:1")
        const first = yield* make
        const second = yield* make
        assert.strictEqual(Redacted.value(first.code), Redacted.value(second.code))
        assert.deepStrictEqual(yield* column("invites", "uses_left::text"), ["3"])
        yield* opens(7, Redacted.value(first.code))
        for (const table of ["invites", "members", "outbox", "audit", "refusals"]) {
          const rows = yield* column(table, `${table}::text`)
          assert.notInclude(rows.join("\n"), Redacted.value(first.code), table)
        }
      })
    )
  )

  it.live("leaves a record of who made it, who used it and who took it back", () =>
    owned(
      Effect.gen(function* () {
        const used = yield* invited("member", 2)
        yield* opens(7, used.code)
        yield* Invites.use((invites) => invites.revoke(defaultTenant, used.id, "admin"))
        const rows = yield* Audit.use((audit) => audit.list(defaultTenant))
        assert.deepStrictEqual(rows.map(({ actor, action }) => `${actor} ${action}`).reverse(), [
          "user:1 tenant.claimed",
          "user:1 invite.created",
          "user:7 invite.used",
          "admin invite.revoked"
        ])
      })
    )
  )
})
