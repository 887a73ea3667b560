/**
 * What people and tests look at: chats, messages, files, menus, what waits for the bot.
 */
import { Result } from "effect"
import type { Input, Output } from "../Control.ts"
import * as Files from "../Files.ts"
import { pendingUpdates, shownCommands } from "../methods/Settings.ts"
import { chatView, messageView, userView } from "../View.ts"
import type { ApiMessage, BotRow, ChatRow, World } from "../World.ts"
import { type Acted, botOf, chatOf, messageOf } from "./Place.ts"

export const botShown = ({ id, token, username, name }: BotRow) => ({ id, token, username, name })

export const shown = (world: World, bot: number, message: ApiMessage) => {
  const reactions = world.message(bot, message.chat.id, message.message_id)?.reactions ?? {}
  return messageView(bot, { message, reactions }, world.apiRoot)
}

export const users = (world: World): Output<"users"> =>
  world.storage
    .all<{ json: string }>("SELECT json FROM users ORDER BY id")
    .map(({ json }) => userView(JSON.parse(json)))

export const chatShown = (world: World, row: ChatRow) => {
  const stored = world.storage.get<{ last: number | null }>(
    "SELECT last FROM chats WHERE bot = ? AND id = ?",
    row.bot,
    row.id
  )
  return chatView(row, stored?.last ?? null)
}

export const chats = (world: World, input: Input<"chats">): Acted<Output<"chats">> =>
  Result.map(botOf(world, input.bot), (bot) =>
    world.storage
      .all<{ json: string; last: number | null }>(
        "SELECT json, last FROM chats WHERE bot = ? ORDER BY activity DESC",
        bot
      )
      .map(({ json, last }) => chatView(JSON.parse(json), last))
  )

export const messages = (world: World, input: Input<"messages">): Acted<Output<"messages">> =>
  Result.map(chatOf(world, input.bot, input.chat), (chat) =>
    world.storage
      .all<{ json: string; reactions: string }>(
        `SELECT json, reactions FROM messages WHERE bot = ? AND chat = ? AND id < ? AND (? IS NULL OR thread = ?)
         ORDER BY id DESC LIMIT ?`,
        chat.bot,
        chat.id,
        input.before ?? Number.MAX_SAFE_INTEGER,
        input.thread ?? null,
        input.thread ?? null,
        Math.max(input.limit ?? 50, 0)
      )
      .map(({ json, reactions }) =>
        messageView(chat.bot, { message: JSON.parse(json), reactions: JSON.parse(reactions) }, world.apiRoot)
      )
  )

export const message = (world: World, input: Input<"message">): Acted<Output<"message">> =>
  Result.map(messageOf(world, input), (row) => messageView(row.chat.bot, row, world.apiRoot))

export const file = (world: World, { fileId }: Input<"file">): Acted<Output<"file">> => {
  const found = Files.byId(world, fileId)
  if (found === undefined) return Result.fail(`there is no file ${fileId}`)
  const { name, mime } = found.media
  return Result.succeed({
    bytes: Uint8Array.from(found.bytes),
    ...(name === undefined ? {} : { name }),
    ...(mime === undefined ? {} : { mime })
  })
}

export const commands = (world: World, input: Input<"commands">): Acted<Output<"commands">> =>
  Result.map(botOf(world, input.bot), (bot) => {
    const person = input.user ?? (input.chat !== undefined && input.chat > 0 ? input.chat : undefined)
    return shownCommands(world, bot, input.chat, person)
  })

export const pending = (world: World, input: Input<"pending">): Acted<Output<"pending">> =>
  Result.map(botOf(world, input.bot), (bot) => ({ count: pendingUpdates(world, bot) }))
