/**
 * Decides what is done with a unit of work, and does it: notes, edits, commands, buttons. Whatever its kind,
 * its effects and the mark that its updates are handled are one transaction.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { Announcement } from "../assistant/Announcing.ts"
import { NoteCreation, type NoteOutcome } from "../assistant/NoteCreation.ts"
import type { FormattedText } from "../domain/FormattedText.ts"
import type { BotId, UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage, IncomingUpdate } from "../domain/IncomingMessage.ts"
import { mayAs } from "../domain/Role.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { type AlreadyHandled, HandledUpdates } from "../store/HandledUpdates.ts"
import { BotPort, type BotPortError, type OutgoingContent } from "../telegram/BotPort.ts"
import { Outbox, type OutboxAction, type OutboxEntry } from "../telegram/Outbox.ts"
import { Streaming } from "../telegram/Streaming.ts"
import type { Unit } from "./Aggregator.ts"
import { entriesOf, type Saying, told } from "./Answers.ts"
import { doneButton, openButton, undoButton, undoGrant } from "./Buttons.ts"
import type { CommandServices } from "./commands/Command.ts"
import { commands } from "./commands/index.ts"
import { peopleTexts } from "./PeopleTexts.ts"
import { makePresses, type PressUpdate } from "./Presses.ts"
import { ignoring, makeReactions } from "./Reactions.ts"
import { makeStanding } from "./Standing.ts"
import { notedBy } from "./StoredUpdate.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"
import { joining, statusKey, updatesOf } from "./WindowStatus.ts"

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
    /** Whether what the person writes becomes notes, as things stand now. */
    readonly mayNote: (user: UserContext) => Effect.Effect<boolean, SqlError.SqlError>
    /** Handled without a note, because of who sent it: told kindly, once in a while. */
    readonly refused: (user: UserContext, updateId: UpdateId) => Effect.Effect<void, ProcessingError>
    /** Starts what costs nothing when it fails and returns at once: a reaction, the download of media. */
    readonly received: (user: UserContext, message: IncomingMessage) => Effect.Effect<void>
    /** A window opened: one status message, with the button that closes it at once. */
    readonly opened: (user: UserContext, first: UpdateId, quiet: number) => Effect.Effect<void>
    /**
     * A closed window. `raw`: after repeated failures, the messages just as they came. `again`: some of them may have
     * been in another window before.
     */
    readonly unit: (
      user: UserContext,
      unit: Unit,
      options: { readonly raw: boolean; readonly again: boolean }
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
    ) => Effect.Effect<void, ProcessingError | BotPortError>
    /** Whether a command is for this bot: in a group others may be addressed. */
    readonly isOurs: (user: UserContext, call: CommandCall) => Effect.Effect<boolean>
    /** Marked as handled, and nothing else. */
    readonly ignored: (user: UserContext, updateId: UpdateId) => Effect.Effect<void, ProcessingError>
    /** `pending`: messages in the window that was open when it came. `receivedAt` in Unix milliseconds. */
    readonly button: (
      user: UserContext,
      update: PressUpdate,
      press: { readonly pending: number; readonly receivedAt: number }
    ) => Effect.Effect<void, ProcessingError>
    /** Ends what is shown while it is made. */
    readonly stopped: (
      user: UserContext,
      update: Extract<IncomingUpdate, { readonly _tag: "DraftStopped" }>
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
    Blobs | CommandServices | HandledUpdates | NoteCreation | Outbox | Streaming
  > = Layer.effect(
    MessageProcessor,
    Effect.suspend(() => make)
  )
}

/** Work that takes longer than this is worth a "typing". */
const noticeable = "300 millis"

/** Milliseconds. The messages behind wait meanwhile; a command too many answered harms less than one that is lost. */
const identityPatience = 3_000

/** Milliseconds after which Telegram takes no answer to a press any more. */
const pressLifetime = 150_000

