/** `BotPort` over grammY: each of its calls in the words of the Bot API. */
import { Effect, Layer, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import type { Opts } from "grammy/types"
import { BotId, MessageId } from "../domain/Ids.ts"
import type { MediaFile } from "../domain/IncomingMessage.ts"
import { type CallsOptions, makeCalls } from "./BotCalls.ts"
import { bodyOf, threadOf } from "./BotPayload.ts"
import {
  type BotKey,
  BotPort,
  type BotPortError,
  type OutgoingContent,
  Refused,
  TooLarge,
  Unauthorized,
  Unavailable
} from "./BotPort.ts"
import type { CallFailed, GrammyApi } from "./GrammyApi.ts"
import type { Pacer } from "./Pacer.ts"

/** UTF-16 units of a message's text. Source: Bot API, sendMessage. */
const textLimit = 4_096
/** Bytes getFile gives out. Source: Bot API, getFile. */
const downloadLimit = 20 * 1024 * 1024

const checkText = (method: string, { text: { text } }: OutgoingContent) =>
  text.length > textLimit
    ? Effect.fail(new TooLarge({ what: "The text", size: text.length, limit: textLimit }))
    : text.trim() === ""
      ? Effect.fail(new Refused({ method, code: 400, reason: "the text is empty" }))
      : Effect.void

const checkSize = (size: number | undefined) =>
  size !== undefined && size > downloadLimit
    ? Effect.fail(new TooLarge({ what: "The file", size, limit: downloadLimit }))
    : Effect.void

const interrupted = (error: CallFailed): BotPortError =>
  new Unavailable({
    method: "file",
    reason: "reason" in error.outcome ? error.outcome.reason : error.outcome._tag
  })

type Emoji = NonNullable<Opts<"setMessageReaction">["reaction"]>

const make = (options: CallsOptions) =>
  Effect.gen(function* () {
    const { api, call, ensure } = yield* makeCalls(options)

    const open = Effect.fnUntraced(function* (bot: BotKey, file: MediaFile) {
      const found = yield* call({
        bot,
        method: "getFile",
        payload: { file_id: file.fileId },
        idempotent: true,
        pace: "free"
      })
      yield* checkSize(found.file_size)
      const path = found.file_path
      if (path === undefined)
        return yield* new Refused({ method: "getFile", code: 404, reason: "no file path" })
      return api.file(bot, path)
    })

    /** The address of a file ends after an hour or so: then it is asked for again, once. */
    const download = (bot: BotKey, file: MediaFile): Stream.Stream<Uint8Array, BotPortError> => {
      const bytes = Stream.unwrap(open(bot, file))
      return Stream.unwrap(Effect.as(checkSize(file.size), bytes)).pipe(
        Stream.catchIf(
          (error) => error._tag === "CallFailed" && error.outcome._tag === "FileExpired",
          () => bytes
        ),
        Stream.mapError((error) => (error._tag === "CallFailed" ? interrupted(error) : error)),
        Stream.mapAccumEffect(
          () => 0,
          (before, chunk) => {
            const size = before + chunk.length
            return Effect.as(checkSize(size), [size, [chunk]] as const)
          }
        ),
        Stream.withSpan("BotPort.download")
      )
    }

    return BotPort.of({
      send: Effect.fn("BotPort.send")(function* (address, content, options) {
        yield* checkText("sendMessage", content)
        const sent = yield* call({
          bot: address,
          chat: address.chat,
          method: "sendMessage",
          payload: {
            chat_id: address.chat,
            ...threadOf(address.thread),
            ...bodyOf(content),
            ...(options?.silent === true ? { disable_notification: true } : {}),
            ...(options?.replyTo === undefined
              ? {}
              : { reply_parameters: { message_id: options.replyTo, allow_sending_without_reply: true } })
          },
          idempotent: false,
          pace: "place"
        })
        return { messageId: MessageId.make(sent.message_id), date: sent.date }
      }),

      edit: Effect.fn("BotPort.edit")(function* (address, message, content) {
        yield* checkText("editMessageText", content)
        yield* ensure({
          bot: address,
          chat: address.chat,
          method: "editMessageText",
          payload: { chat_id: address.chat, message_id: message, ...bodyOf(content) },
          idempotent: true,
          pace: "place"
        })
      }),

      remove: Effect.fn("BotPort.remove")((address, message) =>
        ensure({
          bot: address,
          chat: address.chat,
          method: "deleteMessage",
          payload: { chat_id: address.chat, message_id: message },
          idempotent: true,
          pace: "park"
        })
      ),

      react: Effect.fn("BotPort.react")((address, message, emoji) =>
        ensure({
          bot: address,
          chat: address.chat,
          method: "setMessageReaction",
          payload: {
            chat_id: address.chat,
            message_id: message,
            reaction: (emoji === null ? [] : [{ type: "emoji", emoji }]) as Emoji
          },
          idempotent: true,
          pace: "park"
        })
      ),

      typing: Effect.fn("BotPort.typing")((address) =>
        ensure({
          bot: address,
          chat: address.chat,
          method: "sendChatAction",
          payload: { chat_id: address.chat, action: "typing", ...threadOf(address.thread) },
          idempotent: true,
          pace: "park"
        })
      ),

      answerButton: Effect.fn("BotPort.answerButton")((bot, callbackId, text) =>
        ensure({
          bot,
          method: "answerCallbackQuery",
          payload: { callback_query_id: callbackId, ...(text === undefined ? {} : { text }) },
          idempotent: true,
          pace: "free"
        })
      ),

      download,

      setCommands: Effect.fn("BotPort.setCommands")((bot, commands, language) =>
        ensure({
          bot,
          method: "setMyCommands",
          payload: {
            commands: commands.map(({ command, description }) => ({ command, description })),
            ...(language === undefined
              ? {}
              : { language_code: language as NonNullable<Opts<"setMyCommands">["language_code"]> })
          },
          idempotent: true,
          pace: "free"
        })
      ),

      identity: Effect.fn("BotPort.identity")((bot) =>
        call({ bot, method: "getMe", payload: undefined, idempotent: true, pace: "free" }).pipe(
          // A token that is not even shaped like one is answered with 404.
          Effect.catchTag("Refused", (refused) =>
            Effect.fail(refused.code === 404 ? new Unauthorized({ method: "getMe" }) : refused)
          ),
          Effect.map((me) => ({ id: BotId.make(me.id), name: me.first_name, username: me.username }))
        )
      )
    })
  })

/** An answer may take 20 s unless said otherwise; a message that waits longer counts as perhaps sent. */
export const GrammyBot = {
  layer: (
    options: CallsOptions = { timeout: "20 seconds" }
  ): Layer.Layer<BotPort, never, GrammyApi | Pacer> =>
    Layer.effect(BotPort, make(options)).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}
