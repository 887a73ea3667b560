/**
 * Methods about chats and what moves between them: their details, topics, forwards and copies.
 */
import { Result } from "effect"
import type { MessageOrigin } from "grammy/types"
import * as Announce from "../Announce.ts"
import * as Args from "../Args.ts"
import {
  type Body,
  type Call,
  captionFields,
  captionLimit,
  formatted,
  knownChat,
  markupOf,
  post,
  replyOf,
  threadOf,
  writableChat
} from "../Content.ts"
import { type Answer, badRequest } from "../Refusal.ts"
import { fileOf, fullName } from "../View.ts"
import { type ApiMessage, apiBot, apiChat, type World } from "../World.ts"

export const getChat = (world: World, call: Call) =>
  Result.map(knownChat(world, call), (chat) => ({
    ...apiChat(world, chat),
    accent_color_id: 0,
    max_reaction_count: 11,
    accepted_gift_types: {}
  }))

export const getChatMember = (world: World, call: Call) =>
  Result.gen(function* () {
    const chat = yield* knownChat(world, call)
    const id = Args.integer(call.args, "user_id") ?? 0
    if (id === call.bot.id) {
      return { status: chat.blocked ? "kicked" : "administrator", user: apiBot(call.bot) }
    }
    const person = world.user(id)
    if (person === undefined) return yield* badRequest("PARTICIPANT_ID_INVALID")
    if (!chat.members.includes(id)) return { status: "left", user: person }
    return { status: chat.members[0] === id && chat.kind !== "private" ? "creator" : "member", user: person }
  })

/** The service message that begins a topic has the topic's id, as in Telegram. */
export const openTopic = (
  world: World,
  chat: { readonly bot: number; readonly id: number },
  from: ApiMessage["from"],
  name: string
): Answer<ApiMessage> =>
  Result.gen(function* () {
    const row = world.chat(chat.bot, chat.id)
    if (row?.forum !== true) return yield* badRequest("the chat is not a forum")
    if (name.trim() === "" || name.length > 128) return yield* badRequest("TOPIC_TITLE_EMPTY")
    const message = post(world, row, from, undefined, { forum_topic_created: { name, icon_color: 7322096 } })
    const started = { ...message, message_thread_id: message.message_id, is_topic_message: true as const }
    world.updateMessage(chat.bot, started)
    world.saveChat({ ...row, topics: [...row.topics, { id: message.message_id, name }] })
    Announce.sent(world, chat.bot, started)
    return started
  })

export const createForumTopic = (world: World, call: Call) =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const name = Args.text(call.args, "name") ?? ""
    const message = yield* openTopic(world, chat, apiBot(call.bot), name)
    return { message_thread_id: message.message_id, name, icon_color: 7322096 }
  })

/** What a forward of `message` says about where it came from. */
export const originOf = (message: ApiMessage, hideSender: boolean): MessageOrigin => {
  if (message.forward_origin !== undefined) return message.forward_origin
  return hideSender
    ? { type: "hidden_user", date: message.date, sender_user_name: fullName(message.from) }
    : { type: "user", date: message.date, sender_user: message.from }
}

/** The part of a message that is its content, without its place, author and answers. */
export const contentOf = (message: ApiMessage): Body => {
  const { message_id, message_thread_id, is_topic_message, from, chat, date, edit_date, ...rest } = message
  const { reply_to_message, reply_markup, media_group_id, forward_origin, ...content } = rest
  return content
}

const source = (world: World, call: Call, field: string): Answer<ApiMessage> =>
  Result.gen(function* () {
    const from = yield* knownChat(world, call, "from_chat_id")
    const row = world.message(from.bot, from.id, Args.integer(call.args, "message_id") ?? 0)
    if (row === undefined) return yield* badRequest(`message to ${field} not found`)
    if (row.message.forum_topic_created !== undefined || row.message.new_chat_members !== undefined) {
      return yield* badRequest(`message can't be ${field === "copy" ? "copied" : "forwarded"}`)
    }
    return row.message
  })

export const forwardMessage = (world: World, call: Call): Answer<ApiMessage> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const thread = yield* threadOf(chat, call.args)
    const message = yield* source(world, call, "forward")
    const forwarded = post(world, chat, apiBot(call.bot), thread, {
      ...contentOf(message),
      forward_origin: originOf(message, false)
    })
    Announce.sent(world, call.bot.id, forwarded)
    return forwarded
  })

export const copyMessage = (world: World, call: Call) =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const thread = yield* threadOf(chat, call.args)
    const message = yield* source(world, call, "copy")
    const markup = yield* markupOf(call.args)
    const reply = yield* replyOf(world, chat, call.args)
    const caption = yield* formatted(call.args, "caption", captionLimit)
    const recaptioned = fileOf(message) !== undefined && call.args.values.caption !== undefined
    const { caption: _, caption_entities: __, ...bare } = contentOf(message)
    const content = recaptioned ? { ...bare, ...captionFields(caption) } : contentOf(message)
    const copy = post(world, chat, apiBot(call.bot), thread, { ...content, ...reply, ...markup })
    Announce.sent(world, call.bot.id, copy)
    return { message_id: copy.message_id }
  })
