/** What runs without being asked: the bots, the git copies, the clearing of old rows. */
import { Effect, Layer, Schedule } from "effect"
import * as Purge from "../conversation/Purge.ts"
import * as RepositoryNotices from "../conversation/RepositoryNotices.ts"
import { commandNames, texts } from "../conversation/Texts.ts"
import { defaultTenant } from "../domain/Ids.ts"
import { languages } from "../domain/Language.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { BotRunner } from "../session/BotRunner.ts"
import { HandledUpdates } from "../store/HandledUpdates.ts"
import { TaskManager } from "../task/TaskManager.ts"
import { Bots } from "../telegram/Bots.ts"
import { Callbacks } from "../telegram/Callbacks.ts"
import { Outbox } from "../telegram/Outbox.ts"

const backoff = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])

/** English for everybody, and each other language for its own speakers. */
const menus = languages.map((language) => ({
  ...(language === "en" ? {} : { language }),
  commands: commandNames.map((command) => ({ command, description: texts[language].commands[command] }))
}))

/** How long it is known which updates were handled. */
const remembered = "30 days"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const bots = yield* Bots
    const callbacks = yield* Callbacks
    const handled = yield* HandledUpdates
    const outbox = yield* Outbox
    const projection = yield* GitProjection
    const runner = yield* BotRunner
    const tasks = yield* TaskManager
    const owner = { tenant: defaultTenant }

    yield* tasks.start(
      {
        id: `projection/${defaultTenant}`,
        kind: "projection",
        description: "Keeps the git copies of the knowledge bases",
        owner,
        restart: backoff
      },
      projection.follow(defaultTenant)
    )
    yield* tasks.start(
      {
        id: "repository notices",
        kind: "notices",
        description: "Tells people what their work in the repository met",
        owner,
        restart: backoff
      },
      RepositoryNotices.tell
    )
    yield* tasks.start(
      {
        id: "purge",
        kind: "purge",
        description: "Removes finished updates, sent messages and ended buttons after a week",
        owner,
        restart: backoff
      },
      Purge.purge().pipe(
        Effect.andThen(outbox.purge(defaultTenant, Purge.kept)),
        Effect.andThen(callbacks.purge(defaultTenant, Purge.kept)),
        Effect.andThen(handled.forget(defaultTenant, remembered)),
        Effect.repeat(Schedule.jittered(Schedule.spaced("1 hour"))),
        Effect.asVoid
      )
    )
    for (const bot of yield* bots.list) yield* runner.start(bot, menus)
  })
)
