/** The first and the last word of the process: where to go next, and that it is on its way out. */
import { Effect, Layer, Option, Redacted } from "effect"
import { defaultApp, defaultKnowledgeBase, defaultTenant } from "../domain/Ids.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { Health } from "../ops/Health.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { localUrl } from "../ops/HttpServer.ts"
import { Permission } from "../telegram/Permission.ts"
import { AppConfig } from "./AppConfig.ts"
import { Sandbox } from "./Sandbox.ts"
import { Secrets } from "./Secrets.ts"
import { version } from "./version.ts"

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
  return Option.match(code, {
    onNone: () => ["The bot is listening: send it something in Telegram"],
    onSome: (one) => [
      "Nobody may use the bot yet. Send it this in Telegram to make it yours:",
      `/start ${Redacted.value(one)}`
    ]
  })
})

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { adminTokenFile } = yield* Secrets
    const health = yield* Health
    const projection = yield* GitProjection
    const url = yield* localUrl
    const lines = [
      `Zapiska ${version} is ready`,
      ...(yield* waysIn),
      `Your notes, a git repository: ${projection.directory({ tenant: defaultTenant, name: defaultKnowledgeBase })}`,
      `Health, metrics, admin API: ${url}${adminTokenFile === undefined ? "" : ` (token in ${adminTokenFile})`}`
    ]
    yield* Effect.forEach(lines, (line) => Effect.logInfo(line))
    yield* Effect.addFinalizer(() =>
      Effect.andThen(health.drain, Effect.logInfo("Stopping; nothing received is lost"))
    )
  })
)
