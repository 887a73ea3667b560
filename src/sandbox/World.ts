/**
 * What the emulator knows, as rows: bots, people, chats, messages, updates. Everything here is synchronous and
 * runs inside `Storage.commit`; ids come from counters that are stored, so they never restart.
 */
import { randomBytes, randomInt } from "node:crypto"
import type { Chat, Message, Update, User } from "grammy/types"
import type { Storage } from "./Storage.ts"
import type { Event, Topic } from "./Views.ts"

/** `Message` of the Bot API, always with an author. */
export type ApiMessage = Message & { from: User }

export interface BotRow {
  readonly id: number
  readonly token: string
  readonly username: string
  readonly name: string
  /** JSON array of update kinds; null: never said. */
  readonly allowed: string | null
  /** JSON of a `Webhook`; null: none. */
  readonly webhook: string | null
}

export interface ChatRow {
  readonly bot: number
  readonly id: number
  readonly kind: "private" | "supergroup"
  readonly title: string
  readonly username?: string
  readonly forum: boolean
  readonly blocked: boolean
  readonly members: ReadonlyArray<number>
  readonly topics: ReadonlyArray<Topic>
}

/** Who put which reactions on a message, by user id. */
export type Reactions = Readonly<Record<string, ReadonlyArray<string>>>

export interface MessageRow {
  readonly message: ApiMessage
  readonly reactions: Reactions
}

/** How long Telegram keeps an update: 24 h from its date, presses of buttons 150 s, inline queries 30 s. */
const retention = (kind: string): number =>
  kind === "callback_query" ? 150_000 : kind === "inline_query" ? 30_000 : 86_400_000

/** Kinds a bot gets only when it asks for them by name. */
const askedForOnly = new Set(["chat_member", "message_reaction", "message_reaction_count"])

const wanted = (bot: BotRow, kind: string): boolean => {
  const allowed: ReadonlyArray<string> = bot.allowed === null ? [] : JSON.parse(bot.allowed)
  return allowed.length === 0 ? !askedForOnly.has(kind) : allowed.includes(kind)
}

export interface Hooks {
  /** Unix ms. */
  readonly now: () => number
  readonly publish: (event: Event) => void
  /** `http://127.0.0.1:port` */
  readonly apiRoot: string
  /** A bot has something to fetch. */
  readonly wake: (bot: number) => void
}

export type World = ReturnType<typeof make>

