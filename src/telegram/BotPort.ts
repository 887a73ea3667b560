/**
 * Everything the bot says, and every file it fetches, goes through this port. Callers never see grammY and
 * never catch a 429: pacing, timeouts, retries and the circuit breaker are behind it.
 */
import { Clock, Context, Effect, Layer, Queue, Stream } from "effect"
import type { Address } from "../domain/Address.ts"
import type { FormattedText } from "../domain/FormattedText.ts"
import { type AppId, BotId, MessageId, type TenantId } from "../domain/Ids.ts"
import type { MediaFile } from "../domain/IncomingMessage.ts"
import { type BotPortError, Unavailable } from "./BotError.ts"
import type { OutgoingContent } from "./OutgoingContent.ts"

export * from "./BotError.ts"
export * from "./OutgoingContent.ts"

/** `date` in Unix seconds. */
export interface SentMessage {
  readonly messageId: MessageId
  readonly date: number
  /** The other messages of an album, or of a content that took several, in order. */
  readonly others?: ReadonlyArray<MessageId>
}

/** One bot of one tenant. */
export interface BotKey {
  readonly tenant: TenantId
  readonly app: AppId
}

export interface BotIdentity {
  readonly id: BotId
  readonly name: string
  readonly username: string
}

export interface BotCommand {
  readonly command: string
  readonly description: string
}

/** What every call may be told. */
export interface CallLimits {
  /**
   * Unix milliseconds: waits and attempts end by then, and none begins with less than a tenth of the time left.
   * Without it a call takes as long as its pace, its retries and the timeout of each attempt do.
   */
  readonly deadline?: number
}

export class BotPort extends Context.Service<
  BotPort,
  {
    readonly send: (
      address: Address,
      content: OutgoingContent,
      options?: CallLimits & { readonly replyTo?: MessageId; readonly silent?: boolean }
    ) => Effect.Effect<SentMessage, BotPortError>
    /**
     * Makes the message say `content`: "not modified" is success. A text becomes the caption of a message with
     * a file; a photo or document takes the place of a text or file. What cannot become `content` (an album, a
     * location, a text too long for a caption) is removed, and the call fails with `TargetGone`: send it anew.
     * Of a content that takes several messages this one becomes the first, the others follow.
     */
    readonly edit: (
      address: Address,
      message: MessageId,
      content: OutgoingContent,
      options?: CallLimits & {
        /** The next one says more: it waits for nothing, takes nobody's place and is tried once. */
        readonly urgency?: "progress"
      }
    ) => Effect.Effect<void, BotPortError>
    readonly remove: (
      address: Address,
      message: MessageId,
      options?: CallLimits
    ) => Effect.Effect<void, BotPortError>
    /** `null` takes the reaction back. */
    readonly react: (
      address: Address,
      message: MessageId,
      emoji: string | null,
      options?: CallLimits
    ) => Effect.Effect<void, BotPortError>
    /** Shown for 5 s. Costs nothing and waits for nothing; failures are the caller's to ignore. */
    readonly typing: (address: Address, options?: CallLimits) => Effect.Effect<void, BotPortError>
    /**
     * A preview of what is being written, in a private chat: gone after 30 s or with the bot's next message. The
     * next one with the same `draftId` (not 0) takes its place; an empty text says that the bot is thinking.
     * Tried once, since the next one says more. `stop`: with a button that ends it, of which Telegram tells in a
     * `stopped_message_generation` update.
     */
    readonly draft: (
      address: Address,
      draftId: number,
      text: FormattedText,
      options?: CallLimits & { readonly stop?: "offered" }
    ) => Effect.Effect<void, BotPortError>
    readonly answerButton: (
      bot: BotKey,
      callbackId: string,
      text?: string,
      options?: CallLimits
    ) => Effect.Effect<void, BotPortError>
    /**
     * Checks the size (20 MB) first, goes on where a connection broke, asks again for an address that expired,
     * and ends well only with every byte of the file.
     */
    readonly download: (bot: BotKey, file: MediaFile) => Stream.Stream<Uint8Array, BotPortError>
    /** The menu of commands, for clients in `language` (ISO 639-1) or for all others. */
    readonly setCommands: (
      bot: BotKey,
      commands: ReadonlyArray<BotCommand>,
      language?: string
    ) => Effect.Effect<void, BotPortError>
    readonly identity: (bot: BotKey, options?: CallLimits) => Effect.Effect<BotIdentity, BotPortError>
  }
>()("zapiska/telegram/BotPort") {
  /**
   * Sends nothing, remembers every call and runs `behaviour` before it is answered: one that fails makes a bot that
   * fails, one that sleeps a slow one. For the tests of programs that talk through this port.
   */
  static readonly layerRecordingWith = (
    behaviour: Effect.Effect<void, BotPortError>
  ): Layer.Layer<BotPort | BotRecorder> => Layer.effectContext(Effect.suspend(() => recording(behaviour)))

  /** Sends nothing, remembers every call and does well. */
  static readonly layerRecording = BotPort.layerRecordingWith(Effect.void)
}

/**
 * What is being done about one durable message. A dispatcher provides it to its calls: the place in the pace is
 * already taken, the call is tried once (its row is what is repeated), and `inFlight` says at any instant whether
 * Telegram may be acting on it.
 */
export interface Dispatched {
  inFlight: boolean
  /** Set when the content took several messages of which the first is sent: the others, durable before they leave. */
  rest?: OutgoingContent
}
export const Dispatched = Context.Reference<Dispatched | undefined>("zapiska/telegram/Dispatched", {
  defaultValue: () => undefined
})

