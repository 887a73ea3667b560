/**
 * The buttons under the bot's messages. What may be done again and again names the person it belongs to in its data:
 * in a group everybody sees it, and only that person may press it. What takes something back or ends something works
 * once: its data is a token of `Callbacks`.
 */
import { Duration, Option, Schema } from "effect"
import { ChatName } from "../domain/ChatName.ts"
import { NoteId, RevisionNumber, UserId } from "../domain/Ids.ts"
import type { Button } from "../telegram/BotPort.ts"
import type { Bound, CallbackError, Grant } from "../telegram/Callbacks.ts"
import type { Source } from "../telegram/UserClient.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

export const doneButton = (user: UserContext): Button => ({
  text: texts[user.language].saveNow,
  data: `done:${user.sender}`
})

export const openButton = (user: UserContext, note: NoteId): Button => ({
  text: texts[user.language].open,
  data: `open:${user.sender}:${note}`
})

/** Chooses a chat of theirs, or ends that. `from`: where the page of the list begins it stands on. */
export const followButton = (
  user: UserContext,
  chat: { readonly chat: Source; readonly title: string; readonly followed: boolean; readonly from: number }
): Button => ({
  text: chat.followed ? `✅ ${chat.title}` : chat.title,
  data: `${chat.followed ? "unfollow" : "follow"}:${user.sender}:${chat.chat}:${chat.from}`
})

/** Turns to the page of that list that begins there. */
export const chatsButton = (user: UserContext, text: string, from: number): Button => ({
  text,
  data: `chats:${user.sender}:${from}`
})

/** Who presses, or may press. */
export const boundTo = ({ tenant, app, chat, sender }: UserContext): Bound => ({
  tenant,
  app,
  chat,
  user: UserId.make(sender)
})

const grantTo = (user: UserContext, grant: Omit<Grant, keyof Bound>): Grant => {
  const { tenant: _, ...bound } = boundTo(user)
  return { ...bound, ...grant }
}

/** `force`: whatever was changed since. */
const Taking = Schema.Struct({ revision: RevisionNumber, force: Schema.Boolean })
export type Taking = typeof Taking.Type
const TakingText = Schema.fromJsonString(Taking)
const encodeTaking = Schema.encodeSync(TakingText)
export const takingOf = Schema.decodeUnknownOption(TakingText)

/** `asked` names what the button was asked for by: another one makes another button. */
export const undoGrant = (user: UserContext, taking: Taking, asked: string): Grant =>
  grantTo(user, {
    key: `undo:${user.botId}:${asked}:${taking.revision}:${taking.force}`,
    purpose: "undo",
    payload: encodeTaking(taking),
    lifetime: taking.force ? Duration.days(1) : Duration.days(30)
  })

export const undoButton = (user: UserContext, token: string): Button => ({
  text: texts[user.language].undo,
  data: `undo:${token}`
})

export const undoAnywayButton = (user: UserContext, token: string): Button => ({
  text: texts[user.language].undoAnyway,
  data: `undo:${token}`
})

/** Ends the answer shown under `turn` (see `Streaming`). */
export const stopGrant = (user: UserContext, turn: string): Grant =>
  grantTo(user, {
    key: `stop:${user.botId}:${turn}`,
    purpose: "stop",
    payload: turn,
    lifetime: Duration.days(1)
  })

export const stopButton = (user: UserContext, token: string): Button => ({
  text: texts[user.language].stop,
  data: `stop:${token}`
})

export type Press =
  | { readonly _tag: "Done"; readonly owner: number }
  | { readonly _tag: "Open"; readonly owner: number; readonly note: NoteId }
  | {
      readonly _tag: "Follow"
      readonly owner: number
      readonly kind: "follow" | "unfollow"
      readonly chat: ChatName
      readonly from: number
    }
  | { readonly _tag: "Chats"; readonly owner: number; readonly from: number }
  /** `token`: the callback's. */
  | { readonly _tag: "Undo" | "Stop"; readonly token: string }

const noteOf = Schema.decodeUnknownOption(NoteId)
const chatOf = Schema.decodeUnknownOption(ChatName)

/** `None`: the data of no button of ours. */
export const pressOf = (data: string): Option.Option<Press> => {
  const [kind, subject = "", argument, from] = data.split(":")
  switch (kind) {
    case "done":
      return Option.some({ _tag: "Done", owner: Number(subject) })
    case "open":
      return Option.map(noteOf(argument), (note) => ({ _tag: "Open", owner: Number(subject), note }))
    case "follow":
    case "unfollow":
      return Option.map(chatOf(argument), (chat) => ({
        _tag: "Follow",
        owner: Number(subject),
        kind,
        chat,
        from: Number(from) || 0
      }))
    case "chats":
      return Option.some({ _tag: "Chats", owner: Number(subject), from: Number(argument) || 0 })
    case "undo":
      return Option.some({ _tag: "Undo", token: subject })
    case "stop":
      return Option.some({ _tag: "Stop", token: subject })
    default:
      return Option.none()
  }
}

/** Why a press does nothing, as the person who pressed is told. */
export const refusalText = ({ language }: UserContext, error: CallbackError): string => {
  const words = texts[language]
  switch (error._tag) {
    case "CallbackUsed":
      return words.pressedBefore
    case "CallbackForeign":
      return error.bound === "user" ? words.notYours : words.buttonGone
    case "CallbackUnknown":
    case "CallbackExpired":
      return words.buttonGone
  }
}
