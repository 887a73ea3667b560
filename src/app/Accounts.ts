/** People's own accounts, of every tenant: the Layers that log them in and keep them. */
import { hostname } from "node:os"
import { Effect, Layer } from "effect"
import type { TenantId } from "../domain/Ids.ts"
import type { Tenant } from "../domain/Tenant.ts"
import { SessionEvents } from "../session/SessionEvents.ts"
import { SessionManager } from "../session/SessionManager.ts"
import { SessionSecrets } from "../session/SessionSecrets.ts"
import { SessionStore } from "../session/SessionStore.ts"
import { Tenants } from "../store/Tenants.ts"
import * as MtcuteClient from "../telegram/MtcuteClient.ts"

/** What this process is called where people read who has a session. */
const replica = `${hostname()}:${process.pid}`

/** The accounts of a tenant that is disabled are left in peace. */
export const served = (all: ReadonlyArray<Tenant>): ReadonlyArray<TenantId> =>
  all.flatMap(({ id, disabledAt }) => (disabledAt === undefined ? [id] : []))

export const accounts = Layer.unwrap(
  Effect.map(Tenants, ({ list }) => SessionManager.layer({ tenants: Effect.map(list, served) }))
).pipe(
  Layer.provideMerge(Layer.merge(SessionSecrets.layer, SessionEvents.layer)),
  Layer.provideMerge(SessionStore.layer({ replica })),
  Layer.provide(MtcuteClient.layer)
)
