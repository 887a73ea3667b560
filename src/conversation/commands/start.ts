import { Effect } from "effect"
import { peopleTexts } from "../PeopleTexts.ts"
import { texts } from "../Texts.ts"
import type { Command } from "./Command.ts"

/** Greets. Codes are redeemed where permissions are checked, before anything is stored. */
export const start: Command = {
  name: "start",
  least: "reader",
  run: ({ user, name, role }) =>
    Effect.succeed([
      {
        _tag: "Text",
        text:
          role === "reader" ? peopleTexts[user.language].startReader(name) : texts[user.language].start(name)
      }
    ])
}
