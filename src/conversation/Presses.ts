/**
 * What a pressed button does. Its effects and the mark that its update is handled are one transaction; the person
 * who pressed is answered at once, and kindly where the button is not theirs or has done its work.
 */
import { Clock, Effect, Option, Ref } from "effect"
import type { SqlError } from "effect/sql"
import type { MessageId } from "../domain/Ids.ts"
import type { IncomingUpdate } from "../domain/IncomingMessage.ts"
import { mayAs, type Role } from "../domain/Role.ts"
import { KnowledgeBase } from "../knowledge/KnowledgeBase.ts"
import type { ChatFollows } from "../session/ChatFollows.ts"
import type { KnownAccounts } from "../session/KnownAccounts.ts"
import type { AlreadyHandled } from "../store/HandledUpdates.ts"
import type { OutgoingContent } from "../telegram/BotPort.ts"
import { type CallbackError, Callbacks, type Redeemed } from "../telegram/Callbacks.ts"
import type { OutboxAction } from "../telegram/Outbox.ts"
import { Permission } from "../telegram/Permission.ts"
import { Streaming } from "../telegram/Streaming.ts"
import type { Saying } from "./Answers.ts"
import { boundTo, type Press, pressOf, refusalText, takingOf } from "./Buttons.ts"
import { chatMenu, choose } from "./ChatChoice.ts"
import { undoRevision } from "./commands/undo.ts"
import { noteSaying } from "./NoteView.ts"
import { peopleTexts } from "./PeopleTexts.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

export type PressUpdate = Extract<IncomingUpdate, { readonly _tag: "Button" }>

interface Acting {
  /** Handled and answered in one transaction. */
  readonly answer: (
    sayings: Effect.Effect<ReadonlyArray<Saying>, SqlError.SqlError>,
    first?: (content: OutgoingContent) => OutboxAction
  ) => Effect.Effect<void, AlreadyHandled | SqlError.SqlError>
  /** Telegram's own sign that the press arrived. */
  readonly toast: (text?: string) => Effect.Effect<void>
}

const nothing = Effect.succeed<ReadonlyArray<Saying>>([])

/** The message the button stands under becomes the answer, where Telegram still tells which it is. */
const editing =
  (message: MessageId | undefined) =>
  (content: OutgoingContent): OutboxAction =>
    message === undefined ? { _tag: "Send", content } : { _tag: "Edit", message, content }

/** Who may press it. */
const leastFor = (press: Press | undefined): Role => {
  switch (press?._tag) {
    case "Undo":
      return "member"
    case "Chats":
    case "Follow":
      return "owner"
    default:
      return "reader"
  }
}

const isCallbackError = (error: CallbackError | SqlError.SqlError): error is CallbackError =>
  error._tag !== "SqlError"

