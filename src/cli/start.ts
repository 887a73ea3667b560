/** `zapiska start`: the whole assistant in one process, until it is told to stop. */
import { Layer } from "effect"
import { Command } from "effect/cli"
import * as Application from "../app/Application.ts"

export const start = Command.make("start", {}, () => Layer.launch(Application.layer)).pipe(
  Command.withDescription("Start the assistant; settings come from the environment and .env")
)
