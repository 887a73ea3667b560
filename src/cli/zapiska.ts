/** The commands there are, and how each ends: 0 when it is done, 1 when it was refused, 2 when it was not understood. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { version } from "../app/version.ts"
import { scrubShapes } from "../ops/Scrub.ts"
import { apps } from "./app.ts"
import { sayLastWords } from "./lastWords.ts"
import { limits } from "./limits.ts"
import { audit, secrets } from "./secrets.ts"
import { sessions } from "./session.ts"
import { start } from "./start.ts"
import { tasks, undelivered } from "./tasks.ts"
import { tenants } from "./tenant.ts"
import { invites, users } from "./user.ts"

const zapiska = Command.make("zapiska").pipe(
  Command.withDescription(
    "What you send to your Telegram bot becomes Markdown notes in a git repository you own"
  ),
  Command.withSubcommands([
    start,
    tenants,
    apps,
    users,
    invites,
    limits,
    secrets,
    audit,
    tasks,
    undelivered,
    sessions
  ])
)

/** What is wrong comes alone, where errors belong: the whole help would push it off the screen. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
          // Somebody may have given a token where none belongs.
          scrubShapes(
            [
              ...event.errors.map(({ message }) => message),
              `See: ${event.commandPath.join(" ")} --help`
            ].join("\n")
          )
        )
      : CliOutput.defaultPresenter.present(event)
})

const misunderstood = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some(
    (reason) =>
      Cause.isFailReason(reason) &&
      CliError.isCliError(reason.error) &&
      reason.error._tag === "ShowHelp" &&
      reason.error.errors.length > 0
  )

zapiska.pipe(
  Command.run({ version }),
  Effect.provide([NodeServices.layer, presenter]),
  Effect.tapCause(sayLastWords),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) =>
      Exit.isFailure(exit) && misunderstood(exit.cause) ? onExit(2) : Runtime.defaultTeardown(exit, onExit)
  })
)
