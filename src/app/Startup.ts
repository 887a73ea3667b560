/** The first and the last word of the process: where to go next, and that it is on its way out. */
import { Clock, Console, Effect, Layer, Option, Redacted } from "effect"
import { defaultApp, defaultKnowledgeBase, defaultTenant } from "../domain/Ids.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { Health } from "../ops/Health.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { localUrl } from "../ops/HttpServer.ts"
import { BotPort } from "../telegram/BotPort.ts"
import { Bots } from "../telegram/Bots.ts"
import { Permission } from "../telegram/Permission.ts"
import { AppConfig } from "./AppConfig.ts"
import { Sandbox } from "./Sandbox.ts"
import { Secrets } from "./Secrets.ts"
import { version } from "./version.ts"

/** Milliseconds: an answer that takes longer says nothing about the token. */
const patience = 3_000

interface Introduction {
  readonly name: Option.Option<string>
  /** Telegram refuses the token: this bot cannot work. */
  readonly refused: boolean
}
const nothingKnown: Introduction = { name: Option.none(), refused: false }

/** Who the bots are the process was started with, as far as Telegram says it in time; and how many others there are. */
const introduced = Effect.gen(function* () {
  const { get, list } = yield* Bots
  const accounts = yield* Effect.forEach(yield* list, (bot) => Effect.option(get(bot)))
  const known = accounts.flatMap(Option.toArray)
  const bots = known.filter(({ origin }) => origin === undefined)
  const port = yield* BotPort
  const deadline = (yield* Clock.currentTimeMillis) + patience
  const met = yield* Effect.forEach(
    bots,
    (bot) =>
      port.identity(bot, { deadline }).pipe(
        Effect.map(({ username }): Introduction => ({ name: Option.some(`@${username}`), refused: false })),
        Effect.catchTag("Unauthorized", () => Effect.succeed({ ...nothingKnown, refused: true })),
        // Telegram in trouble is the poller's to tell.
        Effect.catch((error) => Effect.as(Effect.logDebug(error.message), nothingKnown))
      ),
    { concurrency: "unbounded" }
  )
  return {
    name: Option.getOrElse(Option.firstSomeOf(met.map(({ name }) => name)), () => "your bot"),
    configured: bots.length > 0,
    refused: met.some(({ refused }) => refused),
    stored: known.length - bots.length
  }
})

/** What to do now: the last line, where a person looks for it. */
const nextStep = Effect.fnUntraced(function* (bot: string) {
  const { http } = yield* AppConfig
  const sandbox = yield* Sandbox
  if (Option.isSome(sandbox)) {
    return yield* isLoopback(http.host)
      ? Effect.logInfo(
          `Chat with your bot: ${new URL("/sandbox", yield* localUrl)} (the sandbox, as TELEGRAM_BOT_TOKEN is not set)`
        )
      : Effect.logWarning(
          "The sandbox has no page, as HTTP_HOST is not this machine alone: set TELEGRAM_BOT_TOKEN, or leave HTTP_HOST out"
        )
  }
  const permission = yield* Permission
  const code = yield* permission.claimCode({ tenant: defaultTenant, app: defaultApp })
  if (Option.isNone(code)) return yield* Effect.logInfo(`Send ${bot} something in Telegram: it is listening`)
  // Whoever knows it owns the bot. A log is kept and may leave the machine: it goes to the console alone.
  yield* Console.log(
    `Nobody may use the bot yet. To make it yours, send ${bot} this in Telegram: /start ${Redacted.value(code.value)}`
  )
})

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { adminTokenFile } = yield* Secrets
    const health = yield* Health
    const projection = yield* GitProjection
    const url = yield* localUrl
    const { configured, name, refused, stored } = yield* introduced
    const notes = projection.directory({ tenant: defaultTenant, name: defaultKnowledgeBase })
    yield* refused
      ? Effect.logWarning(
          `Zapiska ${version} has started, but its bot cannot work: Telegram refuses TELEGRAM_BOT_TOKEN`
        )
      : Effect.logInfo(`Zapiska ${version} is ready`)
    yield* Effect.logInfo(`Your notes, a git repository: ${notes}`)
    yield* Effect.logInfo(
      `Health, metrics, admin API: ${url}${adminTokenFile === undefined ? "" : ` (token in ${adminTokenFile})`}`
    )
    if (stored > 0) yield* Effect.logInfo(`Bots that were added: ${stored} (\`zapiska app list\`)`)
    if (configured && !refused) yield* nextStep(name)
    if (!configured && stored === 0)
      yield* Effect.logWarning(
        "No bot is at work: add one with `zapiska app add`, set TELEGRAM_BOT_TOKEN, or enable a tenant that is disabled"
      )
    yield* Effect.addFinalizer(() =>
      Effect.andThen(health.drain, Effect.logInfo("Stopping; nothing received is lost"))
    )
  })
)
