import { Effect } from "effect"
import { KnowledgeBase } from "../../knowledge/KnowledgeBase.ts"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

export const status: Command = {
  name: "status",
  least: "reader",
  run: Effect.fn("command.status")(function* ({ user, pending }) {
    const knowledge = yield* KnowledgeBase
    const notes = yield* knowledge.count(user.knowledgeBase)
    const [last] = yield* knowledge.recent(user.knowledgeBase, 1)
    return [{ _tag: "Text" as const, text: texts[user.language].status({ pending, notes, last }) }]
  })
}
