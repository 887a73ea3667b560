/**
 * The people of a tenant, and what they are to it. Who they are is believed for half a minute without looking; a
 * change is heard of at once, on every replica.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { TenantId, UserId } from "../domain/Ids.ts"
import type { Sender } from "../domain/IncomingMessage.ts"
import type { Member } from "../domain/Member.ts"
import type { Role } from "../domain/Role.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import * as Believed from "../store/Believed.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present, type TenantUnknown } from "../store/Tenants.ts"

export class MemberUnknown extends Schema.TaggedError<MemberUnknown>()(
  "MemberUnknown",
  { tenant: TenantId, user: UserId },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `User ${this.user} is no member of tenant ${this.tenant}; the list of members shows who is`
  }
}
export class MemberExists extends Schema.TaggedError<MemberExists>()(
  "MemberExists",
  { tenant: TenantId, user: UserId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `User ${this.user} is a member of tenant ${this.tenant} already; give them another role instead`
  }
}
/** Without an owner nobody could be invited, and the claim code would be shown again. */
export class LastOwner extends Schema.TaggedError<LastOwner>()(
  "LastOwner",
  { tenant: TenantId, user: UserId },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `User ${this.user} is the only owner of tenant ${this.tenant}; make somebody else an owner first`
  }
}

/** What is known of a person without looking. */
export type Known = Pick<Member, "role" | "language">
export type Roll = ReadonlyMap<number, Known>

