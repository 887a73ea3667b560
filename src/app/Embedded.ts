/**
 * The whole program, from the bottom up. The embedded profile is everything in one process, with nothing to install;
 * what the server profile has in the place of some of it is in `Server.ts`.
 */
import { Effect, Layer, Redacted } from "effect"
import { ClusterWorkflowEngine } from "effect/cluster"
import { Media } from "../assistant/Media.ts"
import { MediaRetry } from "../assistant/MediaRetry.ts"
import { NoteCreation } from "../assistant/NoteCreation.ts"
import * as Conversation from "../conversation/Conversation.ts"
import { ConversationSettings } from "../conversation/ConversationSettings.ts"
import * as Engine from "../conversation/Engine.ts"
import * as Inbox from "../conversation/Inbox.ts"
import { MessageProcessor } from "../conversation/MessageProcessor.ts"
import { windowRules } from "../conversation/Window.ts"
import { Blobs } from "../knowledge/Blobs.ts"
import { GitProjection } from "../knowledge/GitProjection.ts"
import { KnowledgeBase } from "../knowledge/KnowledgeBase.ts"
import { RevisionLog } from "../knowledge/RevisionLog.ts"
import { Fences } from "../lock/Fences.ts"
import * as LocksMemory from "../lock/LocksMemory.ts"
import { Health } from "../ops/Health.ts"
import { Apps } from "../session/Apps.ts"
import { BotFleet } from "../session/BotFleet.ts"
import { BotRunner } from "../session/BotRunner.ts"
import { BotSessions } from "../session/BotSessions.ts"
import { FollowFleet } from "../session/FollowFleet.ts"
import { Replicas } from "../session/Replicas.ts"
import * as StoredBots from "../session/StoredBots.ts"
import { Vault } from "../session/Vault.ts"
import * as VaultCheck from "../session/VaultCheck.ts"
import { Audit } from "../store/Audit.ts"
import * as Database from "../store/Database.ts"
import { DatabaseOwner } from "../store/DatabaseOwner.ts"
import { DatabaseUse } from "../store/DatabaseUse.ts"
import { DataDirLock } from "../store/DataDirLock.ts"
import { Directory } from "../store/Directory.ts"
import { HandledUpdates } from "../store/HandledUpdates.ts"
import { LocalPostgres } from "../store/LocalPostgres.ts"
import type { LocalPostgresError } from "../store/PostgresError.ts"
import type { DatabaseRefused } from "../store/Preparation.ts"
import { Shutdown } from "../store/Shutdown.ts"
import { Tenants } from "../store/Tenants.ts"
import { TaskManager } from "../task/TaskManager.ts"
import type { BotPort } from "../telegram/BotPort.ts"
import { Callbacks } from "../telegram/Callbacks.ts"
import { Chats } from "../telegram/Chats.ts"
import { GrammyApi } from "../telegram/GrammyApi.ts"
import { GrammyBot } from "../telegram/GrammyBot.ts"
import { Intake } from "../telegram/Intake.ts"
import { Invites } from "../telegram/Invites.ts"
import { LimitCounters } from "../telegram/LimitCounters.ts"
import { Limits } from "../telegram/Limits.ts"
import { Members } from "../telegram/Members.ts"
import { Outbox } from "../telegram/Outbox.ts"
import { Pacer } from "../telegram/Pacer.ts"
import { Permission } from "../telegram/Permission.ts"
import { Streaming } from "../telegram/Streaming.ts"
import { Taking } from "../telegram/Taking.ts"
import { Undelivered } from "../telegram/Undelivered.ts"
import * as WebhookIntake from "../telegram/WebhookIntake.ts"
import { accounts, loginLinks, sessions } from "./Accounts.ts"
import { AppConfig } from "./AppConfig.ts"
import * as Background from "./Background.ts"
import { repositoriesIn } from "./DataDirFiles.ts"
import * as Http from "./Http.ts"
import * as KeptFiles from "./KeptFiles.ts"
import * as Readiness from "./Readiness.ts"
import * as Sandbox from "./Sandbox.ts"
import { Secrets } from "./Secrets.ts"
import * as Startup from "./Startup.ts"
import * as Whereabouts from "./Whereabouts.ts"

