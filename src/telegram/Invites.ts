/**
 * Invites to a tenant: links that make whoever opens them a member, so often and so long. The code in a link follows
 * from the invite's id and the installation's key; of it nothing is stored but a digest.
 */
import { randomUUID } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, type Option, Redacted, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Address } from "../domain/Address.ts"
import { bold, compose, type FormattedText } from "../domain/FormattedText.ts"
import { ChatId, TenantId } from "../domain/Ids.ts"
import type { Sender } from "../domain/IncomingMessage.ts"
import { defaultInviteLifetime, type Invite, type InviteRole } from "../domain/Invite.ts"
import { type Language, languageOf } from "../domain/Language.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present, type TenantUnknown } from "../store/Tenants.ts"
import type { BotKey } from "./BotPort.ts"
import { Bots, botIdOf } from "./Bots.ts"
import { inviteCodeOf, inviteDigest } from "./CodeRules.ts"
import { Members } from "./Members.ts"
import { Outbox } from "./Outbox.ts"

export class InviteUnknown extends Schema.TaggedError<InviteUnknown>()(
  "InviteUnknown",
  { tenant: TenantId, id: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message() {
    return `Tenant ${this.tenant} has no invite ${this.id}; the list of invites shows those that are open`
  }
}

/** An invite with the code that goes into its link, shown once. */
export interface NewInvite extends Invite {
  readonly code: Redacted.Redacted<string>
}

/** `https://t.me/<bot>?start=<code>` */
export const inviteLink = (username: string, code: Redacted.Redacted<string>): string =>
  `https://t.me/${username}?start=${Redacted.value(code)}`

export class Invites extends Context.Service<
  Invites,
  {
    /** `id`: who creates it again under the same one gets the same invite. 7 days by default. */
    readonly create: (
      tenant: TenantId,
      invite: {
        readonly role: InviteRole
        /** 1 to `mostUses` people. */
        readonly uses: number
        readonly lifetime?: Duration.Input
        readonly id?: string
      },
      actor: Actor
    ) => Effect.Effect<NewInvite, TenantUnknown | SqlError.SqlError>
    /** Those that still let somebody in, the newest first. */
    readonly list: (tenant: TenantId) => Effect.Effect<ReadonlyArray<Invite>, SqlError.SqlError>
    readonly revoke: (
      tenant: TenantId,
      id: string,
      actor: Actor
    ) => Effect.Effect<void, InviteUnknown | SqlError.SqlError>
    /** Removes those that ended longer ago than `age`. */
    readonly purge: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
    /**
     * Makes the sender what the code says, takes one of its uses and tells who invited them: all of it or nothing.
     * `None`: the code does not work, or gives them nothing they do not have.
     */
    readonly redeem: (
      bot: BotKey,
      sender: Sender,
      code: string
    ) => Effect.Effect<Option.Option<InviteRole>, TenantUnknown | SqlError.SqlError>
  }
>()("zapiska/telegram/Invites") {
  static readonly layer = (options: {
    readonly key: Redacted.Redacted<Uint8Array>
  }): Layer.Layer<Invites, never, Audit | Bots | Members | Outbox | TenantScope> =>
    Layer.effect(Invites, make(options.key))
}

interface Row {
  readonly id: string
  readonly role: InviteRole
  readonly uses_left: number
  readonly expires_at: Date
  readonly created_by: Actor
  readonly created_at: Date
}

const inviteOf = ({ id, role, uses_left, expires_at, created_by, created_at }: Row): Invite => ({
  id,
  role,
  usesLeft: uses_left,
  expiresAt: expires_at.toISOString(),
  createdBy: created_by,
  createdAt: created_at.toISOString()
})

const joinedText: Readonly<
  Record<Language, (name: string, role: InviteRole, left: number) => FormattedText>
> = {
  en: (name, role, left) =>
    compose(
      "👤 ",
      bold(name),
      ` opened your invite and is a ${role} now. `,
      left === 0 ? "The link is used up." : `The link works for ${left} more.`
    ),
  ru: (name, role, left) =>
    compose(
      "👤 ",
      bold(name),
      ` теперь с нами по вашему приглашению (${role === "member" ? "участник" : "читатель"}). `,
      left === 0 ? "Больше ссылка не действует." : `Ссылка сработает ещё, раз: ${left}.`
    )
}

const make = Effect.fnUntraced(function* (secret: Redacted.Redacted<Uint8Array>) {
  const scope = yield* TenantScope
  const audit = yield* Audit
  const bots = yield* Bots
  const members = yield* Members
  const outbox = yield* Outbox
  const key = Redacted.value(secret)

  /** Where the tenant's owner asked for the invite; an operator reads the audit. */
  const tellInviter = Effect.fnUntraced(function* (
    bot: BotKey,
    { id, role, uses_left, created_by }: Row,
    sender: Sender
  ) {
    const inviter = /^user:(\d+)$/.exec(created_by)?.[1]
    if (inviter === undefined) return
    const botId = botIdOf(yield* Effect.orDie(bots.get(bot)))
    const language = languageOf((yield* members.roll(bot.tenant)).get(Number(inviter))?.language)
    yield* outbox.enqueue(bot.tenant, [
      {
        address: new Address({ ...bot, chat: ChatId.make(Number(inviter)) }),
        botId,
        key: `invite:${id}:${sender.id}:${uses_left}`,
        delivery: "result",
        action: {
          _tag: "Send",
          content: { _tag: "Text", text: joinedText[language](sender.name, role, uses_left) }
        }
      }
    ])
  })

  /** Nothing of it is kept when it gains the sender nothing. */
  const redeem = (bot: BotKey, sender: Sender, code: string) =>
    scope.transaction(bot.tenant, (sql) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        // Before the invite: a removal locks them in this order.
        yield* present(sql, bot.tenant)
        // The row stays locked until the end: of two people at once the second sees what the first left of it.
        const [invite] = yield* sql<Row>`
          UPDATE invites SET uses_left = uses_left - 1
          WHERE tenant_id = ${bot.tenant} AND digest = ${inviteDigest(key, bot.tenant, code)}
            AND uses_left > 0 AND expires_at > to_timestamp(${now}::float8 / 1000)
          RETURNING id, role, uses_left, expires_at, created_by, created_at`
        if (invite === undefined) return yield* Effect.fail("in vain" as const)
        if (!(yield* members.join(bot.tenant, sender, invite.role)))
          return yield* Effect.fail("in vain" as const)
        yield* audit.record({
          tenant: bot.tenant,
          actor: `user:${sender.id}`,
          action: "invite.used",
          subject: invite.id,
          details: { role: invite.role, usesLeft: invite.uses_left }
        })
        yield* tellInviter(bot, invite, sender)
        return invite.role
      })
    )

  return Invites.of({
    create: Effect.fn("Invites.create")(function* (
      tenant,
      { role, uses, lifetime, id = randomUUID() },
      actor
    ) {
      const code = inviteCodeOf(key, tenant, id)
      const now = yield* Clock.currentTimeMillis
      const until = now + Duration.toMillis(Duration.fromInputUnsafe(lifetime ?? defaultInviteLifetime))
      return yield* scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          yield* present(sql, tenant)
          const made = yield* sql`
            INSERT INTO invites (tenant_id, id, digest, role, uses_left, expires_at, created_by)
            VALUES (${tenant}, ${id}, ${inviteDigest(key, tenant, code)}, ${role}, ${uses}::int,
              to_timestamp(${until}::float8 / 1000), ${actor})
            ON CONFLICT (tenant_id, id) DO NOTHING RETURNING 1`
          if (made.length > 0) {
            yield* audit.record({
              tenant,
              actor,
              action: "invite.created",
              subject: id,
              details: { role, uses }
            })
          }
          const [row] = yield* sql<Row>`
            SELECT id, role, uses_left, expires_at, created_by, created_at FROM invites
            WHERE tenant_id = ${tenant} AND id = ${id}`
          return { ...inviteOf(row!), code: Redacted.make(code, { label: "invite code" }) }
        })
      )
    }),

    list: Effect.fn("Invites.list")(function* (tenant) {
      const now = yield* Clock.currentTimeMillis
      const rows = yield* scope.transaction(
        tenant,
        (sql) => sql<Row>`
          SELECT id, role, uses_left, expires_at, created_by, created_at FROM invites
          WHERE tenant_id = ${tenant} AND uses_left > 0 AND expires_at > to_timestamp(${now}::float8 / 1000)
          ORDER BY created_at DESC, id`
      )
      return rows.map(inviteOf)
    }),

    revoke: Effect.fn("Invites.revoke")((tenant, id, actor) =>
      scope.transaction(tenant, (sql) =>
        Effect.gen(function* () {
          const gone = yield* sql`DELETE FROM invites WHERE tenant_id = ${tenant} AND id = ${id} RETURNING 1`
          if (gone.length === 0) return yield* new InviteUnknown({ tenant, id })
          yield* audit.record({ tenant, actor, action: "invite.revoked", subject: id })
        })
      )
    ),

    purge: Effect.fn("Invites.purge")(function* (tenant, age) {
      const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
      yield* scope.transaction(
        tenant,
        (sql) => sql`DELETE FROM invites
          WHERE tenant_id = ${tenant} AND expires_at < to_timestamp(${before}::float8 / 1000)`
      )
    }),

    redeem: Effect.fn("Invites.redeem")((bot, sender, code) =>
      redeem(bot, sender, code).pipe(
        Effect.asSome,
        Effect.catchIf(
          (error) => error === "in vain",
          () => Effect.succeedNone
        )
      )
    )
  })
})
