import { Effect } from "effect"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

/** The window was closed when the command came in; its note is the answer. */
export const done: Command = {
  name: "done",
  least: "reader",
  run: ({ user, pending }) =>
    Effect.succeed(pending > 0 ? [] : [{ _tag: "Text", text: texts[user.language].nothingOpen }])
}
