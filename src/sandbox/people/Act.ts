/**
 * What people do to what is already there: chats begin and end, messages are edited, deleted, reacted to, buttons
 * pressed, polls voted in.
 */
import { randomBytes } from "node:crypto"
import { Result } from "effect"
import type { CallbackQuery, ChatMemberUpdated, Poll, ReactionType, User } from "grammy/types"
import * as Announce from "../Announce.ts"
import { captionFields, textFields } from "../Content.ts"
import type { Input } from "../Control.ts"
import { openTopic } from "../methods/Chats.ts"
import { fileOf } from "../View.ts"
import { type ApiMessage, apiBot, apiChat, type ChatRow, type World } from "../World.ts"
import { type Acted, botOf, chatOf, messageOf, openChat } from "./Place.ts"
import { sendText, typed } from "./Speak.ts"

export const createUser = (world: World, input: Input<"createUser">): Acted<User> => {
  const user = {
    id: input.id ?? world.next("users", 100_001),
    is_bot: false,
    first_name: input.firstName,
    ...(input.lastName === undefined ? {} : { last_name: input.lastName }),
    ...(input.username === undefined ? {} : { username: input.username }),
    ...(input.language === undefined ? {} : { language_code: input.language })
  }
  if (user.id <= 0) return Result.fail("a user's id is positive")
  world.saveUser(user)
  return Result.succeed(user)
}

/** Tells the bot it came or went. */
const membership = (world: World, chat: ChatRow, from: User, present: boolean) => {
  const bot = world.bot(chat.bot)
  if (bot === undefined) return
  const user = apiBot(bot)
  const inside = { status: chat.kind === "private" ? "member" : "administrator", user }
  const outside = { status: "kicked", user, until_date: 0 }
  world.tell(chat.bot, `chat:${chat.id}`, {
    my_chat_member: {
      chat: apiChat(world, chat),
      from,
      date: world.seconds(),
      old_chat_member: present ? outside : inside,
      new_chat_member: present ? inside : outside
    } as ChatMemberUpdated
  })
}

export const createGroup = (world: World, input: Input<"createGroup">): Acted<ChatRow> =>
  Result.gen(function* () {
    const bot = yield* botOf(world, input.bot)
    const creator = input.members[0] === undefined ? undefined : world.user(input.members[0])
    if (creator === undefined || input.members.some((id) => world.user(id) === undefined)) {
      return yield* Result.fail("a group has one or more known users")
    }
    const chat: ChatRow = {
      bot,
      id: -1_000_000_000_000 - world.next("groups", 1_500_000_001),
      kind: "supergroup",
      title: input.title,
      forum: input.forum ?? false,
      blocked: false,
      members: input.members,
      topics: []
    }
    world.saveChat(chat)
    membership(world, chat, creator, true)
    return chat
  })

export const createTopic = (world: World, input: Input<"createTopic">): Acted<ApiMessage> =>
  Result.gen(function* () {
    const chat = yield* chatOf(world, input.bot, input.chat)
    const from = world.user(chat.members[0] ?? 0)
    if (from === undefined) return yield* Result.fail("the chat has no members")
    const opened = openTopic(world, chat, from, input.name)
    const message = yield* Result.mapError(opened, ({ description }) => description)
    world.tell(chat.bot, `chat:${chat.id}`, { message: message as never })
    return message
  })

const setBlocked = (world: World, chat: ChatRow, blocked: boolean): Acted<ChatRow> => {
  const from = world.user(chat.members[0] ?? 0)
  if (from === undefined) return Result.fail("the chat has no members")
  if (chat.blocked === blocked) return Result.succeed(chat)
  const after = { ...chat, blocked }
  world.saveChat(after)
  membership(world, after, from, !blocked)
  return Result.succeed(after)
}

const personsChat = (world: World, input: { readonly bot?: number; readonly user: number }) =>
  Result.flatMap(botOf(world, input.bot), (bot) => openChat(world, bot, input.user))

export const block = (world: World, input: Input<"block">) =>
  Result.flatMap(personsChat(world, input), (chat) => setBlocked(world, chat, true))

export const unblock = (world: World, input: Input<"unblock">) =>
  Result.flatMap(personsChat(world, input), (chat) => setBlocked(world, chat, false))

export const start = (world: World, input: Input<"start">): Acted<ApiMessage> =>
  Result.gen(function* () {
    const chat = yield* unblock(world, input)
    const text = input.payload === undefined ? "/start" : `/start ${input.payload}`
    return yield* sendText(world, { bot: chat.bot, chat: chat.id, text })
  })

export const editText = (world: World, input: Input<"editText">): Acted<ApiMessage> =>
  Result.gen(function* () {
    const { chat, message, reactions } = yield* messageOf(world, input)
    if (message.from.id === chat.bot) return yield* Result.fail("a person edits only what people sent")
    if (input.from !== undefined && input.from !== message.from.id) {
      return yield* Result.fail(`message ${input.messageId} is not by user ${input.from}`)
    }
    const value = yield* typed(world, input.text, input.entities)
    if (value.text === "" && message.text !== undefined) {
      return yield* Result.fail("a message has some text")
    }
    const { text: _, entities: __, caption: ___, caption_entities: ____, ...rest } = message
    const fields = fileOf(message) === undefined ? textFields(value) : captionFields(value)
    const edited = { ...rest, ...fields, edit_date: world.seconds() } as ApiMessage
    world.updateMessage(chat.bot, edited)
    world.tell(chat.bot, `chat:${chat.id}`, { edited_message: edited as never })
    Announce.edited(world, chat.bot, edited, reactions)
    return edited
  })

