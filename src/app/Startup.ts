/** The first and the last word of the process: where to go next, and that it is on its way out. */
import { Console, Effect, Layer, Option, Redacted } from "effect"
import { defaultApp, defaultKnowledgeBase, defaultTenant } from "../domain/Ids.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { Health } from "../ops/Health.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { localUrl } from "../ops/HttpServer.ts"
import { BotPort, type Unauthorized } from "../telegram/BotPort.ts"
import { Bots } from "../telegram/Bots.ts"
import { Permission } from "../telegram/Permission.ts"
import { AppConfig } from "./AppConfig.ts"
import { Sandbox } from "./Sandbox.ts"
import { Secrets } from "./Secrets.ts"
import { version } from "./version.ts"

/** An answer that takes longer says nothing about the token. */
const patience = "3 seconds"

/** Why the bot cannot work, if its token is known to be refused. */
const refusal = Effect.gen(function* () {
  const bots = yield* Effect.flatMap(Bots, ({ list }) => list)
  const port = yield* BotPort
  const asked = yield* Effect.forEach(
    bots,
    (bot) =>
      port.identity(bot).pipe(
        Effect.timeout(patience),
        Effect.as(Option.none<Unauthorized>()),
        Effect.catchTag("Unauthorized", (error) => Effect.succeedSome(error)),
        // Telegram in trouble is the poller's to tell.
        Effect.catch((error) => Effect.as(Effect.logDebug(error.message), Option.none<Unauthorized>()))
      ),
    { concurrency: "unbounded" }
  )
  return Option.firstSomeOf(asked)
})

/** How a person gets to talk to the bot. */
const waysIn = Effect.gen(function* () {
  const { http } = yield* AppConfig
  const sandbox = yield* Sandbox
  const url = yield* localUrl
  if (Option.isSome(sandbox)) {
    return isLoopback(http.host)
      ? [`Chat with your bot: ${new URL("/sandbox", url)}`, "(no TELEGRAM_BOT_TOKEN: this is the sandbox)"]
      : ["The sandbox has no page: HTTP_HOST is not this machine alone. Set TELEGRAM_BOT_TOKEN or HTTP_HOST."]
  }
  const permission = yield* Permission
  const code = yield* permission.claimCode({ tenant: defaultTenant, app: defaultApp })
  if (Option.isNone(code)) return ["The bot is listening: send it something in Telegram"]
  // Whoever knows it owns the bot. A log is kept and may leave the machine: it goes to the console alone.
  yield* Console.log(
    `Nobody may use the bot yet. Send it this in Telegram to make it yours: /start ${Redacted.value(code.value)}`
  )
  return []
})

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { adminTokenFile } = yield* Secrets
    const health = yield* Health
    const projection = yield* GitProjection
    const url = yield* localUrl
    const refused = yield* refusal
    const lines = [
      ...(Option.isSome(refused)
        ? [`Zapiska ${version} has started, but its bot cannot work: Telegram refuses TELEGRAM_BOT_TOKEN`]
        : [`Zapiska ${version} is ready`, ...(yield* waysIn)]),
      `Your notes, a git repository: ${projection.directory({ tenant: defaultTenant, name: defaultKnowledgeBase })}`,
      `Health, metrics, admin API: ${url}${adminTokenFile === undefined ? "" : ` (token in ${adminTokenFile})`}`
    ]
    yield* Effect.forEach(lines, (line) => Effect.logInfo(line))
    yield* Effect.addFinalizer(() =>
      Effect.andThen(health.drain, Effect.logInfo("Stopping; nothing received is lost"))
    )
  })
)
