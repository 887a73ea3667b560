/**
 * How a content becomes messages: sent or edited, rich where the server takes that, as text where it does not, and
 * in a message of another kind where the one to edit has a file.
 */
import { Clock, Effect } from "effect"
import type { Address } from "../domain/Address.ts"
import { MessageId } from "../domain/Ids.ts"
import { limitsOf, type makeCalls } from "./BotCalls.ts"
import {
  captioningOf,
  type EditMethod,
  editingOf,
  type MessageContent,
  type Prepared,
  richOf,
  type SendMethod,
  sendingOf,
  textsOf,
  threadOf
} from "./BotPayload.ts"
import {
  Ambiguous,
  type BotKey,
  type BotPort,
  type BotPortError,
  type CallLimits,
  Dispatched,
  type OutgoingContent,
  type RichContent,
  type SentMessage,
  TargetGone,
  type TextContent
} from "./BotPort.ts"
import { botName } from "./Bots.ts"
import { contentLimits } from "./ContentLimits.ts"
import type { PayloadOf } from "./GrammyApi.ts"
import { normalise } from "./Outcome.ts"
import { placesOf } from "./Pacer.ts"
import { makePacking } from "./Packing.ts"

type SendOptions = NonNullable<Parameters<BotPort["Service"]["send"]>[2]>
type EditOptions = NonNullable<Parameters<BotPort["Service"]["edit"]>[3]>

const says = (error: BotPortError, pattern: RegExp): boolean =>
  error._tag === "Refused" && pattern.test(normalise(error.reason))

/** What Telegram says when a message holds something else, and servers that cannot turn a text into a file. */
const isOfAnotherKind = (error: BotPortError): boolean =>
  says(error, /^(there is no (text|caption|media) in the message|method not found)/)

/** What servers before Bot API 10.1 say: they know no such method, and of an edit see only that it has no text. */
const knowsNoRich = (error: BotPortError): boolean => says(error, /^(method not found|message text is empty)/)

/** Certainly not done, and not done for this content: whatever else stands in the way is no matter of its form. */
const isRefusal = (error: BotPortError): boolean => error._tag === "Refused" && error.code < 500

/** Milliseconds until a server that knew no rich messages is asked again: it may have been brought up to date. */
const askedAgainAfter = 3_600_000

