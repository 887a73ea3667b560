import { Effect } from "effect"
import { KnowledgeBase } from "../../knowledge/KnowledgeBase.ts"
import { openButton } from "../Buttons.ts"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

const shown = 10
const perRow = 5

export const recent: Command = {
  name: "recent",
  least: "reader",
  run: Effect.fn("command.recent")(function* ({ user }) {
    const notes = yield* KnowledgeBase.use((knowledge) => knowledge.recent(user.knowledgeBase, shown))
    const buttons = notes.map((note, index) => ({ ...openButton(user, note.id), text: String(index + 1) }))
    const rows = [buttons.slice(0, perRow), buttons.slice(perRow)].filter((row) => row.length > 0)
    return [
      {
        _tag: "Text" as const,
        text: texts[user.language].recent(notes),
        ...(rows.length === 0 ? {} : { buttons: rows })
      }
    ]
  })
}
