/**
 * Whom this installation serves, as every process knows it at any moment: read anew when somebody says that it has
 * changed, and now and then without.
 */
import { Context, Duration, Effect, Layer, Queue, Semaphore, Stream, SubscriptionRef } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { AppId, BotId, TenantId } from "../domain/Ids.ts"
import { Signals } from "./Signals.ts"
import { TenantScope } from "./TenantScope.ts"

/** `unknown`: it was removed, or there never was one. */
export type Standing = "enabled" | "disabled" | "unknown"

export interface ListedApp {
  readonly tenant: TenantId
  readonly app: AppId
  readonly kind: "bot" | "user"
  /** Of a bot. */
  readonly botId: BotId | null
  /** Names its credential in the vault. */
  readonly alias: string
  /** Another one with every credential it gets. */
  readonly version: string
  /** Neither the app nor its tenant is disabled. */
  readonly enabled: boolean
}

export interface Listing {
  readonly tenants: ReadonlyMap<TenantId, Exclude<Standing, "unknown">>
  readonly apps: ReadonlyArray<ListedApp>
}

export class Directory extends Context.Service<
  Directory,
  {
    /** As it was read last. */
    readonly listing: Effect.Effect<Listing>
    /** As it is, and then each time it has changed. */
    readonly changes: Stream.Stream<Listing>
    /** That a tenant is unknown is only said after looking. */
    readonly standing: (tenant: TenantId) => Effect.Effect<Standing, SqlError.SqlError>
  }
>()("zapiska/store/Directory") {
  static readonly layer: Layer.Layer<Directory, SqlError.SqlError, Signals | TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

export const enabledTenants = ({ tenants }: Listing): ReadonlyArray<TenantId> =>
  [...tenants].flatMap(([tenant, standing]) => (standing === "enabled" ? [tenant] : []))

/** A signal can be lost with the connection it comes over. */
const lookEvery = Duration.seconds(10)
/** What changes together is read once. */
const gather = Duration.millis(50)

const read = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const tenants = yield* sql<{ tenant: TenantId; enabled: boolean }>`
    SELECT tenant_id AS tenant, disabled_at IS NULL AS enabled FROM tenants ORDER BY tenant_id`
  const apps = yield* sql<ListedApp>`
    SELECT tenant_id AS tenant, a.app, a.kind, a.bot_id::float8 AS "botId", a.api_key_alias AS alias,
      extract(epoch FROM a.rotated_at)::text AS version,
      a.disabled_at IS NULL AND t.disabled_at IS NULL AS enabled
    FROM apps a JOIN tenants t USING (tenant_id)
    ORDER BY tenant_id, a.app`
  return {
    tenants: new Map(
      tenants.map(({ tenant, enabled }) => [tenant, enabled ? ("enabled" as const) : ("disabled" as const)])
    ),
    apps
  }
})

const textOf = ({ tenants, apps }: Listing): string => JSON.stringify([[...tenants], apps])

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const wake = yield* Queue.sliding<void>(1)
  const one = yield* Semaphore.make(1)

  yield* Stream.merge(signals.listen("zapiska_directory"), signals.resumed).pipe(
    Stream.runForEach(() => Queue.offer(wake, undefined)),
    Effect.forkScoped({ startImmediately: true })
  )
  const listed = yield* SubscriptionRef.make<Listing>(yield* scope.directory(read))

  /** One at a time: what was read before never takes the place of what was read after. */
  const look = one.withPermit(
    Effect.gen(function* () {
      const before = yield* SubscriptionRef.get(listed)
      const now = yield* scope.directory(read)
      if (textOf(now) !== textOf(before)) yield* SubscriptionRef.set(listed, now)
      return now
    })
  )

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        const woken = yield* Effect.timeoutOption(Queue.take(wake), lookEvery)
        if (woken._tag === "Some") yield* Effect.sleep(gather)
        yield* Effect.catch(look, (error) =>
          Effect.logWarning(`Which tenants and apps there are cannot be read: ${error.message}; trying again`)
        )
      })
    )
  )

  return Directory.of({
    listing: SubscriptionRef.get(listed),
    changes: SubscriptionRef.changes(listed),
    standing: (tenant) =>
      Effect.flatMap(SubscriptionRef.get(listed), ({ tenants }) => {
        const known = tenants.get(tenant)
        return known !== undefined
          ? Effect.succeed(known)
          : Effect.map(look, (looked): Standing => looked.tenants.get(tenant) ?? "unknown")
      })
  })
})
