/**
 * Methods that change what is already in a chat: edits, deletions, reactions, answers to buttons.
 */
import { Result, Schema } from "effect"
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
  textFields,
  textOf,
  writableChat
} from "../Content.ts"
import { type Answer, badRequest } from "../Refusal.ts"
import { richOf } from "../RichMessage.ts"
import { fileOf } from "../View.ts"
import type { ApiMessage, ChatRow, MessageRow, World } from "../World.ts"
import { richFields } from "./Send.ts"

const editable = (world: World, call: Call): Answer<MessageRow> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const id = Args.integer(call.args, "message_id")
    if (id === undefined) return yield* badRequest("message identifier is not specified")
    const row = world.message(chat.bot, chat.id, id)
    if (row === undefined) return yield* badRequest("message to edit not found")
    if (row.message.from.id !== call.bot.id) return yield* badRequest("message can't be edited")
    return row
  })

/** What of a message an edit can change; equal before and after, it is "not modified". */
const comparable = (message: ApiMessage) =>
  JSON.stringify([
    message.text,
    message.entities ?? [],
    message.rich_message,
    message.caption,
    message.caption_entities ?? [],
    message.reply_markup?.inline_keyboard ?? []
  ])

const notModified =
  "message is not modified: specified new message content and reply markup are exactly the same " +
  "as a current content and reply markup of the message"

/** Replaces `fields`; an edit without `reply_markup` takes the buttons away, as Telegram's does. */
const edit = (
  world: World,
  call: Call,
  row: MessageRow,
  fields: (message: ApiMessage) => Body
): Answer<ApiMessage> =>
  Result.gen(function* () {
    const markup = yield* markupOf(call.args)
    const { reply_markup: _, ...kept } = row.message
    const next = {
      message_id: kept.message_id,
      chat: kept.chat,
      from: kept.from,
      date: kept.date,
      ...fields(kept as ApiMessage),
      ...markup
    } as ApiMessage
    if (comparable(next) === comparable(row.message)) return yield* badRequest(notModified)
    const message = { ...next, edit_date: world.seconds() }
    world.updateMessage(call.bot.id, message)
    Announce.edited(world, call.bot.id, message, row.reactions)
    return message
  })

/** Text and rich messages, each into the other. */
export const editMessageText = (world: World, call: Call): Answer<ApiMessage> =>
  Result.gen(function* () {
    const blocks = yield* richOf(call.args)
    const fields = blocks === undefined ? textFields(yield* textOf(call.args)) : richFields(blocks)
    const row = yield* editable(world, call)
    const { text, rich_message } = row.message
    if (text === undefined && rich_message === undefined)
      return yield* badRequest("there is no text in the message to edit")
    return yield* edit(world, call, row, ({ text: _, entities: __, rich_message: ___, ...message }) => ({
      ...message,
      ...fields
    }))
  })

export const editMessageCaption = (world: World, call: Call): Answer<ApiMessage> =>
  Result.gen(function* () {
    const caption = yield* formatted(call.args, "caption", captionLimit)
    const row = yield* editable(world, call)
    if (fileOf(row.message) === undefined) {
      return yield* badRequest("there is no caption in the message to edit")
    }
    return yield* edit(world, call, row, ({ caption: _, caption_entities: __, ...message }) => ({
      ...message,
      ...captionFields(caption)
    }))
  })

export const editMessageReplyMarkup = (world: World, call: Call): Answer<ApiMessage> =>
  Result.flatMap(editable(world, call), (row) => edit(world, call, row, (message) => message))

/** Bot API: 48 hours after it was sent; in a private chat also what the person sent. */
const deletableSeconds = 48 * 3600

const remove = (world: World, chat: ChatRow, ids: ReadonlyArray<number>) => {
  for (const id of ids) world.deleteMessage(chat.bot, chat.id, id)
  Announce.deleted(world, chat.bot, chat.id, ids)
}