export const makeDelivery = Effect.fnUntraced(function* ({
  call,
  ensure
}: Effect.Success<ReturnType<typeof makeCalls>>) {
  const pack = yield* makePacking
  /** By bot: until when its server is taken to know no rich messages, in Unix milliseconds. */
  const withoutRich = new Map<string, number>()

  const remove = (address: Address, message: MessageId, options?: CallLimits) =>
    ensure({
      bot: address,
      chat: address.chat,
      method: "deleteMessage",
      payload: { chat_id: address.chat, message_id: message },
      idempotent: true,
      pace: "park",
      ...limitsOf(options)
    })

  const sendAs = Effect.fnUntraced(function* (
    address: Address,
    content: OutgoingContent,
    { method, payload }: Prepared<SendMethod>,
    { replyTo, silent, ...limits }: SendOptions
  ): Effect.fn.Return<SentMessage, BotPortError> {
    const files = yield* pack(address.tenant, method, content)
    const sent = yield* call<SendMethod>({
      bot: address,
      chat: address.chat,
      method,
      payload: {
        chat_id: address.chat,
        ...threadOf(address.thread),
        ...payload,
        ...(silent === true ? { disable_notification: true } : {}),
        ...(replyTo === undefined
          ? {}
          : { reply_parameters: { message_id: replyTo, allow_sending_without_reply: true } })
      } as unknown as PayloadOf<SendMethod>,
      idempotent: false,
      pace: "place",
      cost: placesOf(content),
      files,
      ...limitsOf(limits)
    })
    const [first, ...others] = Array.isArray(sent) ? sent : [sent]
    if (first === undefined) return yield* new Ambiguous({ method, reason: "the answer names no message" })
    return {
      messageId: MessageId.make(first.message_id),
      date: first.date,
      ...(others.length === 0 ? {} : { others: others.map((one) => MessageId.make(one.message_id)) })
    }
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
  const replaced = (address: Address, message: MessageId, content: OutgoingContent, options: CallLimits) =>
    remove(address, message, options).pipe(
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
      ? replaced(address, message, content, options)
      : change(address, message, content, captioningOf(content), options).pipe(
          Effect.catchIf(isOfAnotherKind, () => replaced(address, message, content, options))
        )

  const editOne = Effect.fnUntraced(function* (
    address: Address,
    message: MessageId,
    content: MessageContent,
    options: EditOptions
  ) {
    const editing = editingOf(content)
    if (editing === undefined) {
      yield* pack(address.tenant, "editMessage", content)
      return yield* replaced(address, message, content, options)
    }
    yield* Effect.catchIf(change(address, message, content, editing, options), isOfAnotherKind, () =>
      content._tag === "Text"
        ? captioned(address, message, content, options)
        : replaced(address, message, content, options)
    )
  })

  /** `rich` where it can be done, `plain` where the server certainly did not take it: never both. */
  const inForm = <A>(
    bot: BotKey,
    content: RichContent,
    rich: (payload: object) => Effect.Effect<A, BotPortError>,
    plain: Effect.Effect<A, BotPortError>
  ): Effect.Effect<A, BotPortError> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const payload = (withoutRich.get(botName(bot)) ?? 0) > now ? undefined : richOf(content)
      if (payload === undefined) return yield* plain
      return yield* Effect.catchIf(rich(payload), isRefusal, (error) =>
        Effect.gen(function* () {
          if (knowsNoRich(error)) withoutRich.set(botName(bot), now + askedAgainAfter)
          yield* Effect.logDebug(`A rich message is not taken and said as text: ${error.message}`)
          return yield* plain
        })
      )
    })

  /** What comes after the first message: the dispatcher's to make durable first, else sent at once. */
  const following = Effect.fnUntraced(function* (
    address: Address,
    rest: ReadonlyArray<TextContent>,
    options: SendOptions
  ) {
    const dispatched = yield* Dispatched
    const [next, ...others] = rest
    if (next === undefined) return []
    if (dispatched !== undefined) {
      dispatched.rest = others.length === 0 ? next : { _tag: "Parts", parts: [next, ...others] }
      return []
    }
    const ids: Array<MessageId> = []
    for (const content of rest) {
      const { replyTo: _, ...same } = options
      ids.push((yield* sendAs(address, content, sendingOf(content), same)).messageId)
    }
    return ids
  })

  const sendParts = Effect.fnUntraced(function* (
    address: Address,
    parts: readonly [TextContent, ...ReadonlyArray<TextContent>],
    options: SendOptions
  ): Effect.fn.Return<SentMessage, BotPortError> {
    // What Telegram would not take of the last keeps the first from being sent.
    yield* pack(address.tenant, "sendMessage", { _tag: "Parts", parts })
    const [first, ...rest] = parts
    const sent = yield* sendAs(address, first, sendingOf(first), options)
    const others = yield* following(address, rest, options)
    return others.length === 0 ? sent : { ...sent, others }
  })

  const editParts = Effect.fnUntraced(function* (
    address: Address,
    message: MessageId,
    parts: readonly [TextContent, ...ReadonlyArray<TextContent>],
    options: EditOptions
  ) {
    yield* pack(address.tenant, "editMessageText", { _tag: "Parts", parts })
    const [first, ...rest] = parts
    yield* editOne(address, message, first, options)
    yield* following(address, rest, limitsOf(options))
  })

  const send: BotPort["Service"]["send"] = (address, content, options = {}) => {
    switch (content._tag) {
      case "Rich":
        return inForm(
          address,
          content,
          (payload) => sendAs(address, content, { method: "sendRichMessage", payload }, options),
          Effect.suspend(() => sendParts(address, textsOf(content), options))
        )
      case "Parts":
        return sendParts(address, content.parts, options)
      default:
        return sendAs(address, content, sendingOf(content), options)
    }
  }

  const edit: BotPort["Service"]["edit"] = (address, message, content, options = {}) => {
    switch (content._tag) {
      case "Rich":
        return inForm(
          address,
          content,
          (payload) => change(address, message, content, { method: "editMessageText", payload }, options),
          Effect.suspend(() => editParts(address, message, textsOf(content), options))
        )
      case "Parts":
        return editParts(address, message, content.parts, options)
      default:
        return editOne(address, message, content, options)
    }
  }

  return { send, edit, remove }
})