export const make = (storage: Storage, hooks: Hooks) => {
  const next = (name: string, first: number): number =>
    storage.get<{ value: number }>(
      "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
      name,
      first
    )!.value

  const bot = (id: number) => storage.get<BotRow>("SELECT * FROM bots WHERE id = ?", id)
  const bots = () => storage.all<BotRow>("SELECT * FROM bots ORDER BY rowid")

  const newToken = (id: number) => `${id}:${randomBytes(26).toString("base64url")}`

  const createBot = (username: string, name: string): BotRow => {
    const id = next("bots", 7_000_000_001)
    const row = { id, token: newToken(id), username, name }
    storage.run(
      "INSERT INTO bots (id, token, username, name) VALUES (?, ?, ?, ?)",
      row.id,
      row.token,
      username,
      name
    )
    return { ...row, allowed: null, webhook: null }
  }

  const revokeToken = (id: number): BotRow => {
    storage.run("UPDATE bots SET token = ? WHERE id = ?", newToken(id), id)
    return bot(id)!
  }

  const user = (id: number): User | undefined => {
    const row = storage.get<{ json: string }>("SELECT json FROM users WHERE id = ?", id)
    return row === undefined ? undefined : JSON.parse(row.json)
  }
  const saveUser = (value: User) =>
    storage.run("INSERT OR REPLACE INTO users VALUES (?, ?)", value.id, JSON.stringify(value))

  const chat = (botId: number, id: number): ChatRow | undefined => {
    const row = storage.get<{ json: string }>("SELECT json FROM chats WHERE bot = ? AND id = ?", botId, id)
    return row === undefined ? undefined : JSON.parse(row.json)
  }
  const saveChat = (row: ChatRow) => {
    storage.run(
      `INSERT INTO chats VALUES (?, ?, ?, ?, NULL)
       ON CONFLICT (bot, id) DO UPDATE SET json = excluded.json`,
      row.bot,
      row.id,
      JSON.stringify(row),
      next("activity", 1)
    )
    storage.afterCommit(() => hooks.publish({ _tag: "ChatChanged", bot: row.bot, chat: row.id }))
  }

  /**
   * Private chats of a bot share one sequence, a supergroup has its own: as Telegram numbers them. A group's first is
   * its creation, and 1 is General's thread.
   */
  const nextMessageId = (at: ChatRow): number =>
    at.kind === "private" ? next(`messages:${at.bot}`, 1) : next(`messages:${at.bot}:${at.id}`, 2)

  const message = (botId: number, chatId: number, id: number): MessageRow | undefined => {
    const row = storage.get<{ json: string; reactions: string }>(
      "SELECT json, reactions FROM messages WHERE bot = ? AND chat = ? AND id = ?",
      botId,
      chatId,
      id
    )
    return row === undefined
      ? undefined
      : { message: JSON.parse(row.json), reactions: JSON.parse(row.reactions) }
  }

  const insertMessage = (at: ChatRow, value: ApiMessage) => {
    storage.run(
      "INSERT INTO messages VALUES (?, ?, ?, ?, ?, '{}')",
      at.bot,
      at.id,
      value.message_id,
      value.message_thread_id ?? 0,
      JSON.stringify(value)
    )
    storage.run(
      "UPDATE chats SET activity = ?, last = ? WHERE bot = ? AND id = ?",
      next("activity", 1),
      value.message_id,
      at.bot,
      at.id
    )
  }
  const updateMessage = (botId: number, value: ApiMessage) =>
    storage.run(
      "UPDATE messages SET json = ?, thread = ? WHERE bot = ? AND chat = ? AND id = ?",
      JSON.stringify(value),
      value.message_thread_id ?? 0,
      botId,
      value.chat.id,
      value.message_id
    )
  const updateReactions = (botId: number, chatId: number, id: number, reactions: Reactions) =>
    storage.run(
      "UPDATE messages SET reactions = ? WHERE bot = ? AND chat = ? AND id = ?",
      JSON.stringify(reactions),
      botId,
      chatId,
      id
    )
  const deleteMessage = (botId: number, chatId: number, id: number) =>
    storage.run("DELETE FROM messages WHERE bot = ? AND chat = ? AND id = ?", botId, chatId, id)

  const enqueue = (
    botId: number,
    lane: string,
    update: Readonly<Record<string, unknown>>,
    forcedId?: number
  ): number => {
    const id = forcedId ?? next(`updates:${botId}`, randomInt(100_000_000, 900_000_000))
    const kind = Object.keys(update).find((key) => key !== "update_id") ?? "unknown"
    storage.run(
      "INSERT INTO updates (bot, id, lane, json, expires, forced) VALUES (?, ?, ?, ?, ?, ?)",
      botId,
      id,
      lane,
      JSON.stringify({ ...update, update_id: id }),
      hooks.now() + retention(kind),
      forcedId === undefined ? 0 : 1
    )
    storage.afterCommit(() => hooks.wake(botId))
    return id
  }

  /** Queues an update for the bot, unless it has not asked for its kind. */
  const tell = (botId: number, lane: string, update: Omit<Update, "update_id">) => {
    const row = bot(botId)
    const kind = Object.keys(update)[0]
    if (row !== undefined && kind !== undefined && wanted(row, kind)) enqueue(botId, lane, update)
  }

  return {
    storage,
    now: hooks.now,
    apiRoot: hooks.apiRoot,
    /** Unix seconds. */
    seconds: () => Math.floor(hooks.now() / 1000),
    wake: (botId: number) => storage.afterCommit(() => hooks.wake(botId)),
    publish: (event: Event) => storage.afterCommit(() => hooks.publish(event)),
    next,
    bot,
    bots,
    createBot,
    revokeToken,
    user,
    saveUser,
    chat,
    saveChat,
    nextMessageId,
    message,
    insertMessage,
    updateMessage,
    updateReactions,
    deleteMessage,
    enqueue,
    tell
  }
}

export const apiBot = (row: BotRow): User => ({
  id: row.id,
  is_bot: true,
  first_name: row.name,
  username: row.username
})

/** The chat as messages and updates carry it. */
export const apiChat = (world: World, row: ChatRow): Chat => {
  if (row.kind === "supergroup") {
    return {
      id: row.id,
      type: "supergroup",
      title: row.title,
      ...(row.forum ? { is_forum: true as const } : {})
    }
  }
  const person = world.user(row.id)
  return {
    id: row.id,
    type: "private",
    first_name: person?.first_name ?? row.title,
    ...(person?.last_name === undefined ? {} : { last_name: person.last_name }),
    ...(person?.username === undefined ? {} : { username: person.username })
  }
}
