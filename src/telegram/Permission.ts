/**
 * Asked before anything is stored: may this person use this bot, and as what? Of a stranger nothing is kept. The
 * configured bot, while nobody owns it, is claimed with the code in the output; others are added, or let in by invites.
 */
import { Clock, Context, Effect, Layer, Option, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import type { IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import type { Role } from "../domain/Role.ts"
import type { TenantScope } from "../store/TenantScope.ts"
import type { BotKey, BotPort } from "./BotPort.ts"
import { claimCodeOf, claimIn, holdsStartCode, inviteIn, sameCode, triesAnHour } from "./CodeRules.ts"
import { Invites } from "./Invites.ts"
import { LimitCounters } from "./LimitCounters.ts"
import { hourAt } from "./LimitRules.ts"
import { Members, type Roll } from "./Members.ts"
import { type AllowedUsers, isConfigured, mayHaveRole, roleOf, ruleFor } from "./PermissionRules.ts"
import { makeRefusals } from "./Refusals.ts"
import { conversationOf } from "./UpdateDecoder.ts"

export interface PermissionOptions {
  /** For the bot of the configuration. Bots added later have members. */
  readonly allowed: AllowedUsers
  /** What those are whom only `everyone` lets in; `member`. */
  readonly everybody?: Role
  /** Keys the claim codes, and the digests by which refused people are known for a day. */
  readonly digestKey: Redacted.Redacted<Uint8Array>
}

/** `holdsCode`: the update may hold a code that lets somebody in, and is not to be kept as it came. */
export type Admission =
  | { readonly _tag: "Admitted"; readonly role: Role; readonly holdsCode: boolean }
  | { readonly _tag: "Stranger" }

const stranger: Admission = { _tag: "Stranger" }
/** Somebody whom a code has just let in. */
const letIn = (role: Role): Admission => ({ _tag: "Admitted", role, holdsCode: true })

export class Permission extends Context.Service<
  Permission,
  {
    /** What the user is to the bot now, as far as it is heard of; a stranger is nothing. */
    readonly role: (bot: BotKey, user: number) => Effect.Effect<Option.Option<Role>, SqlError.SqlError>
    /** Keeps the languages that members among the senders write in now, all at once. */
    readonly heard: (
      bot: BotKey,
      updates: ReadonlyArray<IncomingUpdate>
    ) => Effect.Effect<void, SqlError.SqlError>
    /** For the sender of an update: lets them in by a code, refuses a stranger. */
    readonly admit: (bot: BotKey, update: IncomingUpdate) => Effect.Effect<Admission, SqlError.SqlError>
    /** The code that makes the first to send it the owner; only the configured bot has one, until there are members. */
    readonly claimCode: (
      bot: BotKey
    ) => Effect.Effect<Option.Option<Redacted.Redacted<string>>, SqlError.SqlError>
    /** Whether invites let anybody in: not where the configuration says who may. */
    readonly takesInvites: (bot: BotKey) => Effect.Effect<boolean>
    /** IETF tag of the Telegram client a member last wrote with. */
    readonly language: (bot: BotKey, user: number) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  }
>()("zapiska/telegram/Permission") {
  static readonly layer = (
    options: PermissionOptions
  ): Layer.Layer<Permission, never, BotPort | Invites | LimitCounters | Members | TenantScope> =>
    Layer.effect(Permission, make(options))
}

const make = Effect.fnUntraced(function* ({ allowed, everybody = "member", digestKey }: PermissionOptions) {
  const counters = yield* LimitCounters
  const members = yield* Members
  const invites = yield* Invites
  const refusals = yield* makeRefusals(digestKey)

  const roleIn = (roll: Roll, bot: BotKey, user: number) =>
    roleOf(ruleFor(bot, allowed), user, { member: roll.get(user)?.role, everybody })
  const role = (bot: BotKey, user: number) =>
    Effect.map(members.roll(bot.tenant), (roll) => roleIn(roll, bot, user))
  const isUnclaimed = (bot: BotKey) =>
    isConfigured(bot) && allowed === "claim"
      ? Effect.map(members.roll(bot.tenant), (roll) => roll.size === 0)
      : Effect.succeed(false)

  const codeOf = (bot: BotKey) =>
    Redacted.make(claimCodeOf(Redacted.value(digestKey), bot), { label: "claim code" })

  const sayWrong = (bot: BotKey, kind: "a claim code" | "an invite") =>
    Effect.annotateLogs(
      Effect.logWarning(
        `Somebody sent ${kind} that does not work; ${triesAnHour.all} in an hour close the door until the next`
      ),
      { tenant: bot.tenant, app: bot.app }
    )

  /** Counted before it is looked at, whichever replica hears it: many at once are not more tries. */
  const mayGuess = Effect.fnUntraced(function* (bot: BotKey, user: number) {
    const window = hourAt(yield* Clock.currentTimeMillis)
    const key = `${bot.tenant}/codes/${bot.app}`
    const mine = { key: `${key}/${user}`, window, limit: triesAnHour.person, wanted: 1 }
    if ((yield* counters.take(mine)) === 0) return false
    return (yield* counters.take({ key, window, limit: triesAnHour.all, wanted: 1 })) > 0
  })

  /** `undefined`: the code is none of an invite that works. */
  const join = Effect.fnUntraced(function* (bot: BotKey, sender: Sender, code: string) {
    if (!(yield* mayGuess(bot, sender.id))) return undefined
    const joined = yield* invites.redeem(bot, sender, code)
    if (Option.isNone(joined)) return yield* Effect.as(sayWrong(bot, "an invite"), undefined)
    yield* Effect.logInfo(`Somebody joined by an invite, as a ${joined.value}`).pipe(
      Effect.annotateLogs({ tenant: bot.tenant, app: bot.app })
    )
    return letIn(joined.value)
  })

  /** A tenant without members: the code makes an owner, anything else is refused. */
  const claim = Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate, sender: Sender) {
    const given = claimIn(update)
    if (given === undefined) return yield* Effect.as(refusals.refuse(bot, update, "unclaimed"), stranger)
    if (!(yield* mayGuess(bot, sender.id))) return stranger
    if (!sameCode(given, Redacted.value(codeOf(bot)))) {
      yield* sayWrong(bot, "a claim code")
      return yield* Effect.as(refusals.wrongCode(bot, update), stranger)
    }
    if (!(yield* members.claim(bot.tenant, sender))) return stranger
    yield* Effect.logInfo("The bot was claimed with its code and has an owner now").pipe(
      Effect.annotateLogs({ tenant: bot.tenant, app: bot.app })
    )
    return letIn("owner")
  })

  const admit = Effect.fnUntraced(function* (bot: BotKey, update: IncomingUpdate) {
    // Nobody sent it, so there is nobody to keep it for.
    const sender = conversationOf(update)?.sender
    if (sender === undefined) return stranger
    const rule = ruleFor(bot, allowed)
    const invite = rule === "claim" ? inviteIn(update) : undefined
    const mine = mayHaveRole(rule, sender) ? yield* role(bot, sender.id) : undefined
    if (mine !== undefined) {
      const more = mine === "reader" && invite !== undefined ? yield* join(bot, sender, invite) : undefined
      return more ?? { _tag: "Admitted" as const, role: mine, holdsCode: holdsStartCode(update) }
    }
    if (invite !== undefined) {
      const joined = yield* join(bot, sender, invite)
      if (joined !== undefined) return joined
    } else if (yield* isUnclaimed(bot)) return yield* claim(bot, update, sender)
    return yield* Effect.as(refusals.refuse(bot, update, "private"), stranger)
  })

  return Permission.of({
    role: Effect.fnUntraced(function* (bot, user) {
      return Option.fromNullishOr(yield* role(bot, user))
    }),

    heard: Effect.fnUntraced(function* (bot, updates) {
      const rule = ruleFor(bot, allowed)
      const roll = yield* members.roll(bot.tenant)
      const last = new Map(
        updates.flatMap((update) => {
          const sender = conversationOf(update)?.sender
          return sender?.language === undefined || !mayHaveRole(rule, sender) ? [] : [[sender.id, sender]]
        })
      )
      const others = [...last.values()].filter((sender) => {
        const known = roleIn(roll, bot, sender.id) === undefined ? undefined : roll.get(sender.id)
        return known !== undefined && known.language !== sender.language
      })
      if (others.length > 0) yield* members.keepLanguages(bot.tenant, others)
    }),

    admit: (bot, update) =>
      Effect.catchTag(admit(bot, update), "TenantUnknown", ({ message }) =>
        Effect.as(
          Effect.annotateLogs(Effect.logInfo(`Somebody wrote to a bot whose tenant is gone: ${message}`), {
            tenant: bot.tenant,
            app: bot.app
          }),
          stranger
        )
      ),

    claimCode: Effect.fn("Permission.claimCode")(function* (bot) {
      return (yield* isUnclaimed(bot)) ? Option.some(codeOf(bot)) : Option.none()
    }),

    takesInvites: (bot) => Effect.succeed(ruleFor(bot, allowed) === "claim"),

    language: Effect.fn("Permission.language")(function* (bot, user) {
      return Option.fromNullishOr((yield* members.roll(bot.tenant)).get(user)?.language)
    })
  })
})
