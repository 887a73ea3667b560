/** An assistant that belongs to the person who sent it the code it prints. */
import { Effect } from "effect"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { eventually } from "./Application.ts"
import { Assistant, answered, newPerson } from "./Assistant.ts"

/** Windows close when they are told to, and else too late for a test. */
export const claimed = Assistant.layer({
  env: { TELEGRAM_ALLOWED_USERS: "", NOTE_WINDOW: "1 minute", NOTE_WINDOW_MAX: "2 minutes" }
})

/** The person to whom the bot belongs. */
export const owner = Effect.gen(function* () {
  const emulator = yield* BotApiEmulator
  const { application } = yield* Assistant
  const printed = () => /\/start ([A-Za-z0-9-]+)/.exec(application.output())?.[1] ?? ""
  yield* eventually(
    "the code is printed",
    Effect.sync(() => printed() !== "")
  )
  const ann = yield* newPerson()
  yield* emulator.start({ user: ann.id, payload: printed() })
  yield* answered(ann.id, /^Hello, Ann!/)
  return ann
})