export const makePresses = Effect.gen(function* () {
  const callbacks = yield* Callbacks
  const knowledge = yield* KnowledgeBase
  const permission = yield* Permission
  const streaming = yield* Streaming
  const services = yield* Effect.context<Callbacks | ChatFollows | KnowledgeBase | KnownAccounts>()

  const open = (user: UserContext, { note }: Extract<Press, { _tag: "Open" }>) =>
    knowledge.note(user.knowledgeBase, note).pipe(
      Effect.flatMap(({ path }) =>
        Effect.map(knowledge.read(user.knowledgeBase, path), (bytes) => [noteSaying(path, bytes)])
      ),
      Effect.catchTag(["NoteUnknown", "FileUnknown"], () =>
        Effect.succeed([{ content: { _tag: "Text" as const, text: texts[user.language].noteGone } }])
      )
    )

  /** Takes the press in the transaction of what it does; pressed in vain, it does nothing and says why. */
  const once = Effect.fnUntraced(function* (
    user: UserContext,
    press: { readonly token: string; readonly purpose: string },
    { answer, toast }: Acting,
    act: (redeemed: Redeemed) => Effect.Effect<ReadonlyArray<Saying>, SqlError.SqlError>,
    more: { readonly first?: (content: OutgoingContent) => OutboxAction } = {}
  ) {
    const refusal = yield* Ref.make<CallbackError | undefined>(undefined)
    const sayings = callbacks.redeem({ ...boundTo(user), ...press }).pipe(
      Effect.flatMap(act),
      Effect.catchIf(isCallbackError, (error) => Effect.andThen(Ref.set(refusal, error), nothing))
    )
    yield* answer(sayings, more.first)
    const refused = yield* Ref.get(refusal)
    if (refused !== undefined) yield* toast(refusalText(user, refused))
    return refused === undefined
  })

  const undo = Effect.fnUntraced(function* (
    user: UserContext,
    token: string,
    update: PressUpdate,
    acting: Acting
  ) {
    const now = yield* Clock.currentTimeMillis
    const message: MessageId | undefined = update.message?.messageId
    const taken = yield* once(
      user,
      { token, purpose: "undo" },
      acting,
      ({ payload }) =>
        Option.match(takingOf(payload), {
          onNone: () => nothing,
          onSome: ({ revision, force }) =>
            undoRevision(user, revision, now, { force, asked: String(update.updateId) }).pipe(
              Effect.map((content) => [{ content }]),
              Effect.provideContext(services)
            )
        }),
      { first: editing(message) }
    )
    if (taken) yield* acting.toast()
  })

  /** The list they pressed in is edited to how it is then. */
  const chooseChats = Effect.fnUntraced(function* (
    user: UserContext,
    press: Extract<Press, { readonly _tag: "Chats" | "Follow" }>,
    message: MessageId | undefined,
    acting: Acting
  ) {
    const said = press._tag === "Follow" ? yield* choose(user, press.kind, press) : undefined
    const menu = yield* chatMenu(user, press.from)
    yield* acting.answer(Effect.succeed([{ content: menu }]), editing(message))
    yield* acting.toast(said?.text)
  }, Effect.provideContext(services))

  /** Not after the answer that is made: it is what the press ends. */
  const stop = Effect.fnUntraced(function* (user: UserContext, token: string, acting: Acting) {
    const words = texts[user.language]
    const stopped = yield* Ref.make(false)
    const taken = yield* once(user, { token, purpose: "stop" }, acting, ({ payload }) =>
      Effect.andThen(
        Effect.flatMap(streaming.stop(user, payload), (live) => Ref.set(stopped, live)),
        nothing
      )
    )
    if (taken) yield* acting.toast((yield* Ref.get(stopped)) ? words.stopping : words.nothingToStop)
  })

  /** `pending`: messages in the window that was open when the press came. */
  return Effect.fnUntraced(function* (
    user: UserContext,
    update: PressUpdate,
    pending: number,
    acting: Acting
  ) {
    const words = texts[user.language]
    const press = Option.getOrUndefined(pressOf(update.data))
    const role = Option.getOrUndefined(yield* permission.role(user, user.sender))
    const least = leastFor(press)
    if (!mayAs(role, least)) {
      yield* acting.answer(nothing)
      return yield* acting.toast(
        role === undefined ? undefined : peopleTexts[user.language].takes(least).text
      )
    }
    switch (press?._tag) {
      case undefined:
        yield* acting.answer(nothing)
        return yield* acting.toast()
      case "Done":
      case "Open": {
        const isTheirs = press.owner === user.sender
        yield* acting.answer(isTheirs && press._tag === "Open" ? open(user, press) : nothing)
        if (!isTheirs) return yield* acting.toast(words.notYours)
        if (press._tag === "Open") return yield* acting.toast()
        return yield* acting.toast(pending > 0 ? words.savingNow : words.nothingOpen.text)
      }
      case "Chats":
      case "Follow": {
        if (press.owner === user.sender)
          return yield* chooseChats(user, press, update.message?.messageId, acting)
        yield* acting.answer(nothing)
        return yield* acting.toast(words.notYours)
      }
      case "Undo":
        return yield* undo(user, press.token, update, acting)
      case "Stop":
        return yield* stop(user, press.token, acting)
    }
  })
})
