/** `BotPort` over grammY: each of its calls in the words of the Bot API. */
import { Effect, Layer, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import type { Opts } from "grammy/types"
import { BotId } from "../domain/Ids.ts"
import type { MediaFile } from "../domain/IncomingMessage.ts"
import { type CallsOptions, limitsOf, makeCalls } from "./BotCalls.ts"
import { entitiesOf, threadOf } from "./BotPayload.ts"
import { type BotKey, BotPort, Refused, TooLarge, Unauthorized } from "./BotPort.ts"
import { contentLimits } from "./ContentLimits.ts"
import { makeDelivery } from "./Delivery.ts"
import { checkSize, download } from "./Download.ts"
import type { GrammyApi } from "./GrammyApi.ts"
import type { OutgoingFiles } from "./OutgoingFiles.ts"
import { isGroup, type Pacer } from "./Pacer.ts"

type Emoji = NonNullable<Opts<"setMessageReaction">["reaction"]>

const make = (options: CallsOptions) =>
  Effect.gen(function* () {
    const calls = yield* makeCalls(options)
    const { api, call, ensure, again } = calls
    const delivery = yield* makeDelivery(calls)

    const located = Effect.fnUntraced(function* (bot: BotKey, file: MediaFile) {
      const found = yield* call({
        bot,
        method: "getFile",
        payload: { file_id: file.fileId },
        idempotent: true,
        pace: "free"
      })
      if (found.file_path === undefined)
        return yield* new Refused({ method: "getFile", code: 404, reason: "no file path" })
      return { path: found.file_path, size: found.file_size ?? file.size }
    })

    return BotPort.of({
      send: Effect.fn("BotPort.send")(delivery.send),
      edit: Effect.fn("BotPort.edit")(delivery.edit),
      remove: Effect.fn("BotPort.remove")(delivery.remove),
      react: Effect.fn("BotPort.react")((address, message, emoji, options) =>
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
          pace: "park",
          ...limitsOf(options)
        })
      ),

      typing: Effect.fn("BotPort.typing")((address, options) =>
        ensure({
          bot: address,
          chat: address.chat,
          method: "sendChatAction",
          payload: { chat_id: address.chat, action: "typing", ...threadOf(address.thread) },
          idempotent: true,
          pace: "park",
          ...limitsOf(options)
        })
      ),

      answerButton: Effect.fn("BotPort.answerButton")((bot, callbackId, text, options) =>
        ensure({
          bot,
          method: "answerCallbackQuery",
          payload: { callback_query_id: callbackId, ...(text === undefined ? {} : { text }) },
          idempotent: true,
          pace: "free",
          ...limitsOf(options)
        })
      ),

      draft: Effect.fn("BotPort.draft")(function* (address, draftId, text, options) {
        const method = "sendMessageDraft"
        const size = text.text.length
        if (size > contentLimits.text)
          return yield* new TooLarge({
            what: "The draft",
            size,
            limit: contentLimits.text,
            unit: "UTF-16 units"
          })
        if (isGroup(address.chat))
          return yield* new Refused({ method, code: 400, reason: "drafts are for private chats" })
        yield* ensure({
          bot: address,
          chat: address.chat,
          method,
          payload: {
            chat_id: address.chat,
            draft_id: draftId,
            text: text.text,
            ...threadOf(address.thread),
            ...entitiesOf(text),
            ...(options?.stop === "offered" ? { can_stop: true } : {})
          },
          idempotent: true,
          pace: "park",
          urgency: "progress",
          ...limitsOf(options)
        })
      }),

      download: (bot, file) =>
        Stream.unwrap(
          Effect.as(
            checkSize(file.size),
            download({
              locate: located(bot, file),
              read: (path, from) => api.file(bot, path, { from }),
              again: again(bot)
            })
          )
        ).pipe(Stream.withSpan("BotPort.download")),

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

      identity: Effect.fn("BotPort.identity")((bot, options) =>
        call({
          bot,
          method: "getMe",
          payload: undefined,
          idempotent: true,
          pace: "free",
          ...limitsOf(options)
        }).pipe(
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
  ): Layer.Layer<BotPort, never, GrammyApi | OutgoingFiles | Pacer> =>
    Layer.effect(BotPort, make(options)).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}
