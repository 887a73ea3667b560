/**
 * Decides what is done with a unit of work, and does it: notes, edits, commands, buttons. Whatever its kind,
 * its effects and the mark that its updates are handled are one transaction.
 */
import { Clock, Context, Effect, FiberSet, Layer, Option } from "effect"
import type { SqlError } from "effect/sql"
import { NoteCreation, type NoteOutcome } from "../assistant/NoteCreation.ts"
import type { FormattedText } from "../domain/FormattedText.ts"
import type { BotId, UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage, IncomingUpdate } from "../domain/IncomingMessage.ts"
import { KnowledgeBase } from "../knowledge/KnowledgeBase.ts"
import { type AlreadyHandled, HandledUpdates } from "../store/HandledUpdates.ts"
import { BotPort, type OutgoingContent } from "../telegram/BotPort.ts"
import { Outbox, type OutboxAction, type OutboxEntry } from "../telegram/Outbox.ts"
import { split } from "../telegram/RichText.ts"
import type { Unit } from "./Aggregator.ts"
import { doneButton, openButton, pressOf, undoButton } from "./Buttons.ts"
import { commands } from "./commands/index.ts"
import { undoRevision } from "./commands/undo.ts"
import { noteContents } from "./NoteView.ts"
import { notedBy } from "./StoredUpdate.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

export type ProcessingError = AlreadyHandled | SqlError.SqlError

/** A command of a person: its name and what follows it. */
export interface CommandCall {
  readonly name: string
  readonly argument: FormattedText
  /** The username of the bot it is addressed to, in small letters. */
  readonly bot?: string
}

export class MessageProcessor extends Context.Service<
  MessageProcessor,
  {
    /** Starts what costs nothing when it fails and returns at once: a reaction, the download of media. */
    readonly received: (user: UserContext, message: IncomingMessage) => Effect.Effect<void>
    /** A window opened: one status message, with the button that closes it at once. */
    readonly opened: (user: UserContext, first: UpdateId, quiet: number) => Effect.Effect<void>
    /** A closed window. `raw`: after repeated failures, the messages just as they came. */
    readonly unit: (
      user: UserContext,
      unit: Unit,
      options: { readonly raw: boolean }
    ) => Effect.Effect<void, ProcessingError>
    /** `false`: no note holds the message, it is to be treated as a new one. */
    readonly edited: (
      user: UserContext,
      updateId: UpdateId,
      message: IncomingMessage
    ) => Effect.Effect<boolean, ProcessingError>
    readonly command: (
      user: UserContext,
      updateId: UpdateId,
      message: IncomingMessage,
      call: CommandCall,
      pending: number
    ) => Effect.Effect<void, ProcessingError>
    /** Whether a command is for this bot: in a group others may be addressed. */
    readonly isOurs: (user: UserContext, call: CommandCall) => Effect.Effect<boolean>
    /** Marked as handled, and nothing else. */
    readonly ignored: (user: UserContext, updateId: UpdateId) => Effect.Effect<void, ProcessingError>
    readonly button: (
      user: UserContext,
      update: Extract<IncomingUpdate, { readonly _tag: "Button" }>,
      pending: number
    ) => Effect.Effect<void, ProcessingError>
    /** Everything else: marked as handled, answered kindly where somebody waits for an answer. */
    readonly other: (
      user: UserContext,
      update: Extract<IncomingUpdate, { readonly _tag: "Unknown" | "Membership" }>
    ) => Effect.Effect<void, ProcessingError>
    /** Given up after repeated failures: handled, said so, counted. */
    readonly giveUp: (user: UserContext, updateId: UpdateId) => Effect.Effect<void, ProcessingError>
  }
>()("zapiska/conversation/MessageProcessor") {
  static readonly layer: Layer.Layer<
    MessageProcessor,
    never,
    BotPort | HandledUpdates | KnowledgeBase | NoteCreation | Outbox
  > = Layer.effect(
    MessageProcessor,
    Effect.suspend(() => make)
  )
}

/** Telegram lets a bot do some thirty things a second, and answers come first: reactions wait for each other. */
const betweenReactions = 50
/** Of a flood, so many messages wait for their reaction; those beyond go without one. */
const reactionsWaiting = 200

/** Work that takes longer than this is worth a "typing". */
const noticeable = "300 millis"

/** The messages behind wait meanwhile; a command too many answered harms less than one that is lost. */
const identityPatience = "3 seconds"

const statusKey = (first: UpdateId): string => `status:${first}`

