import { Effect, Option } from "effect"
import type { RevisionNumber } from "../../domain/Ids.ts"
import type { Revision } from "../../domain/Note.ts"
import { KnowledgeBase } from "../../knowledge/KnowledgeBase.ts"
import type { TextContent } from "../../telegram/BotPort.ts"
import { Callbacks } from "../../telegram/Callbacks.ts"
import { undoAnywayButton, undoGrant } from "../Buttons.ts"
import { texts } from "../Texts.ts"
import type { UserContext } from "../UserContext.ts"
import type { Command } from "./Command.ts"

/** How far back the last change of a person is looked for. */
const searched = 200

/** The message of a revision that undoes another; read back to know what is undone already. */
const undoMessage = (number: RevisionNumber, message: string): string =>
  `Undo revision ${number}: ${message.split("\n")[0]}`

/** What a change is called to a person: the title of its note, without the words that begin its message. */
export const subjectOf = ({ kind, message }: Pick<Revision, "kind" | "message">): string => {
  const line = message.split("\n")[0] ?? ""
  switch (kind) {
    case "note":
      return line.replace(/^Add /, "")
    case "amend":
      return line.replace(/^Add (?:to|the files of) /, "")
    case "edit":
      return line.replace(/^Edit /, "")
    default:
      return line
  }
}

const calledIn =
  (history: ReadonlyArray<Revision>) =>
  ({ number, message }: Pick<Revision, "number" | "message">): string =>
    subjectOf(history.find((one) => one.number === number) ?? { kind: "person", message })

const undoneBy = ({ kind, message }: Revision): number | undefined => {
  const match = kind === "undo" ? /^Undo revision (\d+)/.exec(message) : null
  return match === null ? undefined : Number(match[1])
}

/** The newest change of this person that is not taken back yet. History comes newest first. */
export const lastOf = (history: ReadonlyArray<Revision>, email: string): Option.Option<Revision> => {
  const undone = new Set(history.map(undoneBy))
  return Option.fromNullishOr(
    history.find(
      (revision) =>
        revision.author.email === email && revision.kind !== "undo" && !undone.has(revision.number)
    )
  )
}

/** Takes one revision back, or says what stands in the way and asks. */
export const undoRevision = Effect.fn("undoRevision")(function* (
  user: UserContext,
  number: RevisionNumber,
  date: number,
  options: {
    readonly force: boolean
    /** Names what asks for it, and with it the button that asks again. */
    readonly asked: string
  }
) {
  const knowledge = yield* KnowledgeBase
  const words = texts[user.language]
  const answer = (text: TextContent["text"], buttons?: TextContent["buttons"]): TextContent => ({
    _tag: "Text",
    text,
    ...(buttons === undefined ? {} : { buttons })
  })
  const history = yield* knowledge.history(user.knowledgeBase, { limit: searched })
  const revision = history.find((one) => one.number === number)
  if (revision !== undefined && history.some((one) => undoneBy(one) === number)) {
    return answer(words.undone(subjectOf(revision), revision.kind))
  }
  return yield* knowledge
    .undo(
      user.knowledgeBase,
      number,
      { author: user.author, date, message: undoMessage(number, revision?.message ?? "") },
      options
    )
    .pipe(
      Effect.map(() =>
        answer(
          revision === undefined
            ? words.undone(String(number), "note")
            : words.undone(subjectOf(revision), revision.kind)
        )
      ),
      Effect.catchTag("UndoConflict", ({ later }) =>
        Effect.gen(function* () {
          const grant = undoGrant(user, { revision: number, force: true }, options.asked)
          const [token = ""] = yield* Callbacks.use((callbacks) => callbacks.issue(user.tenant, [grant]))
          return answer(words.undoConflict([...new Set(later.map(calledIn(history)))]), [
            [undoAnywayButton(user, token)]
          ])
        })
      ),
      Effect.catchTag("RevisionUnknown", () => Effect.succeed(answer(words.nothingToUndo)))
    )
})

export const undo: Command = {
  name: "undo",
  least: "member",
  run: Effect.fn("command.undo")(function* ({ user, date, updateId }) {
    const history = yield* KnowledgeBase.use((knowledge) =>
      knowledge.history(user.knowledgeBase, { limit: searched })
    )
    const last = lastOf(history, user.author.email)
    return Option.isNone(last)
      ? [{ _tag: "Text" as const, text: texts[user.language].nothingToUndo }]
      : [yield* undoRevision(user, last.value.number, date, { force: false, asked: String(updateId) })]
  })
}
