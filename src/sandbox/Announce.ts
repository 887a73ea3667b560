/**
 * Tells those who watch what happened to a message, once it is durable.
 */
import { messageView, reactionsView } from "./View.ts"
import type { ApiMessage, Reactions, World } from "./World.ts"

export const sent = (world: World, bot: number, message: ApiMessage) =>
  world.publish({
    _tag: "MessageSent",
    bot,
    chat: message.chat.id,
    message: messageView(bot, { message, reactions: {} }, world.apiRoot)
  })

export const edited = (world: World, bot: number, message: ApiMessage, reactions: Reactions) =>
  world.publish({
    _tag: "MessageEdited",
    bot,
    chat: message.chat.id,
    message: messageView(bot, { message, reactions }, world.apiRoot)
  })

export const deleted = (world: World, bot: number, chat: number, ids: ReadonlyArray<number>) =>
  world.publish({ _tag: "MessagesDeleted", bot, chat, ids })

export const reacted = (world: World, bot: number, chat: number, messageId: number, reactions: Reactions) =>
  world.publish({ _tag: "Reacted", bot, chat, messageId, reactions: reactionsView(reactions) })