/** A call as `BotPort.layerRecording` saw it. */
export type RecordedCall =
  | {
      readonly method: "send"
      readonly address: Address
      readonly content: OutgoingContent
      readonly options: CallLimits & { readonly replyTo?: MessageId; readonly silent?: boolean }
      /** The id it was answered with. */
      readonly messageId: MessageId
    }
  | {
      readonly method: "edit"
      readonly address: Address
      readonly message: MessageId
      readonly content: OutgoingContent
      readonly deadline?: number
      readonly urgency?: "progress"
    }
  | { readonly method: "remove"; readonly address: Address; readonly message: MessageId }
  | {
      readonly method: "react"
      readonly address: Address
      readonly message: MessageId
      readonly emoji: string | null
    }
  | { readonly method: "typing"; readonly address: Address }
  | {
      readonly method: "draft"
      readonly address: Address
      readonly draftId: number
      readonly text: FormattedText
    }
  | {
      readonly method: "answerButton"
      readonly bot: BotKey
      readonly callbackId: string
      readonly text?: string
    }
  | { readonly method: "download"; readonly bot: BotKey; readonly file: MediaFile }
  | {
      readonly method: "setCommands"
      readonly bot: BotKey
      readonly commands: ReadonlyArray<BotCommand>
      readonly language?: string
    }
  | { readonly method: "identity"; readonly bot: BotKey }

/** What the recording bot saw, and how it is told to misbehave. */
export class BotRecorder extends Context.Service<
  BotRecorder,
  {
    /** Every call so far, in order, those that failed included. */
    readonly calls: Effect.Effect<ReadonlyArray<RecordedCall>>
    /** The next call that nobody took yet; waits for it. */
    readonly next: Effect.Effect<RecordedCall>
    /**
     * Runs before each following call of `method` is answered: fail to make the bot fail, sleep to make it
     * slow, `Effect.void` to make it well again.
     */
    readonly before: (
      method: RecordedCall["method"],
      behaviour: Effect.Effect<void, BotPortError>
    ) => Effect.Effect<void>
    /** The bytes `download` gives for a file id; without them it gives none. */
    readonly provideFile: (fileId: string, bytes: Uint8Array) => Effect.Effect<void>
  }
>()("zapiska/telegram/BotRecorder") {}

const recording = Effect.fnUntraced(function* (behaviour: Effect.Effect<void, BotPortError>) {
  const calls: Array<RecordedCall> = []
  const taken = yield* Queue.unbounded<RecordedCall>()
  const behaviours = new Map<RecordedCall["method"], Effect.Effect<void, BotPortError>>()
  const files = new Map<string, Uint8Array>()
  let lastMessageId = 0

  const record = (call: RecordedCall, { deadline }: CallLimits = {}): Effect.Effect<void, BotPortError> =>
    Effect.gen(function* () {
      calls.push(call)
      yield* Queue.offer(taken, call)
      const answer = behaviours.get(call.method) ?? behaviour
      if (deadline === undefined) return yield* answer
      const late = new Unavailable({ method: call.method, reason: "there was no time left" })
      const time = Math.max(deadline - (yield* Clock.currentTimeMillis), 0)
      yield* Effect.timeoutOrElse(answer, { duration: time, orElse: () => late })
    })

  const port = BotPort.of({
    send: (address, content, options = {}) =>
      Effect.gen(function* () {
        const ids = (content._tag === "Album" ? content.items : [content]).map(() =>
          MessageId.make(++lastMessageId)
        )
        const [messageId = MessageId.make(++lastMessageId), ...others] = ids
        yield* record({ method: "send", address, content, options, messageId }, options)
        const date = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
        return { messageId, date, ...(others.length === 0 ? {} : { others }) }
      }),
    edit: (address, message, content, options = {}) =>
      record({ method: "edit", address, message, content, ...options }, options),
    remove: (address, message, options) => record({ method: "remove", address, message }, options),
    react: (address, message, emoji, options) =>
      record({ method: "react", address, message, emoji }, options),
    typing: (address, options) => record({ method: "typing", address }, options),
    draft: (address, draftId, text, options) => record({ method: "draft", address, draftId, text }, options),
    answerButton: (bot, callbackId, text, options) =>
      record({ method: "answerButton", bot, callbackId, ...(text === undefined ? {} : { text }) }, options),
    download: (bot, file) =>
      Stream.unwrap(
        Effect.map(record({ method: "download", bot, file }), () => {
          const bytes = files.get(file.fileId)
          return bytes === undefined ? Stream.empty : Stream.make(bytes)
        })
      ),
    setCommands: (bot, commands, language) =>
      record({ method: "setCommands", bot, commands, ...(language === undefined ? {} : { language }) }),
    identity: (bot, options) =>
      Effect.as(record({ method: "identity", bot }, options), {
        id: BotId.make(1),
        name: "Recorder",
        username: "recorder_bot"
      })
  })

  const recorder = BotRecorder.of({
    calls: Effect.sync(() => [...calls]),
    next: Queue.take(taken),
    before: (method, behaviour) => Effect.sync(() => void behaviours.set(method, behaviour)),
    provideFile: (fileId, bytes) => Effect.sync(() => void files.set(fileId, bytes))
  })
  return Context.make(BotPort, port).pipe(Context.add(BotRecorder, recorder))
})
