/** `zapiska start`: the whole assistant in one process, until it is told to stop. */
import { Layer } from "effect"
import { Command } from "effect/cli"
import { AppConfig } from "../app/AppConfig.ts"
import * as Embedded from "../app/Embedded.ts"
import { observability } from "../app/Observability.ts"

/** The whole program, for `start` and for tests that start it another way. */
export const program = Embedded.layer.pipe(Layer.provide(observability), Layer.provide(AppConfig.layer))

export const start = Command.make("start", {}, () => Layer.launch(program)).pipe(
  Command.withDescription("Start the assistant; settings come from the environment and .env")
)
