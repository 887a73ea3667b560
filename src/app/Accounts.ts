/** Telegram sessions of every tenant: the Layers that log people's own accounts in, keep them, and know what they follow. */
import { hostname } from "node:os"
import { Effect, Layer } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import type { Tenant } from "../domain/Tenant.ts"
import { localUrl } from "../ops/HttpServer.ts"
import { AccountFiles } from "../session/AccountFiles.ts"
import { ChatFollows } from "../session/ChatFollows.ts"
import { FollowStore } from "../session/FollowStore.ts"
import { KnownAccounts } from "../session/KnownAccounts.ts"
import { LoginLinks } from "../session/LoginLinks.ts"
import { SessionEvents } from "../session/SessionEvents.ts"
import { SessionManager } from "../session/SessionManager.ts"
import { SessionSecrets } from "../session/SessionSecrets.ts"
import { SessionStore } from "../session/SessionStore.ts"
import { Tenants } from "../store/Tenants.ts"
import * as MtcuteClient from "../telegram/MtcuteClient.ts"
import { AppConfig } from "./AppConfig.ts"

/** What this process is called where people read who has a session. */
const replica = `${hostname()}:${process.pid}`

/** The accounts of a tenant that is disabled are left in peace. */
export const served = (all: ReadonlyArray<Tenant>): ReadonlyArray<TenantId> =>
  all.flatMap(({ id, disabledAt }) => (disabledAt === undefined ? [id] : []))

/** What is kept of sessions, those of bots, too. */
export const sessions = Layer.merge(SessionStore.layer({ replica }), SessionEvents.layer)

/** Beneath the conversations, in which people ask for one. */
export const loginLinks = Layer.unwrap(
  Effect.gen(function* () {
    const { http } = yield* AppConfig
    return LoginLinks.layer({ base: http.publicUrl ?? (yield* localUrl) })
  })
)

const manager = Layer.unwrap(
  Effect.map(Tenants, ({ list }) => SessionManager.layer({ tenants: Effect.map(list, served) }))
).pipe(Layer.provideMerge(SessionSecrets.layer), Layer.provide(MtcuteClient.layer))

export const accounts = Layer.merge(ChatFollows.layer, AccountFiles.layer).pipe(
  Layer.provideMerge(KnownAccounts.layer),
  Layer.provideMerge(manager),
  Layer.provideMerge(FollowStore.layer)
)