const make = Effect.gen(function* () {
  const bot = yield* BotPort
  const handled = yield* HandledUpdates
  const blobs = yield* Blobs
  const notes = yield* NoteCreation
  const outbox = yield* Outbox
  const streaming = yield* Streaming
  const press = yield* makePresses
  const react = yield* makeReactions
  const standing = yield* makeStanding
  const services = yield* Effect.context<CommandServices>()

  const usernames = new Map<BotId, string>()
  /** `undefined`: Telegram does not tell now. */
  const usernameOf = (user: UserContext) =>
    Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => bot.identity(user, { deadline: now + identityPatience })),
      Effect.map(({ username }) => username.toLowerCase()),
      Effect.tap((username) => Effect.sync(() => usernames.set(user.botId, username))),
      Effect.catchCause((cause) =>
        Effect.as(
          Effect.logDebug("The bot's own name is not known; the command is taken as ours", cause),
          undefined
        )
      )
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
    sayings: Effect.Effect<ReadonlyArray<Saying>, E, R>,
    first?: (content: OutgoingContent) => OutboxAction
  ) =>
    handled.once(user, [updateId], `${kind}:${updateId}`, () =>
      Effect.gen(function* () {
        const { contents, files } = told(user.language, yield* sayings)
        for (const bytes of files) yield* blobs.put(user.tenant, bytes)
        yield* outbox.enqueue(user.tenant, entriesOf(user, `${kind}:${updateId}`, contents, first))
      })
    )

  const says = (text: FormattedText): Effect.Effect<ReadonlyArray<Saying>> =>
    Effect.succeed([{ content: { _tag: "Text", text } }])

  const announce =
    (user: UserContext, first: UpdateId, raw: boolean, more: ReadonlyArray<OutboxEntry>) =>
    (outcomes: ReadonlyArray<NoteOutcome>): Announcement => ({
      grants: user.unanswered
        ? []
        : outcomes.map(({ note }) =>
            undoGrant(user, { revision: note.revision, force: false }, `unit:${first}:${note.id}`)
          ),
      entries: (tokens) => [
        ...outcomes.flatMap(({ note, amended }, index) =>
          entriesOf(
            user,
            index === 0 ? `unit:${first}` : `unit:${first}:note:${index + 1}`,
            [
              {
                _tag: "Text",
                text: texts[user.language].saved(note, { amended, raw }),
                buttons: [[undoButton(user, tokens[index]!), openButton(user, note.id)]]
              }
            ],
            // The status message of the window becomes the answer; a second note has an answer of its own.
            index === 0
              ? (content) => ({ _tag: "Resolve", status: statusKey(first), content })
              : (content) => ({ _tag: "Send", content })
          )
        ),
        ...more
      ]
    })

  const noteOf = (
    user: UserContext,
    unit: Omit<Unit, "reason" | "closedAt">,
    raw: boolean,
    more: ReadonlyArray<OutboxEntry> = []
  ) =>
    notes.create({
      user,
      members: unit.members,
      updates: updatesOf(unit),
      raw,
      announce: announce(user, unit.first, raw, more)
    })

  const refused = (user: UserContext, updateId: UpdateId) =>
    handled.once(user, [updateId], `refused:${updateId}`, () => standing.tellReader(user))

  return MessageProcessor.of({
    mayNote: standing.mayNote,
    refused: Effect.fn("MessageProcessor.refused")(refused),
    received: Effect.fn("MessageProcessor.received")(function* (user, message) {
      yield* notes.prefetch(user, message)
      if (!user.unanswered) yield* react(user, message)
    }),

    opened: (user, first, quiet) =>
      user.unanswered
        ? Effect.void
        : ignoring(
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

    unit: Effect.fn("MessageProcessor.unit")(function* (user, unit, { raw, again }) {
      if (user.unanswered) return yield* noteOf(user, unit, raw)
      const more = again ? yield* joining(outbox, user, unit) : []
      const note = noteOf(user, unit, raw, more)
      if (yield* standing.mayNote(user)) return yield* typingWhile(user, note)
      // Whoever sent it was one to write notes then, and is not now.
      const key = `unit:${unit.first}`
      yield* handled.once(user, updatesOf(unit), key, () =>
        Effect.andThen(
          standing.tellReader(user, {
            key,
            action: (content) => ({ _tag: "Resolve", status: statusKey(unit.first), content })
          }),
          outbox.enqueue(user.tenant, more)
        )
      )
    }),

    edited: Effect.fn("MessageProcessor.edited")(function* (user, updateId, message) {
      if (yield* standing.mayNote(user)) return yield* notes.edit({ user, updateId, message })
      yield* refused(user, updateId)
      return true
    }),

    command: Effect.fn("MessageProcessor.command")(function* (user, updateId, message, call, pending) {
      const role = yield* standing.roleOf(user)
      if (role === undefined) return yield* answer(user, updateId, "command", Effect.succeed([]))
      const command = commands.find((one) => one.name === call.name)
      if (command === undefined)
        return yield* answer(user, updateId, "command", says(texts[user.language].unknownCommand(call.name)))
      if (!mayAs(role, command.least))
        return yield* answer(user, updateId, "command", says(peopleTexts[user.language].takes(command.least)))
      const alone = notedBy(message, call)
      if (alone !== undefined) {
        const member = { updateId, receivedAt: message.date * 1000, message: alone }
        return yield* noteOf(user, { first: updateId, members: [member], absorbed: [] }, false)
      }
      const { name } = message.sender
      const argument = call.argument.text
      const request = { user, updateId, name, date: message.date * 1000, pending, role, argument }
      const found = command.beforehand
        ? yield* Effect.provideContext(command.beforehand(request), services)
        : []
      const sayings = command.run(request).pipe(
        Effect.map((contents) => [...found, ...contents].map((content) => ({ content }))),
        Effect.provideContext(services)
      )
      yield* answer(user, updateId, "command", sayings)
    }),

    isOurs: Effect.fn("MessageProcessor.isOurs")(function* (user, call) {
      if (call.bot === undefined) return true
      const username = usernames.get(user.botId) ?? (yield* usernameOf(user))
      return username === undefined || username === call.bot
    }),

    ignored: Effect.fn("MessageProcessor.ignored")(function* (user, updateId) {
      yield* answer(user, updateId, "ignored", Effect.succeed([]))
    }),

    button: Effect.fn("MessageProcessor.button")((user, update, { pending, receivedAt }) =>
      press(user, update, pending, {
        answer: (sayings, first) => answer(user, update.updateId, "button", sayings, first),
        toast: (text) =>
          ignoring(
            "Answering a button",
            bot.answerButton(user, update.callbackId, text, { deadline: receivedAt + pressLifetime })
          )
      })
    ),

    stopped: Effect.fn("MessageProcessor.stopped")(function* (user, { updateId, chat, draftId }) {
      yield* streaming.stopDraft(user, chat.id, draftId)
      yield* answer(user, updateId, "stopped", Effect.succeed([]))
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
        silent ? Effect.succeed([]) : says(texts[user.language].notUnderstood(update.kind))
      )
    }),

    giveUp: Effect.fn("MessageProcessor.giveUp")(function* (user, updateId) {
      yield* answer(user, updateId, "failed", says(texts[user.language].failed))
    })
  })
})
