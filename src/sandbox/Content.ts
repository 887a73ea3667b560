/**
 * The parts most sending methods share, read from a call's arguments and checked as Telegram checks them:
 * where it goes, what it answers, its formatted text, its buttons.
 */
import { Result, Schema } from "effect"
import type { MessageEntity } from "grammy/types"
import * as Args from "./Args.ts"
import { check, EntityInput, type Formatted, mark, toApi, trim } from "./Entities.ts"
import { parseHtml } from "./ParseHtml.ts"
import { parseMarkdown } from "./ParseMarkdown.ts"
import { type Answer, badRequest, forbidden } from "./Refusal.ts"
import { type ApiMessage, apiChat, type BotRow, type ChatRow, type World } from "./World.ts"

export interface Call {
  readonly bot: BotRow
  readonly args: Args.Args
}

/** Bot API: 4,096 and 1,024 characters after entity parsing; counted in UTF-16 units, the stricter reading. */
export const textLimit = 4096
export const captionLimit = 1024

const parsed = (source: string, mode: string): Answer<Formatted> => {
  if (mode === "html") return parseHtml(source)
  if (mode === "markdownv2") return parseMarkdown(source)
  return badRequest(mode === "markdown" ? "use MarkdownV2 in the sandbox" : "unsupported parse_mode")
}

/** Text or caption with its entities, trimmed and marked; "" when there is none. */
export const formatted = (args: Args.Args, field: "text" | "caption", limit: number): Answer<Formatted> =>
  Result.gen(function* () {
    const source = Args.text(args, field) ?? ""
    const mode = Args.text(args, "parse_mode")?.toLowerCase() ?? ""
    const entitiesField = field === "text" ? "entities" : "caption_entities"
    const entities = yield* Args.structure(args, entitiesField, Schema.Array(EntityInput))
    const raw = mode === "" ? { text: source, entities: entities ?? [] } : yield* parsed(source, mode)
    yield* check(raw)
    const clean = trim(raw)
    if (clean.text.length > limit) {
      return yield* badRequest(field === "text" ? "message is too long" : "message caption is too long")
    }
    return mark(clean)
  })

/** As `formatted`, and there must be some. */
export const textOf = (args: Args.Args): Answer<Formatted> =>
  Result.flatMap(formatted(args, "text", textLimit), (value) =>
    value.text === "" ? badRequest("message text is empty") : Result.succeed(value)
  )

export const textFields = (value: Formatted): { text: string; entities?: Array<MessageEntity> } => ({
  text: value.text,
  ...(value.entities.length > 0 ? { entities: toApi(value.entities) } : {})
})
export const captionFields = (
  value: Formatted
): { caption?: string; caption_entities?: Array<MessageEntity> } =>
  value.text === ""
    ? {}
    : {
        caption: value.text,
        ...(value.entities.length > 0 ? { caption_entities: toApi(value.entities) } : {})
      }

/** Where a bot may write now. */
export const writableChat = (world: World, { bot, args }: Call): Answer<ChatRow> => {
  const id = Args.integer(args, "chat_id")
  if (id === undefined) {
    return badRequest(Args.text(args, "chat_id") === undefined ? "chat_id is empty" : "chat not found")
  }
  const chat = world.chat(bot.id, id)
  if (chat === undefined) {
    return world.user(id) === undefined
      ? badRequest("chat not found")
      : forbidden("bot can't initiate conversation with a user")
  }
  if (chat.blocked) {
    return chat.kind === "private"
      ? forbidden("bot was blocked by the user")
      : forbidden("bot was kicked from the supergroup chat")
  }
  return Result.succeed(chat)
}

/** A chat to read from; blocked or not. */
export const knownChat = (world: World, { bot, args }: Call, field = "chat_id"): Answer<ChatRow> => {
  const id = Args.integer(args, field)
  const chat = id === undefined ? undefined : world.chat(bot.id, id)
  return chat === undefined ? badRequest("chat not found") : Result.succeed(chat)
}

