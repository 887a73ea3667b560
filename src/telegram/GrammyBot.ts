/** `BotPort` over grammY: each of its calls in the words of the Bot API. */
import { Effect, Layer, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import type { Opts } from "grammy/types"
import type { Address } from "../domain/Address.ts"
import { BotId, MessageId } from "../domain/Ids.ts"
import type { MediaFile } from "../domain/IncomingMessage.ts"
import { type CallsOptions, makeCalls } from "./BotCalls.ts"
import {
  captioningOf,
  type EditMethod,
  editingOf,
  entitiesOf,
  type Prepared,
  type SendMethod,
  sendingOf,
  threadOf
} from "./BotPayload.ts"
import {
  Ambiguous,
  type BotKey,
  BotPort,
  type BotPortError,
  type OutgoingContent,
  Refused,
  TargetGone,
  type TextContent,
  TooLarge,
  Unauthorized
} from "./BotPort.ts"
import { contentLimits } from "./ContentLimits.ts"
import { checkSize, download } from "./Download.ts"
import type { GrammyApi, PayloadOf } from "./GrammyApi.ts"
import { normalise } from "./Outcome.ts"
import type { OutgoingFiles } from "./OutgoingFiles.ts"
import { isGroup, type Pacer } from "./Pacer.ts"
import { makePacking } from "./Packing.ts"

/** What Telegram says when a message holds something else, and servers that cannot turn a text into a file. */
const isOfAnotherKind = (error: BotPortError): boolean =>
  error._tag === "Refused" &&
  /^(there is no (text|caption|media) in the message|method not found)/.test(normalise(error.reason))

interface EditOptions {
  readonly urgency?: "progress"
}

type Emoji = NonNullable<Opts<"setMessageReaction">["reaction"]>

const make = (options: CallsOptions) =>
  Effect.gen(function* () {
    const { api, call, ensure } = yield* makeCalls(options)
    const pack = yield* makePacking

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

    const remove = (address: Address, message: MessageId) =>
      ensure({
        bot: address,
        chat: address.chat,
        method: "deleteMessage",
        payload: { chat_id: address.chat, message_id: message },
        idempotent: true,
        pace: "park"
      })

    const change = Effect.fnUntraced(function* (
      address: Address,
      message: MessageId,
      content: OutgoingContent,
      { method, payload }: Prepared<EditMethod>,
      options: EditOptions
    ) {
      const files = yield* pack(address.tenant, method, content)
      yield* ensure<EditMethod>({
        bot: address,
        chat: address.chat,
        method,
        payload: {
          chat_id: address.chat,
          message_id: message,
          ...payload
        } as unknown as PayloadOf<EditMethod>,
        idempotent: true,
        pace: "place",
        files,
        ...options
      })
    })

    /** Takes the message away and says so: whoever holds the content sends it anew. Repeating it changes nothing. */
    const replaced = (address: Address, message: MessageId, content: OutgoingContent) =>
      remove(address, message).pipe(
        Effect.catchTag("TargetGone", () => Effect.void),
        Effect.andThen(
          Effect.fail(
            new TargetGone({
              method: "editMessage",
              reason: `it could not become a ${content._tag.toLowerCase()} and was removed`
            })
          )
        )
      )

    /** A message with a file says a text in its caption. */
    const captioned = (address: Address, message: MessageId, content: TextContent, options: EditOptions) =>
      content.text.text.length > contentLimits.caption
        ? replaced(address, message, content)
        : change(address, message, content, captioningOf(content), options).pipe(
            Effect.catchIf(isOfAnotherKind, () => replaced(address, message, content))
          )

    return BotPort.of({
      send: Effect.fn("BotPort.send")(function* (address, content, options) {
        const { method, payload } = sendingOf(content)
        const files = yield* pack(address.tenant, method, content)
        const sent = yield* call<SendMethod>({
          bot: address,
          chat: address.chat,
          method,
          payload: {
            chat_id: address.chat,
            ...threadOf(address.thread),
            ...payload,
            ...(options?.silent === true ? { disable_notification: true } : {}),
            ...(options?.replyTo === undefined
              ? {}
              : { reply_parameters: { message_id: options.replyTo, allow_sending_without_reply: true } })
          } as unknown as PayloadOf<SendMethod>,
          idempotent: false,
          pace: "place",
          files
        })
        const [first, ...others] = Array.isArray(sent) ? sent : [sent]
        if (first === undefined)
          return yield* new Ambiguous({ method, reason: "the answer names no message" })
        return {
          messageId: MessageId.make(first.message_id),
          date: first.date,
          ...(others.length === 0 ? {} : { others: others.map((one) => MessageId.make(one.message_id)) })
        }
      }),

      edit: Effect.fn("BotPort.edit")(function* (address, message, content, options = {}) {
        const editing = editingOf(content)
        if (editing === undefined) {
          yield* pack(address.tenant, "editMessage", content)
          return yield* replaced(address, message, content)
        }
        const changed = change(address, message, content, editing, options)
        yield* Effect.catchIf(changed, isOfAnotherKind, () =>
          content._tag === "Text"
            ? captioned(address, message, content, options)
            : replaced(address, message, content)
        )
      }),

      remove: Effect.fn("BotPort.remove")(remove),

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
          urgency: "progress"
        })
      }),

      download: (bot, file) =>
        Stream.unwrap(
          Effect.as(
            checkSize(file.size),
            download({
              locate: located(bot, file),
              read: (path, from) => api.file(bot, path, { from })
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
  ): Layer.Layer<BotPort, never, GrammyApi | OutgoingFiles | Pacer> =>
    Layer.effect(BotPort, make(options)).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))
}
