/** The bots there are: the configured one, or, without a token, the sandbox's own Telegram and its bot. */
import { join } from "node:path"
import { Context, Effect, Layer, Option, Redacted, Stream } from "effect"
import { defaultApp, defaultKnowledgeBase, defaultTenant } from "../domain/Ids.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { RevisionLog } from "../knowledge/RevisionLog.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { Scrubber } from "../ops/Scrub.ts"
import * as Emulator from "../sandbox/BotApiEmulator.ts"
import { BotApiEmulator } from "../sandbox/Control.ts"
import { KnowledgeUnreadable, SandboxKnowledge } from "../sandbox/SandboxKnowledge.ts"
import * as SandboxPage from "../sandbox/SandboxPage.ts"
import { DataDirLock } from "../store/DataDirLock.ts"
import { Bots } from "../telegram/Bots.ts"
import * as WebhookDoor from "../telegram/WebhookDoor.ts"
import { AppConfig } from "./AppConfig.ts"
import * as Http from "./Http.ts"

/** The sandbox's Telegram; `None` where a real bot is configured. */
export class Sandbox extends Context.Service<Sandbox, Option.Option<BotApiEmulator["Service"]>>()(
  "zapiska/app/Sandbox"
) {}

const account = { tenant: defaultTenant, app: defaultApp }

/** The sandbox's messages, files and unconfirmed updates are as durable as everything else in `DATA_DIR`. */
const emulated = Layer.unwrap(
  Effect.gen(function* () {
    const { dataDir } = yield* DataDirLock
    const scrubber = yield* Scrubber
    return Layer.effectContext(
      Effect.gen(function* () {
        const emulator = yield* BotApiEmulator
        const token = Redacted.make(emulator.bot.token)
        yield* scrubber.register(token)
        const bots = yield* Effect.map(
          Layer.build(Bots.layer([{ ...account, token, apiRoot: emulator.apiRoot }])),
          Context.get(Bots)
        )
        return Context.make(Bots, bots).pipe(Context.add(Sandbox, Option.some(emulator)))
      })
    ).pipe(Layer.provide(Emulator.layer({ file: join(dataDir, "sandbox.sqlite") })))
  })
)

export const bots = Layer.unwrap(
  Effect.map(AppConfig, ({ cluster, telegram: { apiRoot, botToken } }) =>
    // A sandbox lives in one process: replicas have none.
    botToken === undefined && cluster === undefined
      ? emulated
      : Layer.merge(
          Bots.layer(botToken === undefined ? [] : [{ ...account, token: botToken, apiRoot }]),
          Layer.succeed(Sandbox, Option.none())
        )
  )
)

/** What the page shows beside the chat: the git copy of the default knowledge base. */
const knowledge = Layer.effect(
  SandboxKnowledge,
  Effect.gen(function* () {
    const projection = yield* GitProjection
    const log = yield* RevisionLog
    const key = { tenant: defaultTenant, name: defaultKnowledgeBase }
    const unreadable = (cause: { readonly message: string }) =>
      new KnowledgeUnreadable({ reason: cause.message, cause })
    return SandboxKnowledge.of({
      location: projection.directory(key),
      tree: projection.tree(key).pipe(Effect.mapError(unreadable)),
      file: (path) =>
        projection.file(key, path).pipe(Effect.map(Option.fromNullishOr), Effect.mapError(unreadable)),
      log: (options) =>
        projection.log(key, options).pipe(
          Effect.map((commits) =>
            commits.map(({ revision, ...commit }) => ({
              ...commit,
              ...(revision === undefined ? {} : { revision })
            }))
          ),
          Effect.mapError(unreadable)
        ),
      diff: (commit, path) => projection.diff(key, commit, path).pipe(Effect.mapError(unreadable)),
      changes: log.changes.pipe(
        // The page reads the repository: it hears of a revision when that is a commit.
        Stream.mapEffect(() => Effect.ignore(projection.project(key)))
      )
    })
  })
)

const link = { path: "/sandbox", words: "Sandbox: chat with your bot" } as const

const page = (emulator: BotApiEmulator["Service"]) =>
  SandboxPage.layer.pipe(Layer.provide(knowledge), Layer.provide(Layer.succeed(BotApiEmulator, emulator)))

/** What is served over HTTP: with the page that plays the person where there is a sandbox, to Telegram where it calls. */
export const doors = Layer.unwrap(
  Effect.gen(function* () {
    const {
      http: settings,
      telegram: { webhook }
    } = yield* AppConfig
    const telegram = webhook === undefined ? Layer.empty : WebhookDoor.routes(webhook)
    const sandbox = yield* Sandbox
    // Whoever opens the page is every person in it: it is for this machine only.
    return Option.isSome(sandbox) && isLoopback(settings.host)
      ? Http.routes(Layer.merge(page(sandbox.value), telegram), [link])
      : Http.routes(telegram, [])
  })
)
