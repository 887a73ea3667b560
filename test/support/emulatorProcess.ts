/**
 * An emulator as a process of its own: `node test/support/emulatorProcess.ts <file> [port] [rates] [durability]`.
 * Prints one line of JSON with its `apiRoot` and first bot, then serves until it is ended.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { layer } from "../../src/sandbox/BotApiEmulator.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"

const [file = ":memory:", port = "0", rates = "off", durability = "full"] = process.argv.slice(2)

const announce = Layer.effectDiscard(
  BotApiEmulator.use(({ apiRoot, bot }) => Console.log(JSON.stringify({ apiRoot, bot })))
)

NodeRuntime.runMain(
  Layer.launch(
    Layer.provide(
      announce,
      layer({
        file,
        port: Number(port),
        rates: rates === "telegram" ? "telegram" : "off",
        durability: durability === "relaxed" ? "relaxed" : "full",
        control: true
      })
    )
  ).pipe(Effect.scoped)
)
