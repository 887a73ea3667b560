/**
 * The buttons under the bot's messages. Their data names the person they belong to: in a group everybody sees
 * them, and only that person may press them.
 */
import { Option, Schema } from "effect"
import { NoteId, RevisionNumber } from "../domain/Ids.ts"
import type { Button } from "../telegram/BotPort.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

export const doneButton = (user: UserContext): Button => ({
  text: texts[user.language].saveNow,
  data: `done:${user.sender}`
})

export const undoButton = (user: UserContext, revision: RevisionNumber): Button => ({
  text: texts[user.language].undo,
  data: `undo:${user.sender}:${revision}`
})

export const undoAnywayButton = (user: UserContext, revision: RevisionNumber): Button => ({
  text: texts[user.language].undoAnyway,
  data: `force:${user.sender}:${revision}`
})

export const openButton = (user: UserContext, note: NoteId): Button => ({
  text: texts[user.language].open,
  data: `open:${user.sender}:${note}`
})

export type Press =
  | { readonly _tag: "Done"; readonly owner: number }
  | {
      readonly _tag: "Undo"
      readonly owner: number
      readonly revision: RevisionNumber
      readonly force: boolean
    }
  | { readonly _tag: "Open"; readonly owner: number; readonly note: NoteId }

const revisionOf = Schema.decodeUnknownOption(RevisionNumber)
const noteOf = Schema.decodeUnknownOption(NoteId)

/** `None`: the data of no button of ours. */
export const pressOf = (data: string): Option.Option<Press> => {
  const [kind, owner, argument] = data.split(":")
  const who = { owner: Number(owner) }
  if (!Number.isSafeInteger(who.owner)) return Option.none()
  switch (kind) {
    case "done":
      return Option.some({ _tag: "Done", ...who })
    case "undo":
    case "force":
      return Option.map(revisionOf(Number(argument)), (revision) => ({
        _tag: "Undo",
        ...who,
        revision,
        force: kind === "force"
      }))
    case "open":
      return Option.map(noteOf(argument), (note) => ({ _tag: "Open", ...who, note }))
    default:
      return Option.none()
  }
}
