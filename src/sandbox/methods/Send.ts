/**
 * Methods that put a new message without a file into a chat, and those that show something for a moment.
 */
import { randomInt } from "node:crypto"
import { Result, Schema } from "effect"
import type { Poll } from "grammy/types"
import * as Announce from "../Announce.ts"
import * as Args from "../Args.ts"
import {
  type Body,
  type Call,
  formatted,
  markupOf,
  post,
  replyOf,
  textFields,
  textLimit,
  textOf,
  threadOf,
  writableChat
} from "../Content.ts"
import { toView } from "../Entities.ts"
import { type Answer, badRequest } from "../Refusal.ts"
import { type RichBlock, richOf } from "../RichMessage.ts"
import { type ApiMessage, apiBot, type World } from "../World.ts"

/** The common way of a message: where, what it answers, its buttons, then `body`. */
export const deliver = (world: World, call: Call, body: () => Answer<Body>): Answer<ApiMessage> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const thread = yield* threadOf(chat, call.args)
    const markup = yield* markupOf(call.args)
    const reply = yield* replyOf(world, chat, call.args)
    const message = post(world, chat, apiBot(call.bot), thread, { ...reply, ...(yield* body()), ...markup })
    Announce.sent(world, call.bot.id, message)
    return message
  })

export const sendMessage = (world: World, call: Call) =>
  deliver(world, call, () => Result.map(textOf(call.args), textFields))

export const richFields = (blocks: ReadonlyArray<RichBlock>): Body =>
  ({ rich_message: { blocks } }) as unknown as Body

export const sendRichMessage = (world: World, call: Call) =>
  deliver(world, call, () =>
    Result.flatMap(richOf(call.args), (blocks) =>
      blocks === undefined ? badRequest("rich_message is empty") : Result.succeed(richFields(blocks))
    )
  )

const coordinates = (args: Args.Args): Answer<{ latitude: number; longitude: number }> => {
  const latitude = Args.float(args, "latitude")
  const longitude = Args.float(args, "longitude")
  if (latitude === undefined || Math.abs(latitude) > 90) return badRequest("latitude is empty")
  if (longitude === undefined || Math.abs(longitude) > 180) return badRequest("longitude is empty")
  return Result.succeed({ latitude, longitude })
}

const filled = (args: Args.Args, name: string): Answer<string> => {
  const value = Args.text(args, name)
  return value === undefined || value === "" ? badRequest(`${name} must be non-empty`) : Result.succeed(value)
}

export const sendLocation = (world: World, call: Call) =>
  deliver(world, call, () => Result.map(coordinates(call.args), (location) => ({ location })))

export const sendVenue = (world: World, call: Call) =>
  deliver(world, call, () =>
    Result.gen(function* () {
      const location = yield* coordinates(call.args)
      const title = yield* filled(call.args, "title")
      const address = yield* filled(call.args, "address")
      return { location, venue: { location, title, address } }
    })
  )

export const sendContact = (world: World, call: Call) =>
  deliver(world, call, () =>
    Result.gen(function* () {
      const last = Args.text(call.args, "last_name")
      return {
        contact: {
          phone_number: yield* filled(call.args, "phone_number"),
          first_name: yield* filled(call.args, "first_name"),
          ...(last === undefined ? {} : { last_name: last })
        }
      }
    })
  )

/** Telegram's dice and how many faces each has. */
export const diceFaces: Readonly<Record<string, number>> = {
  "🎲": 6,
  "🎯": 6,
  "🎳": 6,
  "🏀": 5,
  "⚽": 5,
  "🎰": 64
}

export const sendDice = (world: World, call: Call) =>
  deliver(world, call, () => {
    const emoji = Args.text(call.args, "emoji") ?? "🎲"
    const faces = diceFaces[emoji]
    return faces === undefined
      ? badRequest("dice emoji is invalid")
      : Result.succeed({ dice: { emoji, value: randomInt(1, faces + 1) } })
  })

export const newPoll = (
  world: World,
  question: string,
  options: ReadonlyArray<string>,
  kind: { readonly anonymous: boolean; readonly multiple: boolean }
): Poll =>
  ({
    id: String(world.next("polls", 5_000_000_001)),
    question,
    options: options.map((text, index) => ({ persistent_id: String(index), text, voter_count: 0 })),
    total_voter_count: 0,
    is_closed: false,
    is_anonymous: kind.anonymous,
    type: "regular",
    allows_multiple_answers: kind.multiple
  }) as unknown as Poll

const PollOptions = Schema.Array(Schema.Union([Schema.String, Schema.Struct({ text: Schema.String })]))

export const sendPoll = (world: World, call: Call) =>
  deliver(world, call, () =>
    Result.gen(function* () {
      const question = yield* filled(call.args, "question")
      const options = yield* Args.required(call.args, "options", PollOptions)
      const texts = options.map((option) => (typeof option === "string" ? option : option.text))
      if (texts.length < 1 || texts.length > 12) return yield* badRequest("poll must have 1 to 12 options")
      if (question.length > 300 || texts.some((text) => text === "" || text.length > 100)) {
        return yield* badRequest("poll question or option has a wrong length")
      }
      const anonymous = call.args.values.is_anonymous === undefined || Args.flag(call.args, "is_anonymous")
      const multiple = Args.flag(call.args, "allows_multiple_answers")
      return { poll: newPoll(world, question, texts, { anonymous, multiple }) }
    })
  )

/** Bot API: shown for 5 seconds, or until the bot's next message. */
const actionMillis = 5_000
const chatActions = new Set([
  "typing",
  "upload_photo",
  "record_video",
  "upload_video",
  "record_voice",
  "upload_voice",
  "upload_document",
  "choose_sticker",
  "find_location",
  "record_video_note",
  "upload_video_note"
])

export const sendChatAction = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    const thread = yield* threadOf(chat, call.args)
    const action = Args.text(call.args, "action") ?? ""
    if (!chatActions.has(action)) return yield* badRequest("wrong parameter action in request")
    world.publish({
      _tag: "Typing",
      bot: call.bot.id,
      chat: chat.id,
      ...(thread === undefined ? {} : { thread }),
      action,
      until: world.now() + actionMillis
    })
    return true as const
  })

/** Bot API 9.3: a preview in a private chat, gone after 30 seconds, never a message. */
const draftMillis = 30_000

export const sendMessageDraft = (world: World, call: Call): Answer<true> =>
  Result.gen(function* () {
    const chat = yield* writableChat(world, call)
    if (chat.kind !== "private") return yield* badRequest("drafts can be sent to private chats only")
    const thread = yield* threadOf(chat, call.args)
    const draftId = Args.integer(call.args, "draft_id") ?? 0
    if (draftId === 0) return yield* badRequest("draft_id must be non-zero")
    const { text, entities } = yield* formatted(call.args, "text", textLimit)
    world.publish({
      _tag: "Draft",
      bot: call.bot.id,
      chat: chat.id,
      ...(thread === undefined ? {} : { thread }),
      draftId,
      text,
      entities: toView(entities),
      ...(Args.flag(call.args, "can_stop") ? { stop: true } : {}),
      until: world.now() + draftMillis
    })
    return true as const
  })
