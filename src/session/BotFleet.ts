/** Runs every bot there is: starts those that come, stops those that go, restarts those that have another token. */
import { Context, Effect, Exit, FiberMap, Layer, Option, Scope, Stream } from "effect"
import { Health, NotReady } from "../ops/Health.ts"
import type { BotKey } from "../telegram/BotPort.ts"
import { type BotAccount, Bots, botName } from "../telegram/Bots.ts"
import { Intake } from "../telegram/Intake.ts"
import { BotRunner, type CommandMenu } from "./BotRunner.ts"
import { UnservedBots } from "./StoredBots.ts"

export class BotFleet extends Context.Service<
  BotFleet,
  {
    /** Until interrupted. The bots it started go on until their runner's Layer closes. */
    readonly follow: (menus: ReadonlyArray<CommandMenu>) => Effect.Effect<never>
  }
>()("zapiska/session/BotFleet") {
  static readonly layer: Layer.Layer<BotFleet, never, Bots | BotRunner | Health | Intake | UnservedBots> =
    Layer.effect(
      BotFleet,
      Effect.suspend(() => make)
    )
}

/** The bots that do not run as they are wanted. */
export const unsettled = (
  running: ReadonlyMap<string, BotAccount>,
  wanted: ReadonlyMap<string, BotAccount>
): ReadonlyArray<string> =>
  [...new Set([...running.keys(), ...wanted.keys()])].filter((name) => running.get(name) !== wanted.get(name))

const make = Effect.gen(function* () {
  const bots = yield* Bots
  const health = yield* Health
  const intake = yield* Intake
  const runner = yield* BotRunner
  const unserved = yield* UnservedBots
  const scope = yield* Effect.scope

  interface Running {
    readonly account: BotAccount
    /** Of its check of health. */
    readonly watched: Scope.Closeable
  }
  const running = new Map<string, Running>()

  const check = (bot: BotKey) =>
    Effect.gen(function* () {
      const refusal = yield* runner.refusal(bot)
      if (Option.isSome(refusal)) return yield* new NotReady({ reason: refusal.value.message })
      return yield* intake.health(bot)
    })

  /** The trouble of one tenant's bot is told, and sends nobody of the others away. */
  const told = (account: BotAccount) =>
    account.origin === "stored"
      ? Effect.catchTag(check(account), "NotReady", ({ reason }) => Effect.succeed(reason))
      : check(account)

  const start = (menus: ReadonlyArray<CommandMenu>) =>
    Effect.fnUntraced(function* (account: BotAccount) {
      const watched = yield* Scope.fork(scope)
      yield* Scope.provide(health.register(`telegram/${botName(account)}`, told(account)), watched)
      const { tenant, app } = account
      // One that did not start is none that runs: the next change starts it.
      yield* Effect.onError(runner.start({ tenant, app }, menus), () => Scope.close(watched, Exit.void))
      running.set(botName(account), { account, watched })
    })

  const stop = Effect.fnUntraced(function* (account: BotAccount) {
    yield* runner.stop(account)
    const one = running.get(botName(account))
    running.delete(botName(account))
    if (one !== undefined) yield* Scope.close(one.watched, Exit.void)
  })

  yield* health.register(
    "bots",
    Effect.map(unserved.list, (all) =>
      all.length === 0
        ? undefined
        : all.map((one) => `${botName(one)} is not served: ${one.reason}`).join("; ")
    )
  )

  return BotFleet.of({
    follow: (menus) =>
      Effect.gen(function* () {
        let wanted: ReadonlyMap<string, BotAccount> = new Map()
        const changing = yield* FiberMap.make<string, void, never>()

        /** One that has another token is stopped first. What is wanted meanwhile is done after it. */
        const settle = Effect.fnUntraced(function* (name: string) {
          while (true) {
            const now = running.get(name)?.account
            const next = wanted.get(name)
            if (now === next) return
            if (now !== undefined) yield* stop(now)
            else if (next !== undefined) yield* start(menus)(next)
          }
        })

        // Each on its own: one that takes its time to stop holds up nobody.
        const followed = Stream.runForEach(bots.changes, (accounts) =>
          Effect.gen(function* () {
            wanted = new Map(accounts.map((account) => [botName(account), account]))
            const now = new Map([...running].map(([name, { account }]) => [name, account]))
            yield* Effect.forEach(
              unsettled(now, wanted),
              (name) =>
                FiberMap.run(changing, name, settle(name), { onlyIfMissing: true, startImmediately: true }),
              { discard: true }
            )
          })
        )
        return yield* Effect.raceFirst(Effect.andThen(followed, Effect.never), FiberMap.join(changing))
      }).pipe(Effect.scoped, Effect.andThen(Effect.never))
  })
})
