/**
 * Runs a bot: its menu of commands, its poller and its outbox dispatcher, supervised, under the lease on the bot:
 * in one process of the world.
 */
import { Context, Effect, Layer, Option, Schedule } from "effect"
import type { BotId, TenantId } from "../domain/Ids.ts"
import { Lease, type LockKey, Locks } from "../lock/Locks.ts"
import { TaskManager } from "../task/TaskManager.ts"
import { type BotCommand, type BotKey, BotPort, Unauthorized } from "../telegram/BotPort.ts"
import { type BotAccount, Bots, botIdOf, botName } from "../telegram/Bots.ts"
import { Intake, type Listener } from "../telegram/Intake.ts"
import { Outbox } from "../telegram/Outbox.ts"
import { BotSessions } from "./BotSessions.ts"
import { everAgain, inTurn, Replicas } from "./Replicas.ts"

/** The menu of commands, for clients in `language` or, without it, in any other. */
export interface CommandMenu {
  readonly language?: string
  readonly commands: ReadonlyArray<BotCommand>
}

export class BotRunner extends Context.Service<
  BotRunner,
  {
    /**
     * Runs the tasks of a bot while its lease is ours, which it is while no other replica is to run it. They go on
     * until it is stopped or the scope of the Layer closes.
     */
    readonly start: (bot: BotKey, menus: ReadonlyArray<CommandMenu>) => Effect.Effect<void>
    /** Ends its tasks, waits for what they have in hand, and lets go of the lease. */
    readonly stop: (bot: BotKey) => Effect.Effect<void>
    /** Why the bot is silent: until Telegram takes its token, or it is started with another. */
    readonly refusal: (bot: BotKey) => Effect.Effect<Option.Option<Unauthorized>>
  }
>()("zapiska/session/BotRunner") {
  static readonly layer: Layer.Layer<
    BotRunner,
    never,
    BotPort | Bots | BotSessions | Intake | Locks | Outbox | Replicas | TaskManager
  > = Layer.effect(
    BotRunner,
    Effect.suspend(() => make)
  )
}

/** Whoever holds it polls the bot and sends its outbox. Its fences go on with the bot when that gets another name. */
export const leaseOf = (tenant: TenantId, bot: BotId): LockKey => ({ tenant, name: `bot/${bot}` })

const backoff = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

const make = Effect.gen(function* () {
  const bots = yield* Bots
  const intake = yield* Intake
  const outbox = yield* Outbox
  const port = yield* BotPort
  const tasks = yield* TaskManager
  const locks = yield* Locks
  const replicas = yield* Replicas
  const sessions = yield* BotSessions

  const refusals = new Map<string, Unauthorized>()
  const pollers = new Set<string>()
  /** One that ended long ago is forgotten. */
  const end = (id: string) => Effect.catchTag(tasks.stop(id), "TaskUnknown", () => Effect.void)

  // What a poller brings is stored by what was built before this and closes after it: nothing may come then.
  yield* Effect.addFinalizer(() => Effect.forEach(pollers, end, { concurrency: "unbounded", discard: true }))

  /** Whoever learns of it first says so, once. */
  const refused = (bot: BotKey, error: Unauthorized) =>
    Effect.suspend(() => {
      if (refusals.has(botName(bot))) return Effect.void
      refusals.set(botName(bot), error)
      return Effect.annotateLogs(Effect.logError(error.message), { tenant: bot.tenant, app: bot.app })
    })

  const idOf = (bot: BotKey, kind: string) => `${kind}/${botName(bot)}`

  const task = <E, R>(bot: BotKey, kind: string, description: string, effect: Effect.Effect<void, E, R>) =>
    tasks.start({ id: idOf(bot, kind), kind, description, owner: bot, restart: backoff }, effect).pipe(
      Effect.catchTag("TaskManagerStopped", () => Effect.void),
      Effect.catchTag("TaskExists", Effect.die)
    )

  /** What it has to say, and the menu of its commands: what a refused token ends, and one that is taken begins. */
  const speak = (bot: BotKey, botId: BotId, menus: ReadonlyArray<CommandMenu>) =>
    Effect.gen(function* () {
      yield* task(bot, "outbox", "Sends what the bot has to say", outbox.dispatch(bot, botId))
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
    })

  const endAll = (bot: BotKey, ...kinds: ReadonlyArray<string>) =>
    Effect.forEach(kinds, (kind) => end(idOf(bot, kind)), { concurrency: "unbounded", discard: true })

  /** The tasks of a bot, for as long as this runs. */
  const run = (bot: BotAccount, menus: ReadonlyArray<CommandMenu>): Effect.Effect<never, never, Lease> =>
    Effect.gen(function* () {
      const botId = botIdOf(bot)
      const written = yield* sessions.watch(bot)
      const speaking = speak(bot, botId, menus)
      const taken = Effect.suspend(() =>
        refusals.delete(botName(bot))
          ? Effect.logInfo("Telegram takes the bot's token again").pipe(
              Effect.andThen(endAll(bot, "menu", "outbox")),
              Effect.andThen(speaking)
            )
          : Effect.void
      )
      const lease = yield* Lease
      const told: Listener = (hearing) =>
        Effect.gen(function* () {
          if (hearing._tag === "Answered") yield* taken
          else if (hearing.failure._tag === "Unauthorized")
            yield* refused(bot, new Unauthorized({ method: "getUpdates" }))
          yield* written(hearing)
        }).pipe(Effect.provideService(Lease, lease))
      yield* speaking
      yield* task(
        bot,
        "poller",
        "Receives what people send to the bot",
        // Whoever took the bot away stops it, too.
        Effect.catchTag(intake.receive(bot, botId, told), "BotUnknown", () => Effect.never)
      )
      return yield* Effect.never
    }).pipe(
      // The poller first: it may be starting the others again.
      Effect.ensuring(Effect.andThen(endAll(bot, "poller"), endAll(bot, "menu", "outbox")))
    )

  return BotRunner.of({
    start: Effect.fn("BotRunner.start")(function* (bot: BotKey, menus: ReadonlyArray<CommandMenu>) {
      pollers.add(idOf(bot, "poller"))
      const held = Effect.gen(function* () {
        const account = yield* bots.get(bot)
        const lease = leaseOf(bot.tenant, botIdOf(account))
        const running = run(account, menus)
        const ifFree = locks.tryLease(lease)(running)
        const inLine = Effect.catchTag(ifFree, "LockHeld", (error) =>
          Effect.andThen(
            Effect.logInfo(
              `Bot ${botName(bot)} is run by ${error.owner}; this process takes over when that ends`
            ),
            locks.withLease(lease)(running)
          )
        )
        return yield* inTurn(botName(bot), { ifFree, inLine })
      })
      yield* task(
        bot,
        "session",
        "Keeps the lease on the bot",
        Effect.provideService(everAgain(held), Replicas, replicas)
      )
    }),
    stop: Effect.fn("BotRunner.stop")(function* (bot: BotKey) {
      yield* end(idOf(bot, "session"))
      pollers.delete(idOf(bot, "poller"))
      refusals.delete(botName(bot))
    }),
    refusal: (bot) => Effect.sync(() => Option.fromNullishOr(refusals.get(botName(bot))))
  })
})
