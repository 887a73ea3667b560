/**
 * Methods about the bot itself: who it is, its menu of commands, its webhook.
 */
import { Result, Schema } from "effect"
import * as Args from "../Args.ts"
import type { Call } from "../Content.ts"
import { type Answer, badRequest } from "../Refusal.ts"
import { apiBot, type BotRow, type World } from "../World.ts"

export const getMe = (_: World, { bot }: Call) =>
  Result.succeed({
    ...apiBot(bot),
    can_join_groups: true,
    can_read_all_group_messages: true,
    supports_inline_queries: false,
    can_connect_to_business: false,
    has_main_web_app: false
  })

const Command = Schema.Struct({ command: Schema.String, description: Schema.String })
export type Command = typeof Command.Type
const Scope = Schema.Struct({
  type: Schema.Literals([
    "default",
    "all_private_chats",
    "all_group_chats",
    "all_chat_administrators",
    "chat",
    "chat_administrators",
    "chat_member"
  ]),
  chat_id: Schema.optionalKey(Schema.Int),
  user_id: Schema.optionalKey(Schema.Int)
})

const scopeKey = ({ type, chat_id, user_id }: typeof Scope.Type): string =>
  [type, chat_id, user_id].filter((part) => part !== undefined).join(":")

const scopeOf = (args: Args.Args): Answer<string> =>
  Result.gen(function* () {
    const scope = (yield* Args.structure(args, "scope", Scope)) ?? { type: "default" as const }
    const needsChat = scope.type.startsWith("chat")
    if (needsChat && scope.chat_id === undefined) return yield* badRequest("chat not found")
    if (scope.type === "chat_member" && scope.user_id === undefined)
      return yield* badRequest("user not found")
    return scopeKey(scope)
  })

const languageOf = (args: Args.Args): Answer<string> => {
  const language = Args.text(args, "language_code") ?? ""
  return /^(?:[a-z]{2})?$/.test(language)
    ? Result.succeed(language)
    : badRequest("invalid language code specified")
}

export const setMyCommands = (world: World, { bot, args }: Call): Answer<true> =>
  Result.gen(function* () {
    const commands = yield* Args.required(args, "commands", Schema.Array(Command))
    const scope = yield* scopeOf(args)
    const language = yield* languageOf(args)
    if (commands.length > 100) return yield* badRequest("BOT_COMMANDS_TOO_MUCH")
    for (const { command, description } of commands) {
      if (!/^[a-z0-9_]{1,32}$/.test(command)) return yield* badRequest("BOT_COMMAND_INVALID")
      if (description.length < 1 || description.length > 256) {
        return yield* badRequest("BOT_COMMAND_DESCRIPTION_INVALID")
      }
    }
    world.storage.run(
      "INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?)",
      bot.id,
      scope,
      language,
      JSON.stringify(commands)
    )
    return true as const
  })

const read = (
  world: World,
  bot: number,
  scope: string,
  language: string
): ReadonlyArray<Command> | undefined => {
  const row = world.storage.get<{ json: string }>(
    "SELECT json FROM commands WHERE bot = ? AND scope = ? AND language = ?",
    bot,
    scope,
    language
  )
  return row === undefined ? undefined : JSON.parse(row.json)
}

export const getMyCommands = (world: World, { bot, args }: Call): Answer<ReadonlyArray<Command>> =>
  Result.gen(function* () {
    return read(world, bot.id, yield* scopeOf(args), yield* languageOf(args)) ?? []
  })

export const deleteMyCommands = (world: World, { bot, args }: Call): Answer<true> =>
  Result.gen(function* () {
    const scope = yield* scopeOf(args)
    const language = yield* languageOf(args)
    world.storage.run(
      "DELETE FROM commands WHERE bot = ? AND scope = ? AND language = ?",
      bot.id,
      scope,
      language
    )
    return true as const
  })