export const deleteMessage = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const chat = yield* knownChat(world, call)
    const id = Args.integer(call.args, "message_id") ?? 0
    const row = world.message(chat.bot, chat.id, id)
    if (row === undefined) return yield* badRequest("message to delete not found")
    if (world.seconds() - row.message.date > deletableSeconds) {
      return yield* badRequest("message can't be deleted")
    }
    remove(world, chat, [id])
    return true as const
  })

/** Bot API: 1 to 100 at once; those not found are skipped. */
export const deleteMessages = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const chat = yield* knownChat(world, call)
    const ids = yield* Args.required(call.args, "message_ids", Schema.Array(Schema.Int))
    if (ids.length < 1 || ids.length > 100) return yield* badRequest("message_ids must be 1 to 100")
    const present = ids.filter((id) => world.message(chat.bot, chat.id, id) !== undefined)
    remove(world, chat, present)
    return true as const
  })

const ReactionType = Schema.Union([
  Schema.Struct({ type: Schema.Literal("emoji"), emoji: Schema.String }),
  Schema.Struct({ type: Schema.Literal("custom_emoji"), custom_emoji_id: Schema.String })
])

/** The emoji Telegram takes as reactions (Bot API, ReactionTypeEmoji). */
const allowedEmoji = new Set(
  (
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 " +
    "👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡"
  ).split(" ")
)

/** Bots set one reaction to a message. */
export const setMessageReaction = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const id = Args.integer(call.args, "message_id") ?? 0
    const row = world.message(chat.bot, chat.id, id)
    if (row === undefined) return yield* badRequest("message to react not found")
    const wanted = (yield* Args.structure(call.args, "reaction", Schema.Array(ReactionType))) ?? []
    if (wanted.length > 1) return yield* badRequest("REACTIONS_TOO_MANY")
    const emoji = wanted.map((each) => (each.type === "emoji" ? each.emoji : each.custom_emoji_id))
    if (wanted.some((each) => each.type === "emoji" && !allowedEmoji.has(each.emoji))) {
      return yield* badRequest("REACTION_INVALID")
    }
    const { [String(call.bot.id)]: _, ...others } = row.reactions
    const reactions = emoji.length === 0 ? others : { ...others, [String(call.bot.id)]: emoji }
    world.updateReactions(chat.bot, chat.id, id, reactions)
    Announce.reacted(world, chat.bot, chat.id, id, reactions)
    return true as const
  })

/** A pressed button waits this long for its answer; the same bound as for its update. */
const callbackMillis = 150_000

interface CallbackRow {
  readonly bot: number
  readonly chat: number
  readonly message: number
  readonly user: number
  readonly at: number
  readonly answer: string | null
}

export const answerCallbackQuery = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const id = Args.text(call.args, "callback_query_id") ?? ""
    const row = world.storage.get<CallbackRow>("SELECT * FROM callbacks WHERE id = ?", id)
    const gone =
      row === undefined ||
      row.bot !== call.bot.id ||
      row.answer !== null ||
      world.now() - row.at > callbackMillis
    if (gone) {
      return yield* badRequest("query is too old and response timeout expired or query ID is invalid")
    }
    const text = Args.text(call.args, "text")
    const url = Args.text(call.args, "url")
    if ((text?.length ?? 0) > 200) return yield* badRequest("MESSAGE_TOO_LONG")
    const answer = {
      callbackId: id,
      alert: Args.flag(call.args, "show_alert"),
      ...(text === undefined || text === "" ? {} : { text }),
      ...(url === undefined ? {} : { url })
    }
    world.storage.run("UPDATE callbacks SET answer = ? WHERE id = ?", JSON.stringify(answer), id)
    world.publish({
      _tag: "CallbackAnswered",
      bot: row.bot,
      chat: row.chat,
      messageId: row.message,
      user: row.user,
      answer
    })
    return true as const
  })