/** The contents of an answer as outbox entries, in order; text too long for one message takes several. */
const entriesOf = (
  user: UserContext,
  key: string,
  contents: ReadonlyArray<OutgoingContent>,
  first: (content: OutgoingContent) => OutboxAction = (content) => ({ _tag: "Send", content })
): ReadonlyArray<OutboxEntry> =>
  contents
    .flatMap((whole): ReadonlyArray<OutgoingContent> => {
      if (whole._tag !== "Text") return [whole]
      const { text, buttons, ...content } = whole
      const parts = split(text)
      // Buttons belong under the end of what they are about.
      return parts.map(
        (part, index): OutgoingContent =>
          index === parts.length - 1 && buttons !== undefined
            ? { ...content, text: part, buttons }
            : { ...content, text: part }
      )
    })
    .map((content, index) => ({
      address: user.address,
      botId: user.botId,
      key: index === 0 ? key : `${key}:${index + 1}`,
      delivery: "result",
      action: index === 0 ? first(content) : { _tag: "Send", content }
    }))

const make = Effect.gen(function* () {
  const bot = yield* BotPort
  const handled = yield* HandledUpdates
  const knowledge = yield* KnowledgeBase
  const notes = yield* NoteCreation
  const outbox = yield* Outbox
  const reactions = yield* FiberSet.make<void>()

  const nextReaction = new Map<BotId, number>()
  /** How long a reaction waits for its turn, in milliseconds. */
  const reactionDelay = ({ botId }: UserContext, now: number): number => {
    const at = Math.max(now, nextReaction.get(botId) ?? 0)
    nextReaction.set(botId, at + betweenReactions)
    return at - now
  }

  const usernames = new Map<BotId, string>()
  /** `undefined`: Telegram does not tell now. */
  const usernameOf = (user: UserContext) =>
    bot.identity(user).pipe(
      Effect.timeout(identityPatience),
      Effect.map(({ username }) => username.toLowerCase()),
      Effect.tap((username) => Effect.sync(() => usernames.set(user.botId, username))),
      Effect.catchCause((cause) =>
        Effect.as(
          Effect.logDebug("The bot's own name is not known; the command is taken as ours", cause),
          undefined
        )
      )
    )

  const ignoring = <E>(what: string, effect: Effect.Effect<unknown, E>): Effect.Effect<void> =>
    effect.pipe(
      Effect.asVoid,
      Effect.catchCause((cause) => Effect.logDebug(`${what} failed and is left out`, cause))
    )

  const typingWhile = <A, E, R>(user: UserContext, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.scoped(
      Effect.andThen(
        Effect.forkScoped(
          Effect.delay(ignoring("Typing", bot.typing(user.address)), noticeable).pipe(
            Effect.andThen(Effect.sleep("4 seconds")),
            Effect.forever
          )
        ),
        effect
      )
    )

  /** Answers something that is not a note: handled and answered in one transaction. */
  const answer = <E, R>(
    user: UserContext,
    updateId: UpdateId,
    kind: string,
    contents: Effect.Effect<ReadonlyArray<OutgoingContent>, E, R>,
    first?: (content: OutgoingContent) => OutboxAction
  ) =>
    handled.once(user, [updateId], `${kind}:${updateId}`, () =>
      Effect.flatMap(contents, (ready) =>
        outbox.enqueue(user.tenant, entriesOf(user, `${kind}:${updateId}`, ready, first))
      )
    )

  const announce =
    (user: UserContext, first: UpdateId, raw: boolean) =>
    (outcomes: ReadonlyArray<NoteOutcome>): ReadonlyArray<OutboxEntry> =>
      outcomes.flatMap(({ note, amended }, index) =>
        entriesOf(
          user,
          index === 0 ? `unit:${first}` : `unit:${first}:note:${index + 1}`,
          [
            {
              _tag: "Text",
              text: texts[user.language].saved(note, { amended, raw }),
              buttons: [[undoButton(user, note.revision), openButton(user, note.id)]]
            }
          ],
          // The status message of the window becomes the answer; a second note has an answer of its own.
          index === 0
            ? (content) => ({ _tag: "Resolve", status: statusKey(first), content })
            : (content) => ({ _tag: "Send", content })
        )
      )

  const noteOf = (user: UserContext, unit: Omit<Unit, "reason" | "closedAt">, raw: boolean) =>
    notes.create({
      user,
      members: unit.members,
      updates: [...unit.members.map((one) => one.updateId), ...unit.absorbed],
      raw,
      announce: announce(user, unit.first, raw)
    })

  return MessageProcessor.of({
    received: Effect.fn("MessageProcessor.received")(function* (user, message) {
      yield* notes.prefetch(user, message)
      if ((yield* FiberSet.size(reactions)) >= reactionsWaiting) return
      const react = ignoring("A reaction", bot.react(user.address, message.messageId, "👀"))
      const wait = reactionDelay(user, yield* Clock.currentTimeMillis)
      yield* FiberSet.run(reactions, Effect.delay(react, wait))
    }),

    opened: (user, first, quiet) =>
      ignoring(
        "The status message",
        outbox.enqueueAlone(user.tenant, {
          address: user.address,
          botId: user.botId,
          key: statusKey(first),
          delivery: "chatter",
          action: {
            _tag: "Send",
            content: {
              _tag: "Text",
              text: texts[user.language].collecting(Math.round(quiet / 1000)),
              buttons: [[doneButton(user)]]
            }
          }
        })
      ),

    unit: Effect.fn("MessageProcessor.unit")(function* (user, unit, { raw }) {
      yield* typingWhile(user, noteOf(user, unit, raw))
    }),

    edited: Effect.fn("MessageProcessor.edited")(function* (user, updateId, message) {
      return yield* notes.edit({ user, updateId, message })
    }),

    command: Effect.fn("MessageProcessor.command")(function* (user, updateId, message, call, pending) {
      const alone = notedBy(message, call)
      if (alone !== undefined) {
        const member = { updateId, receivedAt: message.date * 1000, message: alone }
        return yield* noteOf(user, { first: updateId, members: [member], absorbed: [] }, false)
      }
      const command = commands.find((one) => one.name === call.name)
      const contents =
        command === undefined
          ? Effect.succeed([{ _tag: "Text" as const, text: texts[user.language].unknownCommand(call.name) }])
          : command
              .run({
                user,
                name: message.sender.name,
                date: message.date * 1000,
                pending
              })
              .pipe(Effect.provideService(KnowledgeBase, knowledge))
      yield* answer(user, updateId, "command", contents)
    }),

    isOurs: Effect.fn("MessageProcessor.isOurs")(function* (user, call) {
      if (call.bot === undefined) return true
      const username = usernames.get(user.botId) ?? (yield* usernameOf(user))
      return username === undefined || username === call.bot
    }),

    ignored: Effect.fn("MessageProcessor.ignored")(function* (user, updateId) {
      yield* answer(user, updateId, "ignored", Effect.succeed([]))
    }),

    button: Effect.fn("MessageProcessor.button")(function* (user, update, pending) {
      const words = texts[user.language]
      const toast = (text?: string) =>
        ignoring("Answering a button", bot.answerButton(user, update.callbackId, text))
      const press = Option.getOrUndefined(pressOf(update.data))
      const nothing = Effect.succeed<ReadonlyArray<OutgoingContent>>([])
      if (press !== undefined && press.owner !== user.sender) {
        yield* answer(user, update.updateId, "button", nothing)
        return yield* toast(words.notYours)
      }
      switch (press?._tag) {
        case undefined:
          yield* answer(user, update.updateId, "button", nothing)
          return yield* toast()
        case "Done":
          yield* answer(user, update.updateId, "button", nothing)
          return yield* toast(pending > 0 ? words.savingNow : words.nothingOpen.text)
        case "Open": {
          const contents = knowledge.note(user.knowledgeBase, press.note).pipe(
            Effect.flatMap((note) => knowledge.read(user.knowledgeBase, note.path)),
            Effect.map(noteContents),
            Effect.catchTag(["NoteUnknown", "FileUnknown"], () =>
              Effect.succeed([{ _tag: "Text" as const, text: words.noteGone }])
            )
          )
          yield* answer(user, update.updateId, "button", contents)
          return yield* toast()
        }
        case "Undo": {
          const now = yield* Clock.currentTimeMillis
          const contents = undoRevision(user, press.revision, now, press).pipe(
            Effect.map((content) => [content]),
            Effect.provideService(KnowledgeBase, knowledge)
          )
          const message = update.message?.messageId
          yield* answer(user, update.updateId, "button", contents, (content) =>
            message === undefined ? { _tag: "Send", content } : { _tag: "Edit", message, content }
          )
          return yield* toast()
        }
      }
    }),

    other: Effect.fn("MessageProcessor.other")(function* (user, update) {
      // What happened to a chat is no message to anybody, and in a group not everything is meant for us.
      const silent =
        update._tag === "Membership" ||
        update.kind.startsWith("service:") ||
        update.chat?.kind !== "private" ||
        update.from?.kind !== "user"
      yield* answer(
        user,
        update.updateId,
        "other",
        Effect.succeed(
          silent ? [] : [{ _tag: "Text" as const, text: texts[user.language].notUnderstood(update.kind) }]
        )
      )
    }),

    giveUp: Effect.fn("MessageProcessor.giveUp")(function* (user, updateId) {
      yield* answer(
        user,
        updateId,
        "failed",
        Effect.succeed([{ _tag: "Text" as const, text: texts[user.language].failed }])
      )
    })
  })
})
