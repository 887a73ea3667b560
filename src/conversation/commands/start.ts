import { Effect } from "effect"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

/** Greets. Claiming the bot by code happens where permissions are checked, before anything is stored. */
export const start: Command = {
  name: "start",
  run: ({ user, name }) => Effect.succeed([{ _tag: "Text", text: texts[user.language].start(name) }])
}