/** A Layer that the configuration decides. */
const configured = <A, E, R>(build: (config: AppConfig["Service"]) => Layer.Layer<A, E, R>) =>
  Layer.unwrap(Effect.map(AppConfig, build))

/** What is shared with other processes is loaded only where it is. */
const shared = <A, E, R>(build: (server: typeof import("./Server.ts")) => Layer.Layer<A, E, R>) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./Server.ts")),
      build
    )
  )

const directory = configured(({ dataDir }) => DataDirLock.layer({ dataDir }))

const database = Layer.unwrap(
  Effect.gen(function* () {
    const { cluster, databaseUrl, postgresBinaries } = yield* AppConfig
    const { key } = yield* Secrets
    const secretsKey = Redacted.make(Buffer.from(Redacted.value(key)).toString("base64"))
    const owner: Layer.Layer<DatabaseOwner | DatabaseUse, DatabaseRefused | LocalPostgresError, DataDirLock> =
      databaseUrl === undefined
        ? Layer.merge(LocalPostgres.layer({ binaries: postgresBinaries }), DatabaseUse.layerOwn)
        : DatabaseUse.layer(cluster === undefined ? "alone" : "together").pipe(
            Layer.provideMerge(DatabaseOwner.layerUrl(databaseUrl))
          )
    return Layer.merge(Database.layer({ secretsKey }), Layer.effect(DatabaseUse, DatabaseUse)).pipe(
      Layer.provide(owner)
    )
  })
)

/** Whom the installation serves, and their secrets. */
const tenants = Layer.mergeAll(
  Tenants.layer,
  Directory.layer,
  Layer.unwrap(Effect.map(Secrets, ({ key }) => Vault.layer({ masterKey: key })))
).pipe(Layer.provideMerge(Audit.layer))

/** Those the process was started with, and those of the tenants; no token is used before all secrets are looked at. */
const bots = configured(({ telegram }) => StoredBots.layer({ apiRoot: telegram.apiRoot })).pipe(
  Layer.provide(VaultCheck.layer),
  Layer.provideMerge(Sandbox.bots)
)

const apps = configured(({ telegram }) => Apps.layer({ apiRoot: telegram.apiRoot })).pipe(
  Layer.provideMerge(sessions)
)

const knowledge = Layer.mergeAll(
  KnowledgeBase.layer,
  configured(({ dataDir }) => GitProjection.layer({ directory: repositoriesIn(dataDir) }))
).pipe(Layer.provideMerge(RevisionLog.layer), Layer.provideMerge(Blobs.layer))

const wire = Layer.merge(Pacer.layer, GrammyApi.layer)

/** The bot as Telegram's servers (or the sandbox) see it. Tests put another `BotPort` in its place. */
export const telegram = GrammyBot.layer().pipe(Layer.provide(KeptFiles.layer))
/** What a bot may be built on. */
export type BeneathBot = Layer.Services<typeof telegram>

/** With a Redis of the operator's, bots are owned across processes. */
const locks = configured(({ redisUrl }) =>
  redisUrl === undefined ? LocksMemory.layer : shared((server) => server.locks(redisUrl))
).pipe(Layer.provide(Fences.layer))

const outbound = Streaming.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Outbox.layer, Callbacks.layer, Undelivered.layer, HandledUpdates.layer))
)

/** What is sent and tried is counted where all processes see it, or in this one. */
const counters = configured(({ redisUrl }) =>
  redisUrl === undefined ? LimitCounters.layerMemory : shared((server) => server.counters(redisUrl))
)

