/**
 * Asked before anything is stored: may this person use this bot? Of a stranger nothing is kept; they are told
 * so once a day. A bot nobody owns yet is claimed with the code the operator reads in the output.
 */
import { randomBytes } from "node:crypto"
import { Cache, Clock, Context, Duration, Effect, Exit, FiberSet, Layer, Option, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import { Address } from "../domain/Address.ts"
import { plain } from "../domain/FormattedText.ts"
import { AppId, type ChatId, TenantId } from "../domain/Ids.ts"
import type { IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { type BotKey, BotPort } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import {
  type AllowedUsers,
  type Counted,
  claimCodeOf,
  claimIn,
  hour,
  isAllowed,
  mayTry,
  type RefusalKind,
  recent,
  refusalChat,
  refusalDigest,
  refusalText,
  sameCode
} from "./PermissionRules.ts"
import { conversationOf } from "./UpdateDecoder.ts"

export interface PermissionOptions {
  readonly allowed: AllowedUsers
  /** Keys the digests by which refused people are known for a day. */
  readonly digestKey: Redacted.Redacted<Uint8Array>
}

/** `claimed`: the sender has just become the owner, with a message that held the code. */
export type Admission = "allowed" | "claimed" | "stranger"

export class Permission extends Context.Service<
  Permission,
  {
    readonly check: (bot: BotKey, sender: Sender) => Effect.Effect<"allowed" | "stranger", SqlError.SqlError>
    /** As `check`, for the sender of an update: claims the bot, refuses a stranger, keeps a member's language. */
    readonly admit: (bot: BotKey, update: IncomingUpdate) => Effect.Effect<Admission, SqlError.SqlError>
    /** The code that makes the first to send it the owner; none once the bot has members or a fixed list. */
    readonly claimCode: (
      bot: BotKey
    ) => Effect.Effect<Option.Option<Redacted.Redacted<string>>, SqlError.SqlError>
    /** IETF tag of the Telegram client a member last wrote with. */
    readonly language: (bot: BotKey, user: number) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  }
>()("zapiska/telegram/Permission") {
  static readonly layer = (
    options: PermissionOptions
  ): Layer.Layer<Permission, never, BotPort | TenantScope> => Layer.effect(Permission, make(options))
}

/** How long the members of a bot are believed without looking. */
const believed = Duration.seconds(30)
/** So that a crowd of strangers costs a few messages, and people who may use the bot never wait for it. */
const refusalsPerMinute = 20
/** Milliseconds: a refusal nobody can be told by then is left out. */
const refusalPatience = 30_000

type Members = ReadonlyMap<number, string | undefined>

const make = Effect.fnUntraced(function* ({ allowed, digestKey }: PermissionOptions) {
  const { transaction } = yield* TenantScope
  const port = yield* BotPort
  const sending = yield* FiberSet.make<void>()
  const codes = new Map<string, Redacted.Redacted<string>>()
  let wrongTries: ReadonlyArray<Counted> = []
  let refusals: ReadonlyArray<Counted> = []

  const load = Effect.fnUntraced(function* (name: string) {
    const [tenant, app] = name.split("/")
    const rows = yield* transaction(
      TenantId.make(tenant!),
      (sql) => sql<{ user_id: bigint; language: string | null }>`
        SELECT user_id, language FROM members WHERE app = ${AppId.make(app!)}`
    )
    return new Map(rows.map((row) => [Number(row.user_id), row.language ?? undefined]))
  })
  const cache = yield* Cache.makeWith<string, Members, SqlError.SqlError>(load, {
    capacity: 1000,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? believed : Duration.zero)
  })
  const membersOf = (bot: BotKey) => Cache.get(cache, botName(bot))
  const forget = (bot: BotKey) => Cache.invalidate(cache, botName(bot))

  const decide = Effect.fnUntraced(function* (bot: BotKey, sender: Sender) {
    const members: Members = allowed === "claim" ? yield* membersOf(bot) : new Map()
    return isAllowed(allowed, (user) => members.has(user), sender)
  })

  const codeOf = (bot: BotKey) =>
    Effect.sync(() => {
      const known = codes.get(botName(bot))
      if (known !== undefined) return known
      const code = Redacted.make(claimCodeOf(randomBytes(8)), { label: "claim code" })
      codes.set(botName(bot), code)
      return code
    })

  /** Exactly one of those who try at once: the tenant's row is locked while the members are counted. */
  const becomeOwner = Effect.fnUntraced(function* (bot: BotKey, sender: Sender) {
    const owners = yield* transaction(bot.tenant, (sql) =>
      Effect.andThen(
        sql`SELECT 1 FROM tenants WHERE tenant_id = ${bot.tenant} FOR NO KEY UPDATE`,
        sql`INSERT INTO members (tenant_id, app, user_id, role, name, language)
          SELECT ${bot.tenant}, ${bot.app}, ${sender.id}, 'owner', ${sender.name}, ${sender.language ?? null}
          WHERE NOT EXISTS (SELECT 1 FROM members WHERE app = ${bot.app})
          RETURNING user_id`
      )
    )
    yield* forget(bot)
    if (owners.length === 0) return false
    codes.delete(botName(bot))
    yield* Effect.logInfo("The bot was claimed with its code and has an owner now").pipe(
      Effect.annotateLogs({ tenant: bot.tenant, app: bot.app })
    )
    return true
  })

  /** Outside of the caller: a refusal that waits, or fails, holds up nobody. */
  const tell = Effect.fnUntraced(function* (bot: BotKey, chat: ChatId, sender: Sender, kind: RefusalKind) {
    const text = plain(refusalText(kind, sender))
    const deadline = (yield* Clock.currentTimeMillis) + refusalPatience
    const message = port.send(
      new Address({ ...bot, chat }),
      { _tag: "Text", text, linkPreview: false },
      { deadline }
    )
    yield* FiberSet.run(
      sending,
      message.pipe(
        Effect.asVoid,
        Effect.catchCause((cause) => Effect.logDebug("A stranger could not be answered", cause))
      )
    )
  })

  /** `false`: this person was refused today already. Yesterday's digests go. */
  const firstToday = Effect.fnUntraced(function* (bot: BotKey, user: number, now: number) {
    const day = new Date(now).toISOString().slice(0, 10)
    const digest = refusalDigest(Redacted.value(digestKey), bot, user, day)
    const rows = yield* transaction(bot.tenant, (sql) =>
      Effect.andThen(
        sql`DELETE FROM refusals WHERE app = ${bot.app} AND refused_on < ${day}::date`,
        sql`INSERT INTO refusals (tenant_id, app, refused_on, digest)
          VALUES (${bot.tenant}, ${bot.app}, ${day}::date, ${digest})
          ON CONFLICT DO NOTHING RETURNING 1`
      )
    )
    return rows.length > 0
  })

  const refuse = Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate, kind: RefusalKind) {
    const place = refusalChat(update)
    if (place === undefined) return
    const now = yield* Clock.currentTimeMillis
    refusals = recent(refusals, now, 60_000)
    // Whoever wrote a moment ago has been answered, or was one too many: no need to look.
    if (refusals.length >= refusalsPerMinute || refusals.some((one) => one.user === place.sender.id)) return
    refusals = [...refusals, { user: place.sender.id, at: now }]
    if (yield* firstToday(bot, place.sender.id, now)) yield* tell(bot, place.chat.id, place.sender, kind)
  })

  /** In one go, so that tries at the same instant are counted each. */
  const tryCode = (given: string, code: string, user: number, now: number) => {
    wrongTries = recent(wrongTries, now, hour)
    if (!mayTry(wrongTries, user, now)) return "tooMany"
    if (sameCode(given, code)) return "right"
    wrongTries = [...wrongTries, { user, at: now }]
    return "wrong"
  }

  /** A bot without members: the code makes an owner, anything else is refused. */
  const claim = Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate, sender: Sender) {
    const given = claimIn(update)
    if (given === undefined) return yield* Effect.as(refuse(bot, update, "unclaimed"), "stranger" as const)
    const now = yield* Clock.currentTimeMillis
    const code = Redacted.value(yield* codeOf(bot))
    const tried = tryCode(given, code, sender.id, now)
    if (tried === "tooMany") return "stranger" as const
    if (tried === "right")
      return (yield* becomeOwner(bot, sender)) ? ("claimed" as const) : ("stranger" as const)
    yield* Effect.logWarning(
      `Somebody sent a wrong claim code (${wrongTries.length} in the last hour; 50 close the door for an hour, a restart opens it with a new code)`
    ).pipe(Effect.annotateLogs({ tenant: bot.tenant, app: bot.app }))
    const place = refusalChat(update)
    if (place !== undefined) yield* tell(bot, place.chat.id, place.sender, "wrongCode")
    return "stranger" as const
  })

  const keepLanguage = Effect.fnUntraced(function* (bot: BotKey, sender: Sender) {
    if (allowed !== "claim" || sender.language === undefined) return
    if ((yield* membersOf(bot)).get(sender.id) === sender.language) return
    yield* transaction(
      bot.tenant,
      (sql) => sql`UPDATE members SET language = ${sender.language}, name = ${sender.name}
        WHERE app = ${bot.app} AND user_id = ${sender.id}`
    )
    yield* forget(bot)
  })

  const isUnclaimed = (bot: BotKey) =>
    allowed === "claim" ? Effect.map(membersOf(bot), (members) => members.size === 0) : Effect.succeed(false)

  return Permission.of({
    check: Effect.fn("Permission.check")(function* (bot, sender) {
      return (yield* decide(bot, sender)) ? "allowed" : "stranger"
    }),

    admit: Effect.fnUntraced(function* (bot, update) {
      // Nobody sent it, so there is nobody to keep it for.
      const sender = conversationOf(update)?.sender
      if (sender === undefined) return "stranger"
      if (yield* decide(bot, sender)) return yield* Effect.as(keepLanguage(bot, sender), "allowed" as const)
      if (yield* isUnclaimed(bot)) return yield* claim(bot, update, sender)
      return yield* Effect.as(refuse(bot, update, "private"), "stranger" as const)
    }),

    claimCode: Effect.fn("Permission.claimCode")(function* (bot) {
      return (yield* isUnclaimed(bot)) ? Option.some(yield* codeOf(bot)) : Option.none()
    }),

    language: Effect.fn("Permission.language")(function* (bot, user) {
      return Option.fromNullishOr((yield* membersOf(bot)).get(user))
    })
  })
})
