/** Runs a bot: its menu of commands, its poller and its outbox dispatcher, supervised, in one process. */
import { Context, Effect, Layer, Option, Schedule } from "effect"
import { TaskManager } from "../task/TaskManager.ts"
import { type BotCommand, type BotKey, BotPort, Unauthorized } from "../telegram/BotPort.ts"
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
    /** Why the bot is silent until the process is started with a token that is right. */
    readonly refusal: (bot: BotKey) => Effect.Effect<Option.Option<Unauthorized>>
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

  const refusals = new Map<string, Unauthorized>()
  const pollers = new Set<string>()

  // What a poller brings is stored by what was built before this and closes after it: nothing may come then.
  yield* Effect.addFinalizer(() =>
    Effect.forEach(
      pollers,
      // Ended long ago, and forgotten.
      (id) => Effect.catchTag(tasks.stop(id), "TaskUnknown", () => Effect.void),
      { concurrency: "unbounded", discard: true }
    )
  )

  /** Trying again cannot help. Whoever learns of it first says so, once. */
  const refused = (bot: BotKey, error: Unauthorized) =>
    Effect.suspend(() => {
      if (refusals.has(botName(bot))) return Effect.void
      refusals.set(botName(bot), error)
      return Effect.annotateLogs(Effect.logError(error.message), { tenant: bot.tenant, app: bot.app })
    })

  const idOf = (bot: BotKey, kind: string) => `${kind}/${botName(bot)}`

  const task = <E>(bot: BotKey, kind: string, description: string, effect: Effect.Effect<void, E>) =>
    tasks.start({ id: idOf(bot, kind), kind, description, owner: bot, restart: backoff }, effect).pipe(
      Effect.catchTag("TaskManagerStopped", () => Effect.void),
      Effect.catchTag("TaskExists", Effect.die)
    )

  return BotRunner.of({
    start: Effect.fn("BotRunner.start")(function* (bot: BotKey, menus: ReadonlyArray<CommandMenu>) {
      const account = yield* Effect.orDie(bots.get(bot))
      const botId = botIdOf(account)
      yield* task(bot, "outbox", "Sends what the bot has to say", outbox.dispatch(bot, botId))
      pollers.add(idOf(bot, "poller"))
      yield* task(
        bot,
        "poller",
        "Receives what people send to the bot",
        intake.poll(bot, botId).pipe(Effect.catchTag("Unauthorized", (error) => refused(bot, error)))
      )
      yield* task(
        bot,
        "menu",
        "Tells Telegram the bot's commands",
        Effect.forEach(menus, ({ commands, language }) => port.setCommands(bot, commands, language), {
          discard: true
        }).pipe(
          Effect.catchTag("Unauthorized", (error) => refused(bot, error)),
          // A token that is not even shaped like one is answered so.
          Effect.catchTag("Refused", (error) =>
            error.code === 404 ? refused(bot, new Unauthorized({ method: error.method })) : Effect.fail(error)
          )
        )
      )
    }),
    refusal: (bot) => Effect.sync(() => Option.fromNullishOr(refusals.get(botName(bot))))
  })
})