const permission = Layer.unwrap(
  Effect.gen(function* () {
    const { cluster, telegram } = yield* AppConfig
    const { key } = yield* Secrets
    // Everybody in the sandbox is the person in front of it.
    const sandboxed = cluster === undefined && telegram.botToken === undefined
    const allowed = sandboxed && telegram.allowedUsers === "claim" ? "everyone" : telegram.allowedUsers
    return Permission.layer({
      allowed,
      everybody: sandboxed ? "owner" : "member",
      digestKey: key
    }).pipe(Layer.provideMerge(Invites.layer({ key })))
  })
).pipe(Layer.provide(counters), Layer.provideMerge(Members.layer))

const limits = configured(({ cluster, limits, telegram }) =>
  // The sandbox is one person, on their own machine.
  Limits.layer(cluster === undefined && telegram.botToken === undefined ? {} : limits)
).pipe(Layer.provide(counters))

const assistant = NoteCreation.layer.pipe(
  Layer.provide(MediaRetry.layer),
  Layer.provide(Media.layer),
  Layer.provide(ClusterWorkflowEngine.layer)
)

const settings = configured(({ cluster, windows }) => {
  const rules = windowRules({ quiet: windows.note, max: windows.noteMax })
  return cluster === undefined
    ? Layer.succeed(ConversationSettings, { rules, clocksApart: 0 })
    : shared(({ clocksApart }) => Layer.succeed(ConversationSettings, { rules, clocksApart }))
})

/** With an address of its own, this process is one replica of many. */
const engine = configured(({ cluster }) =>
  cluster === undefined
    ? Layer.merge(Engine.layerSingle, Replicas.layerSole)
    : shared((server) => server.engine(cluster))
)

const conversations = Inbox.layer.pipe(
  Layer.provideMerge(Conversation.layer),
  Layer.provide(MessageProcessor.layer),
  Layer.provide(assistant),
  Layer.provide(settings),
  Layer.provideMerge(Layer.merge(engine, loginLinks))
)

/** Telegram is asked for updates, or told where they go. */
const receiving = configured(({ telegram: { webhook } }) =>
  webhook === undefined ? Intake.layer : WebhookIntake.layer(webhook)
)

/** Services with no part in the database hear of sessions by the operator's Redis. */
const told = configured(({ redisUrl }) =>
  redisUrl === undefined ? Layer.empty : shared((server) => server.sessionEvents(redisUrl))
)

const intake = Layer.merge(BotFleet.layer, FollowFleet.layer).pipe(
  Layer.provideMerge(BotRunner.layer),
  Layer.provide(BotSessions.layer),
  Layer.provideMerge(receiving),
  Layer.provideMerge(Taking.layer),
  Layer.provideMerge(limits),
  Layer.provide(Chats.layer)
)

/**
 * What is above closes before what is below it: first the doors, then the pollers, then the conversations, then the
 * other tasks, then what they use, then the database.
 */
export const layerWith = <A, E>(bot: Layer.Layer<BotPort | A, E, BeneathBot>) =>
  Layer.merge(Startup.layer, Shutdown.layerBegins).pipe(
    Layer.provideMerge(Sandbox.doors),
    Layer.provideMerge(Readiness.layer),
    Layer.provideMerge(Background.layer),
    Layer.provideMerge(intake),
    Layer.provideMerge(Layer.merge(Layer.provideMerge(conversations, accounts), told)),
    Layer.provideMerge(TaskManager.layer),
    Layer.provideMerge(permission),
    Layer.provideMerge(outbound),
    Layer.provideMerge(locks),
    Layer.provideMerge(bot),
    Layer.provideMerge(apps),
    Layer.provideMerge(wire),
    Layer.provideMerge(bots),
    Layer.provideMerge(knowledge),
    Layer.provideMerge(tenants),
    Layer.provideMerge(database),
    Layer.provideMerge(Secrets.layer),
    // Before anything is made that a taken port would have made in vain.
    Layer.provideMerge(Layer.provideMerge(Whereabouts.layer, Http.port)),
    Layer.provideMerge(directory),
    Layer.provideMerge(Layer.merge(Health.layer, Shutdown.layer))
  )
