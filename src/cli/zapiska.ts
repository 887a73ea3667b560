/** The commands there are. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { version } from "../app/version.ts"
import { sayLastWords } from "./lastWords.ts"
import { start } from "./start.ts"

const zapiska = Command.make("zapiska").pipe(
  Command.withDescription(
    "What you send to your Telegram bot becomes Markdown notes in a git repository you own"
  ),
  Command.withSubcommands([start])
)

zapiska.pipe(
  Command.run({ version }),
  Effect.provide(NodeServices.layer),
  Effect.tapCause(sayLastWords),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
