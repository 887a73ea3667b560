/** `zapiska start`: the whole assistant in one process, until it is told to stop. */
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { launch } from "./launch.ts"

// Loaded only when it is started: the other commands answer in half the time without it.
const application = Effect.promise(() => import("../app/Application.ts"))

export const start = Command.make("start", {}, () =>
  launch(Layer.unwrap(Effect.map(application, ({ layer }) => layer)), (services) =>
    Effect.flatMap(application, ({ untilLost }) => untilLost(services))
  )
).pipe(Command.withDescription("Start the assistant; settings come from the environment and .env"))
