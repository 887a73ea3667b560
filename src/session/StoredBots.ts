/**
 * All bots there are: those the process was started with, and those operators keep, as long as they and their tenants
 * are enabled. Their tokens come from the vault and stay in memory, hidden from every log.
 */
import { Context, Effect, Layer, Option, Schedule, Stream, SubscriptionRef } from "effect"
import { Scrubber } from "../ops/Scrub.ts"
import { Directory, type ListedApp, type Listing } from "../store/Directory.ts"
import { BotUnknown } from "../telegram/BotPort.ts"
import { type BotAccount, Bots, botIdOf, botName } from "../telegram/Bots.ts"
import { Vault } from "./Vault.ts"

/** An app that cannot be served, and why. */
export interface UnservedBot {
  readonly tenant: ListedApp["tenant"]
  readonly app: ListedApp["app"]
  readonly reason: string
}

export class UnservedBots extends Context.Service<
  UnservedBots,
  { readonly list: Effect.Effect<ReadonlyArray<UnservedBot>> }
>()("zapiska/session/UnservedBots") {}

/** `apiRoot`: the Bot API server of the stored ones. */
export const layer = (options: {
  readonly apiRoot?: string
}): Layer.Layer<Bots | UnservedBots, never, Bots | Directory | Scrubber | Vault> =>
  Layer.effectContext(make(options))

/** An account, and what it was made from. */
interface Opened {
  readonly version: string
  readonly alias: string
  readonly account: BotAccount
}

/** A secret that did not open may be mended without a word. */
const triedAgainEvery = Schedule.jittered(Schedule.spaced("10 seconds"))

const make = Effect.fnUntraced(function* (options: { readonly apiRoot?: string }) {
  const configured = yield* Bots
  const directory = yield* Directory
  const scrubber = yield* Scrubber
  const vault = yield* Vault

  const own = yield* Effect.forEach(yield* configured.list, configured.get).pipe(Effect.orDie)
  let opened: ReadonlyMap<string, Opened> = new Map()
  let unserved: ReadonlyMap<string, UnservedBot> = new Map()
  const accounts = yield* SubscriptionRef.make<ReadonlyMap<string, BotAccount>>(new Map())

  const isOwn = (app: ListedApp) =>
    own.some((account) => botName(account) === botName(app) || botIdOf(account) === app.botId)

  const open = Effect.fnUntraced(function* (app: ListedApp) {
    const known = opened.get(botName(app))
    if (known?.version === app.version && known.alias === app.alias) return known
    const { tenant, alias, version } = app
    const token = yield* vault.get(tenant, { kind: "bot", alias })
    yield* scrubber.register(token)
    const { apiRoot } = options
    const account: BotAccount = {
      tenant,
      app: app.app,
      token,
      origin: "stored",
      ...(apiRoot === undefined ? {} : { apiRoot })
    }
    return { version, alias, account }
  })

  /** What it was until now stays where the database does not answer; said once for each reason. */
  const attempt = (app: ListedApp) =>
    open(app).pipe(
      Effect.map((found) => ({ found: Option.some(found), problem: Option.none<string>() })),
      Effect.catch((error) => {
        const before = Option.fromNullishOr(opened.get(botName(app)))
        const found = error._tag === "SqlError" ? before : Option.none<Opened>()
        return Effect.succeed({ found, problem: Option.some(error.message) })
      })
    )

  const say = ({ tenant, app, reason }: UnservedBot) =>
    unserved.get(botName({ tenant, app }))?.reason === reason
      ? Effect.void
      : Effect.annotateLogs(Effect.logError(`The bot is not served: ${reason}`), { tenant, app })

  const settle = Effect.fnUntraced(function* ({ tenants, apps }: Listing) {
    const wanted = apps.filter(({ enabled, kind }) => enabled && kind === "bot")
    const attempts = yield* Effect.forEach(
      wanted,
      (app) =>
        isOwn(app)
          ? Effect.succeed({
              found: Option.none<Opened>(),
              problem: Option.some("it is the bot the process was started with; remove the one or the other")
            })
          : attempt(app),
      { concurrency: 4 }
    )
    const problems = wanted.flatMap(({ tenant, app }, nth) =>
      Option.match(attempts[nth]!.problem, {
        onNone: () => [],
        onSome: (reason) => [{ tenant, app, reason }]
      })
    )
    yield* Effect.forEach(problems, say, { discard: true })
    unserved = new Map(problems.map((problem) => [botName(problem), problem]))
    const found = attempts.flatMap((one) => Option.toArray(one.found))
    opened = new Map(found.map((one) => [botName(one.account), one]))
    const all = [
      ...own.filter(({ tenant }) => tenants.get(tenant) !== "disabled"),
      ...found.map(({ account }) => account)
    ]
    const before = yield* SubscriptionRef.get(accounts)
    const unchanged = all.length === before.size && all.every((one) => before.get(botName(one)) === one)
    if (!unchanged) yield* SubscriptionRef.set(accounts, new Map(all.map((one) => [botName(one), one])))
  })

  yield* settle(yield* directory.listing)
  const again = Stream.fromSchedule(triedAgainEvery).pipe(Stream.filter(() => unserved.size > 0))
  yield* Effect.forkScoped(
    Stream.runForEach(Stream.merge(directory.changes, again), () => Effect.flatMap(directory.listing, settle))
  )

  const bots = Bots.of({
    get: (bot) =>
      Effect.flatMap(SubscriptionRef.get(accounts), (known) => {
        const account = known.get(botName(bot))
        return account === undefined ? Effect.fail(new BotUnknown({ app: bot.app })) : Effect.succeed(account)
      }),
    list: Effect.map(SubscriptionRef.get(accounts), (known) =>
      [...known.values()].map(({ tenant, app }) => ({ tenant, app }))
    ),
    changes: Stream.map(SubscriptionRef.changes(accounts), (known) => [...known.values()])
  })
  return Context.make(Bots, bots).pipe(
    Context.add(UnservedBots, { list: Effect.sync(() => [...unserved.values()]) })
  )
})