export const deleteMessages = (world: World, input: Input<"deleteMessages">): Acted<void> =>
  Result.map(chatOf(world, input.bot, input.chat), (chat) => {
    for (const id of input.messageIds) world.deleteMessage(chat.bot, chat.id, id)
    Announce.deleted(world, chat.bot, chat.id, input.messageIds)
  })

/** Who acts on a message: the person of a private chat, else `from` or the group's first member. */
const actor = (world: World, chat: ChatRow, from: number | undefined): Acted<User> => {
  const id = chat.kind === "private" ? chat.id : (from ?? chat.members[0] ?? 0)
  const user = world.user(id)
  return user === undefined ? Result.fail(`user ${id} is not in chat ${chat.id}`) : Result.succeed(user)
}

/** Pressed buttons are forgotten after a day, long after they can be answered. */
const forgottenMillis = 86_400_000

export const press = (world: World, input: Input<"pressOnly">): Acted<string> =>
  Result.gen(function* () {
    const { chat, message } = yield* messageOf(world, input)
    const from = yield* actor(world, chat, input.from)
    const buttons = message.reply_markup?.inline_keyboard.flat() ?? []
    if (!buttons.some((button) => "callback_data" in button && button.callback_data === input.data)) {
      return yield* Result.fail(`message ${input.messageId} has no such button`)
    }
    const id = randomBytes(8).readBigUInt64BE().toString()
    world.storage.run("DELETE FROM callbacks WHERE at < ?", world.now() - forgottenMillis)
    world.storage.run(
      "INSERT INTO callbacks VALUES (?, ?, ?, ?, ?, ?, NULL)",
      id,
      chat.bot,
      chat.id,
      input.messageId,
      from.id,
      world.now()
    )
    const query = { id, from, message, chat_instance: String(chat.id), data: input.data }
    world.tell(chat.bot, `user:${from.id}`, { callback_query: query as CallbackQuery })
    return id
  })

/** Bot API 10.3. */
export const stopDraft = (world: World, input: Input<"stopDraft">): Acted<void> =>
  Result.gen(function* () {
    const chat = yield* chatOf(world, input.bot, input.chat)
    if (chat.kind !== "private") return yield* Result.fail("drafts are in private chats only")
    world.tell(chat.bot, `user:${chat.id}`, {
      stopped_message_generation: { chat: apiChat(world, chat) as never, draft_id: input.draftId }
    })
  })

const reactionTypes = (emoji: ReadonlyArray<string>): Array<ReactionType> =>
  emoji.map((each) =>
    /^\d{5,}$/.test(each)
      ? { type: "custom_emoji", custom_emoji_id: each }
      : ({ type: "emoji", emoji: each } as ReactionType)
  )

export const react = (world: World, input: Input<"react">): Acted<ApiMessage> =>
  Result.gen(function* () {
    const { chat, message, reactions } = yield* messageOf(world, input)
    const from = yield* actor(world, chat, input.from)
    const { [String(from.id)]: before, ...others } = reactions
    const after = input.emoji.length === 0 ? others : { ...others, [String(from.id)]: input.emoji }
    world.updateReactions(chat.bot, chat.id, input.messageId, after)
    world.tell(chat.bot, `chat:${chat.id}`, {
      message_reaction: {
        chat: apiChat(world, chat),
        message_id: input.messageId,
        user: from,
        date: world.seconds(),
        old_reaction: reactionTypes(before ?? []),
        new_reaction: reactionTypes(input.emoji)
      }
    })
    Announce.reacted(world, chat.bot, chat.id, input.messageId, after)
    return message
  })

/** Votes add up: people of the sandbox vote once and do not take it back. */
export const vote = (world: World, input: Input<"vote">): Acted<ApiMessage> =>
  Result.gen(function* () {
    const { chat, message, reactions } = yield* messageOf(world, input)
    const from = yield* actor(world, chat, input.from)
    const { poll } = message
    if (poll === undefined) return yield* Result.fail(`message ${input.messageId} is not a poll`)
    if (poll.is_closed || input.options.some((index) => poll.options[index] === undefined)) {
      return yield* Result.fail("the poll is closed or has no such option")
    }
    const options = poll.options.map((option, index) =>
      input.options.includes(index) ? { ...option, voter_count: option.voter_count + 1 } : option
    )
    const voted: Poll = { ...poll, options, total_voter_count: poll.total_voter_count + 1 }
    const after = { ...message, poll: voted }
    world.updateMessage(chat.bot, after)
    if (message.from.id === chat.bot) world.tell(chat.bot, `chat:${chat.id}`, { poll: voted })
    if (message.from.id === chat.bot && !poll.is_anonymous) {
      const answer = { poll_id: poll.id, user: from, option_ids: [...input.options] }
      world.tell(chat.bot, `user:${from.id}`, { poll_answer: answer as never })
    }
    Announce.edited(world, chat.bot, after, reactions)
    return after
  })