/** The menu a client shows: the narrowest scope that has one, each in the client's language first. */
export const shownCommands = (
  world: World,
  bot: number,
  chat: number | undefined,
  user: number | undefined
): ReadonlyArray<Command> => {
  const language = user === undefined ? "" : (world.user(user)?.language_code ?? "").slice(0, 2)
  const wide = chat === undefined || chat > 0 ? "all_private_chats" : "all_group_chats"
  const own = chat === undefined ? [] : [`chat_member:${chat}:${user ?? ""}`, `chat:${chat}`]
  for (const scope of [...own, wide, "default"]) {
    const commands = read(world, bot, scope, language) ?? read(world, bot, scope, "")
    if (commands !== undefined) return commands
  }
  return []
}

export interface Webhook {
  readonly url: string
  readonly secret?: string
  readonly maxConnections: number
  readonly lastErrorDate?: number
  readonly lastErrorMessage?: string
}

export const webhookOf = (bot: BotRow): Webhook | undefined =>
  bot.webhook === null ? undefined : JSON.parse(bot.webhook)

export const saveWebhook = (world: World, bot: number, webhook: Webhook | undefined) =>
  world.storage.run(
    "UPDATE bots SET webhook = ? WHERE id = ?",
    webhook === undefined ? null : JSON.stringify(webhook),
    bot
  )

/** `allowed_updates`, remembered until said otherwise; asked for with each poll and with a webhook. */
export const rememberAllowed = (world: World, { bot, args }: Call): Answer<void> =>
  Result.map(Args.structure(args, "allowed_updates", Schema.Array(Schema.String)), (allowed) => {
    const json = allowed === undefined ? bot.allowed : JSON.stringify(allowed)
    if (json !== bot.allowed) world.storage.run("UPDATE bots SET allowed = ? WHERE id = ?", json, bot.id)
  })

const dropPending = (world: World, { bot, args }: Call) => {
  if (Args.flag(args, "drop_pending_updates")) {
    world.storage.run("DELETE FROM updates WHERE bot = ?", bot.id)
  }
}

/** Plain HTTP is taken too: the sandbox is on loopback. */
export const setWebhook = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const url = Args.text(call.args, "url") ?? ""
    const secret = Args.text(call.args, "secret_token")
    if (url === "") return yield* deleteWebhook(world, call)
    if (!URL.canParse(url) || !/^https?:/.test(url)) return yield* badRequest("bad webhook: invalid URL")
    if (secret !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(secret)) {
      return yield* badRequest("secret token contains unallowed characters")
    }
    yield* rememberAllowed(world, call)
    dropPending(world, call)
    saveWebhook(world, call.bot.id, {
      url,
      maxConnections: Args.integer(call.args, "max_connections") ?? 40,
      ...(secret === undefined ? {} : { secret })
    })
    world.wake(call.bot.id)
    return true as const
  })

export const deleteWebhook = (world: World, call: Call): Answer<true> => {
  dropPending(world, call)
  saveWebhook(world, call.bot.id, undefined)
  return Result.succeed(true as const)
}

export const pendingUpdates = (world: World, bot: number): number =>
  world.storage.get<{ count: number }>("SELECT count(*) AS count FROM updates WHERE bot = ?", bot)?.count ?? 0

export const getWebhookInfo = (world: World, { bot }: Call) => {
  const webhook = webhookOf(bot)
  return Result.succeed({
    url: webhook?.url ?? "",
    has_custom_certificate: false,
    pending_update_count: pendingUpdates(world, bot.id),
    ...(webhook === undefined ? {} : { max_connections: webhook.maxConnections }),
    ...(webhook?.lastErrorDate === undefined
      ? {}
      : { last_error_date: webhook.lastErrorDate, last_error_message: webhook.lastErrorMessage }),
    ...(bot.allowed === null || bot.allowed === "[]" ? {} : { allowed_updates: JSON.parse(bot.allowed) })
  })
}