/** `message_thread_id`: an existing topic. General is the absence of one, and 1 is refused. */
export const threadOf = (chat: ChatRow, args: Args.Args): Answer<number | undefined> => {
  const thread = Args.integer(args, "message_thread_id")
  if (thread === undefined) return Result.succeed(undefined)
  return chat.topics.some(({ id }) => id === thread)
    ? Result.succeed(thread)
    : badRequest("message thread not found")
}

const Button = Schema.StructWithRest(
  Schema.Struct({
    text: Schema.String,
    callback_data: Schema.optionalKey(Schema.String),
    url: Schema.optionalKey(Schema.String)
  }),
  [Schema.Record(Schema.String, Schema.Json)]
)
const Markup = Schema.Union([
  Schema.Struct({ inline_keyboard: Schema.Array(Schema.Array(Button)) }),
  Schema.Struct({ keyboard: Schema.Array(Schema.Array(Schema.Json)) }),
  Schema.Struct({ remove_keyboard: Schema.Literal(true) }),
  Schema.Struct({ force_reply: Schema.Literal(true) })
])

/** The inline keyboard to keep with the message; other keyboards are checked and shown to nobody. */
export const markupOf = (args: Args.Args): Answer<Pick<ApiMessage, "reply_markup">> =>
  Result.gen(function* () {
    const markup = yield* Args.structure(args, "reply_markup", Markup)
    if (markup === undefined || !("inline_keyboard" in markup)) return {}
    for (const button of markup.inline_keyboard.flat()) {
      if (button.text.trim() === "")
        return yield* badRequest("can't parse inline keyboard button: text is empty")
      if (Object.keys(button).length < 2) {
        return yield* badRequest(
          "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
      }
      const size = button.callback_data === undefined ? 1 : Buffer.byteLength(button.callback_data)
      if (size === 0 || size > 64) return yield* badRequest("BUTTON_DATA_INVALID")
    }
    const rows = markup.inline_keyboard.filter((row) => row.length > 0)
    return rows.length === 0 ? {} : { reply_markup: { inline_keyboard: rows } as never }
  })

const ReplyParameters = Schema.Struct({
  message_id: Schema.Int,
  chat_id: Schema.optionalKey(Schema.Union([Schema.Int, Schema.String])),
  allow_sending_without_reply: Schema.optionalKey(Schema.Boolean)
})

/** The message as it is shown inside of another one: without what it answers itself. */
export const asQuoted = ({ reply_to_message: _, ...message }: ApiMessage): ApiMessage => message

export const replyOf = (
  world: World,
  chat: ChatRow,
  args: Args.Args
): Answer<Pick<ApiMessage, "reply_to_message">> =>
  Result.gen(function* () {
    const reply = yield* Args.structure(args, "reply_parameters", ReplyParameters)
    if (reply === undefined) return {}
    const found = world.message(chat.bot, chat.id, reply.message_id)
    if (found !== undefined) return { reply_to_message: asQuoted(found.message) as never }
    return reply.allow_sending_without_reply === true
      ? {}
      : yield* badRequest("message to be replied not found")
  })

/** What a sending method adds to the envelope; the envelope comes from the call. */
export type Body = Omit<Partial<ApiMessage>, "message_id" | "chat" | "from" | "date">

/** A message a person or the bot puts into a chat: stored, numbered, dated. */
export const post = (
  world: World,
  chat: ChatRow,
  from: ApiMessage["from"],
  thread: number | undefined,
  body: Body
): ApiMessage => {
  const message = {
    message_id: world.nextMessageId(chat),
    ...(thread === undefined ? {} : { message_thread_id: thread, is_topic_message: true as const }),
    from,
    chat: apiChat(world, chat),
    date: world.seconds(),
    ...body
  } as ApiMessage
  world.insertMessage(chat, message)
  return message
}
