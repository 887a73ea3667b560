import { Effect } from "effect"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

export const help: Command = {
  name: "help",
  least: "reader",
  run: ({ user }) => Effect.succeed([{ _tag: "Text", text: texts[user.language].help }])
}
