import { Effect } from "effect"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

/** Without a text: says what note mode is. With one it is a unit of work, not a command. */
export const note: Command = {
  name: "note",
  least: "member",
  run: ({ user }) => Effect.succeed([{ _tag: "Text", text: texts[user.language].noteMode }])
}