export class Members extends Context.Service<
  Members,
  {
    /** The members by their user id. Costs a query at most twice a minute. */
    readonly roll: (tenant: TenantId) => Effect.Effect<Roll, SqlError.SqlError>
    /** Those with the most to say first. */
    readonly list: (tenant: TenantId) => Effect.Effect<ReadonlyArray<Member>, SqlError.SqlError>
    readonly add: (
      tenant: TenantId,
      member: { readonly user: UserId; readonly role: Role; readonly name?: string },
      actor: Actor
    ) => Effect.Effect<Member, MemberExists | TenantUnknown | SqlError.SqlError>
    readonly setRole: (
      tenant: TenantId,
      user: UserId,
      role: Role,
      actor: Actor
    ) => Effect.Effect<Member, MemberUnknown | LastOwner | SqlError.SqlError>
    readonly remove: (
      tenant: TenantId,
      user: UserId,
      actor: Actor
    ) => Effect.Effect<void, MemberUnknown | LastOwner | SqlError.SqlError>
    /** Makes the sender the owner of a tenant without members: one of any number at once. */
    readonly claim: (
      tenant: TenantId,
      sender: Sender
    ) => Effect.Effect<boolean, TenantUnknown | SqlError.SqlError>
    /** Makes somebody a member, or a reader a member; joins the caller's transaction. `false`: they gain nothing. */
    readonly join: (
      tenant: TenantId,
      sender: Sender,
      role: Role
    ) => Effect.Effect<boolean, TenantUnknown | SqlError.SqlError>
    /** What the clients of these people speak, each named once; of who is no member, nothing. */
    readonly keepLanguages: (
      tenant: TenantId,
      senders: ReadonlyArray<Sender>
    ) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/telegram/Members") {
  static readonly layer: Layer.Layer<Members, never, Audit | Signals | TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

interface Row {
  readonly user_id: bigint
  readonly role: Role
  readonly name: string
  readonly language: string | null
  readonly created_at: Date
}

const memberOf = ({ user_id, role, name, language, created_at }: Row): Member => ({
  user: UserId.make(Number(user_id)),
  role,
  name,
  ...(language === null ? {} : { language }),
  since: created_at.toISOString()
})

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const audit = yield* Audit

  const rows = (tenant: TenantId) =>
    scope.transaction(tenant, (sql) =>
      Effect.map(
        sql<Row>`SELECT user_id, role, name, language, created_at FROM members WHERE tenant_id = ${tenant}
          ORDER BY array_position(ARRAY['owner', 'member', 'reader'], role), user_id`,
        (all) => all.map(memberOf)
      )
    )
  const rolls = yield* Believed.make("zapiska_people", (tenant) =>
    Effect.map(rows(tenant), (all): Roll => new Map(all.map((one) => [one.user, one])))
  )

  /**
   * One change at a time: the tenant's row is locked, so that what was counted still holds when it commits. Whoever
   * asks next, on any replica, looks anew.
   */
  const changing = <A, E>(
    tenant: TenantId,
    body: (sql: SqlClient.SqlClient) => Effect.Effect<A, E | SqlError.SqlError>
  ) =>
    scope
      .transaction(tenant, (sql) =>
        sql`SELECT 1 FROM tenants WHERE tenant_id = ${tenant} FOR NO KEY UPDATE`.pipe(
          Effect.andThen(body(sql)),
          Effect.tap(signals.notify(sql, "zapiska_people", tenant))
        )
      )
      .pipe(Effect.ensuring(rolls.forget(tenant)))

  const find = (sql: SqlClient.SqlClient, tenant: TenantId, user: UserId) =>
    Effect.map(
      sql<Row>`SELECT user_id, role, name, language, created_at FROM members
        WHERE tenant_id = ${tenant} AND user_id = ${user}::bigint`,
      ([row]) => row && memberOf(row)
    )

  /** The member, who is not the last owner or stays one. */
  const changeable = Effect.fnUntraced(function* (
    sql: SqlClient.SqlClient,
    tenant: TenantId,
    user: UserId,
    to: Role | undefined
  ) {
    const member = yield* find(sql, tenant, user)
    if (member === undefined) return yield* new MemberUnknown({ tenant, user })
    if (member.role !== "owner" || to === "owner") return member
    const others = yield* sql`SELECT 1 FROM members
      WHERE tenant_id = ${tenant} AND role = 'owner' AND user_id <> ${user}::bigint LIMIT 1`
    return others.length === 0 ? yield* new LastOwner({ tenant, user }) : member
  })

  /** A link they asked for as owner would go on to let an account in. */
  const endLogins = (sql: SqlClient.SqlClient, tenant: TenantId, user: UserId) =>
    sql`DELETE FROM login_links WHERE tenant_id = ${tenant} AND actor = ${`user:${user}`}`

  return Members.of({
    roll: rolls.get,
    list: Effect.fn("Members.list")(rows),

    add: Effect.fn("Members.add")((tenant, { user, role, name }, actor) =>
      changing(tenant, (sql) =>
        Effect.gen(function* () {
          yield* present(sql, tenant)
          const [row] = yield* sql<Row>`
            INSERT INTO members (tenant_id, user_id, role, name)
            VALUES (${tenant}, ${user}::bigint, ${role}, ${name ?? String(user)})
            ON CONFLICT DO NOTHING RETURNING user_id, role, name, language, created_at`
          if (row === undefined) return yield* new MemberExists({ tenant, user })
          yield* audit.record({
            tenant,
            actor,
            action: "member.added",
            subject: String(user),
            details: { role }
          })
          return memberOf(row)
        })
      )
    ),

    setRole: Effect.fn("Members.setRole")((tenant, user, role, actor) =>
      changing(tenant, (sql) =>
        Effect.gen(function* () {
          const before = yield* changeable(sql, tenant, user, role)
          if (before.role === role) return before
          yield* sql`UPDATE members SET role = ${role}
            WHERE tenant_id = ${tenant} AND user_id = ${user}::bigint`
          if (role !== "owner") yield* endLogins(sql, tenant, user)
          const details = { from: before.role, to: role }
          yield* audit.record({ tenant, actor, action: "member.role", subject: String(user), details })
          return { ...before, role }
        })
      )
    ),

    remove: Effect.fn("Members.remove")((tenant, user, actor) =>
      changing(tenant, (sql) =>
        Effect.gen(function* () {
          const { role } = yield* changeable(sql, tenant, user, undefined)
          yield* sql`DELETE FROM members WHERE tenant_id = ${tenant} AND user_id = ${user}::bigint`
          yield* endLogins(sql, tenant, user)
          yield* audit.record({
            tenant,
            actor,
            action: "member.removed",
            subject: String(user),
            details: { role }
          })
        })
      )
    ),

    claim: Effect.fn("Members.claim")((tenant, sender) =>
      changing(tenant, (sql) =>
        Effect.gen(function* () {
          yield* present(sql, tenant)
          const owners = yield* sql`
            INSERT INTO members (tenant_id, user_id, role, name, language)
            SELECT ${tenant}, ${sender.id}::bigint, 'owner', ${sender.name}, ${sender.language ?? null}
            WHERE NOT EXISTS (SELECT 1 FROM members WHERE tenant_id = ${tenant})
            RETURNING 1`
          if (owners.length === 0) return false
          const subject = String(sender.id)
          yield* audit.record({ tenant, actor: `user:${sender.id}`, action: "tenant.claimed", subject })
          return true
        })
      )
    ),

    join: Effect.fn("Members.join")((tenant, sender, role) =>
      changing(tenant, (sql) =>
        Effect.gen(function* () {
          yield* present(sql, tenant)
          const joined = yield* sql`
            INSERT INTO members AS m (tenant_id, user_id, role, name, language)
            VALUES (${tenant}, ${sender.id}::bigint, ${role}, ${sender.name}, ${sender.language ?? null})
            ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = EXCLUDED.role
            WHERE m.role = 'reader' AND EXCLUDED.role <> 'reader'
            RETURNING 1`
          return joined.length > 0
        })
      )
    ),

    keepLanguages: (tenant, senders) => {
      const spoken = senders.map(({ id, language, name }) => ({ id, language: language ?? null, name }))
      return changing(
        tenant,
        (sql) => sql`UPDATE members m SET language = s.language, name = s.name
          FROM jsonb_to_recordset(${JSON.stringify(spoken)}::jsonb) AS s(id bigint, language text, name text)
          WHERE m.tenant_id = ${tenant} AND m.user_id = s.id`
      ).pipe(Effect.asVoid, Effect.withSpan("Members.keepLanguages"))
    }
  })
})
