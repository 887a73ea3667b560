/**
 * What is taken of what Telegram tells of a followed chat, and how failures on the way are met. Pure.
 *
 * A message may be told any number of times: in its history, as it happens, and again after a crash. That each becomes
 * part of a note once is seen to by its name (`accountUpdate`); here it is decided what is handed on at all.
 */
import { MessageId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/IncomingMessage.ts"

/** `reread`: of what is taken, for what was edited unheard. */
export type Told = "new" | "edited" | "history" | "reread"

/** How far a chat is taken: everything from `since` (Unix seconds) up to `last`. */
export interface Taken {
  readonly since: number
  readonly last: MessageId
}

/** What is told of a chat whose history is being read comes with that again, as it is then; what is taken does not. */
export const comesLater = (
  { last, reading }: Pick<Taken, "last"> & { readonly reading: boolean },
  { messageId }: Pick<IncomingMessage, "messageId">
): boolean => reading && messageId > last

/** `undefined`: it is known, or from before. */
export const takenAs = (
  { last, since }: Taken,
  told: Told,
  message: Pick<IncomingMessage, "messageId" | "date" | "editDate">
): "message" | "edit" | undefined => {
  if (message.date < since) return undefined
  if (told === "edited") return "edit"
  if (told === "new" || message.messageId > last) return "message"
  return message.editDate === undefined ? undefined : "edit"
}

/** The last message that is taken after these, of a page of history, or of what is told in the order of the numbers. */
export const lastOf = (
  { last }: Pick<Taken, "last">,
  messages: ReadonlyArray<Pick<IncomingMessage, "messageId">>
): MessageId => MessageId.make(Math.max(last, ...messages.map(({ messageId }) => messageId)))

/** `wait`: seconds until the same is tried again. `chat`: only this chat cannot be read. `over`: none can. */
export type Setback =
  | { readonly _tag: "wait"; readonly seconds: number }
  | { readonly _tag: "chat" }
  | { readonly _tag: "over" }

const pause = 5

/** Of a failure, by its name. */
export const setbackOf = (error: { readonly _tag: string; readonly seconds?: number }): Setback => {
  switch (error._tag) {
    case "FloodWait":
      return { _tag: "wait", seconds: error.seconds ?? pause }
    case "NetworkDown":
    case "SqlError":
    case "TelegramTrouble":
    case "Timeout":
    case "UpdateNotStored":
      return { _tag: "wait", seconds: pause }
    case "CallRefused":
    case "ChatClosed":
    case "FileGone":
      return { _tag: "chat" }
    default:
      return { _tag: "over" }
  }
}
