/** Runs a bot: its menu of commands, its poller and its outbox dispatcher, supervised, in one process. */
import { Context, Effect, Layer, Schedule } from "effect"
import { TaskManager } from "../task/TaskManager.ts"
import { type BotCommand, type BotKey, BotPort } from "../telegram/BotPort.ts"
import { Bots, botIdOf, botName } from "../telegram/Bots.ts"
import { Intake } from "../telegram/Intake.ts"
import { Outbox } from "../telegram/Outbox.ts"

/** The menu of commands, for clients in `language` or, without it, in any other. */
export interface CommandMenu {
  readonly language?: string
  readonly commands: ReadonlyArray<BotCommand>
}

export class BotRunner extends Context.Service<
  BotRunner,
  {
    /** Starts the tasks of a bot. They go on until the scope of the Layer closes. */
    readonly start: (bot: BotKey, menus: ReadonlyArray<CommandMenu>) => Effect.Effect<void>
  }
>()("zapiska/session/BotRunner") {
  static readonly layer: Layer.Layer<BotRunner, never, BotPort | Bots | Intake | Outbox | TaskManager> =
    Layer.effect(
      BotRunner,
      Effect.suspend(() => make)
    )
}

const backoff = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

const make = Effect.gen(function* () {
  const bots = yield* Bots
  const intake = yield* Intake
  const outbox = yield* Outbox
  const port = yield* BotPort
  const tasks = yield* TaskManager

  const task = <E>(bot: BotKey, kind: string, description: string, effect: Effect.Effect<void, E>) =>
    tasks
      .start({ id: `${kind}/${botName(bot)}`, kind, description, owner: bot, restart: backoff }, effect)
      .pipe(
        Effect.catchTag("TaskManagerStopped", () => Effect.void),
        Effect.catchTag("TaskExists", Effect.die)
      )

  return BotRunner.of({
    start: Effect.fn("BotRunner.start")(function* (bot: BotKey, menus: ReadonlyArray<CommandMenu>) {
      const account = yield* Effect.orDie(bots.get(bot))
      const botId = botIdOf(account)
      yield* task(bot, "outbox", "Sends what the bot has to say", outbox.dispatch(bot, botId))
      yield* task(
        bot,
        "poller",
        "Receives what people send to the bot",
        intake.poll(bot, botId).pipe(
          // Trying again cannot help: the bot is silent until it is started with a token that is right.
          Effect.catchTag("Unauthorized", (error) => Effect.logError("A bot is stopped", error))
        )
      )
      yield* task(
        bot,
        "menu",
        "Tells Telegram the bot's commands",
        Effect.forEach(menus, ({ commands, language }) => port.setCommands(bot, commands, language), {
          discard: true
        })
      )
    })
  })
})
