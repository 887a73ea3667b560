/**
 * Finding the bot and the chat a person acts in; a private chat begins when it is first used.
 */
import { Result } from "effect"
import { fullName } from "../View.ts"
import type { ChatRow, MessageRow, World } from "../World.ts"

/** What an action gives, or the reason it makes no sense. */
export type Acted<A> = Result.Result<A, string>

export const botOf = (world: World, id: number | undefined): Acted<number> => {
  const bot = id === undefined ? world.bots()[0] : world.bot(id)
  return bot === undefined ? Result.fail(`there is no bot ${id}`) : Result.succeed(bot.id)
}

/** The chat; for a person who has not written yet, a new private one. */
export const openChat = (world: World, bot: number, id: number): Acted<ChatRow> => {
  const known = world.chat(bot, id)
  if (known !== undefined) return Result.succeed(known)
  const person = world.user(id)
  if (person === undefined) return Result.fail(`there is no chat or user ${id}`)
  const chat: ChatRow = {
    bot,
    id,
    kind: "private",
    title: fullName(person),
    forum: false,
    blocked: false,
    members: [id],
    topics: []
  }
  world.saveChat(chat)
  return Result.succeed(chat)
}

export const chatOf = (world: World, bot: number | undefined, id: number): Acted<ChatRow> =>
  Result.flatMap(botOf(world, bot), (found) => {
    const chat = world.chat(found, id)
    return chat === undefined ? Result.fail(`there is no chat ${id}`) : Result.succeed(chat)
  })

export const messageOf = (
  world: World,
  at: { readonly bot?: number; readonly chat: number; readonly messageId: number }
): Acted<MessageRow & { readonly chat: ChatRow }> =>
  Result.gen(function* () {
    const chat = yield* chatOf(world, at.bot, at.chat)
    const row = world.message(chat.bot, chat.id, at.messageId)
    if (row === undefined) return yield* Result.fail(`there is no message ${at.messageId} in chat ${at.chat}`)
    return { ...row, chat }
  })
