import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue, Stream } from "effect"
import { AppId, BotId, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory, enabledTenants, type Listing } from "../../src/store/Directory.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { TestDatabase } from "../support/Postgres.ts"

const world = Layer.merge(Directory.layer, Tenants.layer).pipe(
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(TestDatabase.layer)
)

const addApp = (tenant: TenantId, app: string, botId: number) =>
  TenantScope.use(({ transaction }) =>
    transaction(
      tenant,
      (sql) => sql`INSERT INTO apps (tenant_id, app, kind, bot_id, api_key_alias)
        VALUES (${tenant}, ${app}, 'bot', ${botId}::bigint, ${app})`
    )
  )

/** Every listing from now on, the present one first. */
const listings = Effect.gen(function* () {
  const { changes } = yield* Directory
  const queue = yield* Queue.unbounded<Listing>()
  yield* Effect.forkScoped(
    Stream.runForEach(changes, (listing) => Queue.offer(queue, listing)),
    { startImmediately: true }
  )
  return queue
})

const until = (queue: Queue.Queue<Listing>, holds: (listing: Listing) => boolean) =>
  Effect.gen(function* () {
    while (true) {
      const listing = yield* Queue.take(queue)
      if (holds(listing)) return listing
    }
  }).pipe(Effect.timeout("8 seconds"))

it.live("whoever follows hears of every change at once, whichever process made it", () =>
  Effect.gen(function* () {
    const tenants = yield* Tenants
    const queue = yield* listings
    assert.deepStrictEqual([...(yield* Queue.take(queue)).tenants], [[defaultTenant, "enabled"]])
    const { id: acme } = yield* tenants.add({ id: "acme" }, "admin")
    // Sooner than anybody looks by himself.
    assert.deepStrictEqual(enabledTenants(yield* until(queue, ({ tenants: all }) => all.has(acme))), [
      acme,
      defaultTenant
    ])
    yield* addApp(acme, "helper", 7)
    yield* tenants.disable(acme, "admin")
    const disabled = yield* until(queue, ({ tenants: all }) => all.get(acme) === "disabled")
    assert.deepStrictEqual(enabledTenants(disabled), [defaultTenant])
    assert.deepInclude(disabled.apps[0], {
      tenant: acme,
      app: AppId.make("helper"),
      kind: "bot",
      botId: BotId.make(7),
      alias: "helper",
      enabled: false
    })
    yield* tenants.enable(acme, "admin")
    const enabled = yield* until(queue, ({ tenants: all }) => all.get(acme) === "enabled")
    assert.isTrue(enabled.apps[0]?.enabled)
    assert.strictEqual(enabled.apps[0]?.version, disabled.apps[0]?.version)
    yield* tenants.remove(acme, "admin")
    const removed = yield* until(queue, ({ tenants: all }) => !all.has(acme))
    assert.deepStrictEqual(removed.apps, [])
  }).pipe(Effect.provide(world))
)

it.live("that a tenant is not there is never said of one that has just been added", () =>
  Effect.gen(function* () {
    const { standing } = yield* Directory
    const tenants = yield* Tenants
    for (const name of ["a", "b", "c", "d", "e"]) {
      const { id } = yield* tenants.add({ id: name }, "admin")
      assert.strictEqual(yield* standing(id), "enabled")
    }
    assert.strictEqual(yield* standing(TenantId.make("never")), "unknown")
  }).pipe(Effect.provide(world))
)

it.live(
  "a change nobody signalled is seen within seconds, also when the connections broke meanwhile",
  () =>
    Effect.gen(function* () {
      const { superuser } = yield* TestDatabase
      const queue = yield* listings
      yield* Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* PgConnection.make(superuser)
          yield* connection.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()`
          )
          yield* connection.query(`INSERT INTO zapiska.tenants (tenant_id) VALUES ('silent')`)
        })
      )
      const listing = yield* until(queue, ({ tenants }) => tenants.has(TenantId.make("silent"))).pipe(
        Effect.retry({ times: 3 })
      )
      assert.strictEqual(listing.tenants.get(TenantId.make("silent")), "enabled")
    }).pipe(Effect.provide(world), Effect.provide(Logger.layer([]))),
  50_000
)
