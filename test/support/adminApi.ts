/** The admin API over a real PostgreSQL and the emulator's Telegram, asked as a program asks it. */
import { randomBytes } from "node:crypto"
import { Effect, Layer, Logger, Redacted, type Schema } from "effect"
import { adminRoutes } from "../../src/app/AdminApi.ts"
import * as SessionsPage from "../../src/app/sessions/SessionsPage.ts"
import { defaultApp, defaultTenant } from "../../src/domain/Ids.ts"
import { Fences } from "../../src/lock/Fences.ts"
import * as LocksMemory from "../../src/lock/LocksMemory.ts"
import { Health } from "../../src/ops/Health.ts"
import { AdminToken } from "../../src/ops/HttpApi.ts"
import { listen, localUrl, serve } from "../../src/ops/HttpServer.ts"
import { opsRoutes } from "../../src/ops/OpsRoutes.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { Apps } from "../../src/session/Apps.ts"
import { ChatFollows } from "../../src/session/ChatFollows.ts"
import { FollowStore } from "../../src/session/FollowStore.ts"
import { KnownAccounts } from "../../src/session/KnownAccounts.ts"
import { LoginLinks } from "../../src/session/LoginLinks.ts"
import { SessionEvents } from "../../src/session/SessionEvents.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { SessionSecrets } from "../../src/session/SessionSecrets.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TaskManager } from "../../src/task/TaskManager.ts"
import { BotPort } from "../../src/telegram/BotPort.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { Invites } from "../../src/telegram/Invites.ts"
import { LimitCounters } from "../../src/telegram/LimitCounters.ts"
import { Limits } from "../../src/telegram/Limits.ts"
import { Members } from "../../src/telegram/Members.ts"
import { Outbox } from "../../src/telegram/Outbox.ts"
import { Pacer } from "../../src/telegram/Pacer.ts"
import { Undelivered } from "../../src/telegram/Undelivered.ts"
import { NetworkDown, UserClient } from "../../src/telegram/UserClient.ts"
import { emulatorLayer } from "./emulator.ts"
import { TestDatabase } from "./Postgres.ts"

export const adminToken = "canary-admin-token-0123456789"

const key = Redacted.make(new Uint8Array(randomBytes(32)))

const bots = Layer.unwrap(
  BotApiEmulator.useSync(({ apiRoot, bot }) =>
    Layer.mergeAll(
      Apps.layer({ apiRoot }),
      Invites.layer({ key }),
      Limits.layer({}).pipe(Layer.provide(LimitCounters.layerMemory))
    ).pipe(
      Layer.provideMerge(Members.layer),
      Layer.provide(Outbox.layer),
      Layer.provide(Layer.merge(GrammyApi.layer, Pacer.layer)),
      Layer.provideMerge(BotPort.layerRecording),
      Layer.provideMerge(
        Bots.layer([{ tenant: defaultTenant, app: defaultApp, apiRoot, token: Redacted.make(bot.token) }])
      )
    )
  )
)

const links = LoginLinks.layer({ base: "https://notes.example" })

const sessions = Layer.merge(ChatFollows.layer, links).pipe(
  Layer.provide(KnownAccounts.layer),
  Layer.provide(SessionEvents.layer),
  Layer.provideMerge(SessionManager.layer({ tenants: Effect.succeed([defaultTenant]) })),
  Layer.provide(FollowStore.layer),
  Layer.provideMerge(SessionSecrets.layer),
  Layer.provide(LocksMemory.layer),
  Layer.provide(Fences.layer)
)

const services = Layer.mergeAll(bots, Undelivered.layer, sessions).pipe(
  Layer.provideMerge(SessionStore.layer({ replica: "test" })),
  Layer.provideMerge(Vault.layer({ masterKey: key })),
  Layer.provideMerge(Tenants.layer),
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(TestDatabase.layer),
  Layer.provideMerge(emulatorLayer()),
  Layer.provideMerge(Layer.mergeAll(TaskManager.layer, Health.layer, Scrubber.layer, Logger.layer([])))
)

/** `users`: Telegram as people's own accounts reach it. With the page that shows sessions. */
export const adminApiWith = (users: Layer.Layer<UserClient>) =>
  serve(Layer.mergeAll(adminRoutes, SessionsPage.layer, opsRoutes()), []).pipe(
    Layer.provideMerge(listen({ host: "127.0.0.1", port: 0, alternatives: 0 })),
    Layer.provideMerge(services),
    Layer.provide(users),
    Layer.provide(Layer.succeed(AdminToken, Redacted.make(adminToken)))
  )

const unreachable = Layer.mock(UserClient, {
  connect: () => Effect.fail(new NetworkDown({ method: "connect" }))
})

export const adminApi = adminApiWith(unreachable)

/** For a test that asks for none of it. */
export const nothingBehind = Layer.mergeAll(
  Layer.mock(Apps, {}),
  Layer.mock(Audit, {}),
  Layer.mock(BotPort, {}),
  Layer.mock(ChatFollows, {}),
  Layer.mock(Bots, {}),
  Layer.mock(Invites, {}),
  Layer.mock(Limits, {}),
  Layer.mock(LoginLinks, {}),
  Layer.mock(Members, {}),
  Layer.mock(SessionManager, {}),
  Layer.mock(Tenants, {}),
  Layer.mock(TenantScope, {}),
  Layer.mock(Vault, {})
)

export interface Called {
  readonly status: number
  readonly text: string
  /** What was answered, when it is JSON. */
  readonly body: ReturnType<typeof JSON.parse>
}

/** `token: undefined`: without one. */
export const call = (
  method: string,
  path: string,
  options: { readonly payload?: Schema.Json; readonly token?: string | undefined } = {}
) =>
  Effect.flatMap(localUrl, (base) =>
    Effect.promise(async (signal): Promise<Called> => {
      const token = "token" in options ? options.token : adminToken
      const response = await fetch(new URL(path, base), {
        method,
        signal,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(options.payload === undefined ? {} : { "content-type": "application/json" })
        },
        ...(options.payload === undefined ? {} : { body: JSON.stringify(options.payload) })
      })
      const text = await response.text()
      const json = response.headers.get("content-type")?.includes("json") && text !== ""
      return { status: response.status, text, body: json ? JSON.parse(text) : undefined }
    })
  )

/** A bot that Telegram knows. */
export const newBot = (username: string) =>
  BotApiEmulator.use(({ createBot }) => createBot({ username, name: username }))

/** What is on record of a tenant, in the order it happened. */
export const recorded = (tenant: string) =>
  Effect.map(call("GET", `/api/tenants/${tenant}/audit`), ({ body }) =>
    body.map((row: Record<string, unknown>) => `${row.actor} ${row.action} ${row.subject}`).reverse()
  )
