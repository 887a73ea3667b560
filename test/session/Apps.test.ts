import { randomBytes } from "node:crypto"
import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Redacted, Schedule } from "effect"
import { AppId, BotId, defaultApp, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { BotApiEmulator } from "../../src/sandbox/Control.ts"
import { Apps } from "../../src/session/Apps.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { Bots } from "../../src/telegram/Bots.ts"
import { GrammyApi } from "../../src/telegram/GrammyApi.ts"
import { emulatorLayer } from "../support/emulator.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")
const other = TenantId.make("other")
const bot = { tenant: acme, app: AppId.make("helper") }

const tenants = Layer.effectDiscard(
  Effect.flatMap(Tenants, ({ add }) =>
    Effect.andThen(add({ id: acme }, "admin"), add({ id: other }, "admin"))
  )
).pipe(Layer.provideMerge(Tenants.layer), Layer.provideMerge(Audit.layer))

/** The emulator's first bot is the configured one. `apiRoot`: another place than where it listens. */
const world = (apiRoot?: string) =>
  Layer.unwrap(
    BotApiEmulator.useSync((emulator) => {
      const root = apiRoot ?? emulator.apiRoot
      const configured = { tenant: defaultTenant, app: defaultApp, apiRoot: root }
      return Apps.layer({ apiRoot: root }).pipe(
        Layer.provide(GrammyApi.layer),
        Layer.provideMerge(Bots.layer([{ ...configured, token: Redacted.make(emulator.bot.token) }]))
      )
    })
  ).pipe(
    Layer.provideMerge(SessionStore.layer({ replica: "one" }).pipe(Layer.provide(Scrubber.layer))),
    Layer.provideMerge(Vault.layer({ masterKey: Redacted.make(new Uint8Array(randomBytes(32))) })),
    Layer.provideMerge(tenants),
    Layer.provideMerge(TestDatabase.layer),
    Layer.provideMerge(emulatorLayer())
  )

const newBot = Effect.map(
  BotApiEmulator.use(({ createBot }) => createBot({ username: "helper_bot", name: "Helper" })),
  ({ id, token }) => ({ id: BotId.make(id), token: Redacted.make(token) })
)

const secret = (alias: string, tenant = acme) =>
  Vault.use((vault) => Effect.map(vault.get(tenant, { kind: "bot", alias }), Redacted.value))

const told = Effect.map(
  Audit.use(({ list }) => list(acme)),
  (rows) => rows.map(({ actor, action, subject }) => `${actor} ${action} ${subject}`).toReversed()
)

it.live("a bot whose token Telegram takes is kept: its token in the vault, who added it on record", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { id, token } = yield* newBot
    const { app, ...answer } = yield* apps.add({ ...bot, token }, "admin")
    assert.deepStrictEqual(answer, { telegram: "accepted", username: "helper_bot" })
    assert.deepInclude(app, { ...bot, kind: "bot", botId: id, alias: "helper" })
    assert.notProperty(app, "disabledAt")
    assert.deepStrictEqual(yield* apps.list(acme), [app])
    assert.deepStrictEqual(yield* apps.get(bot), app)
    assert.deepStrictEqual(yield* apps.list(other), [])
    assert.strictEqual(yield* secret("helper"), Redacted.value(token))
    assert.deepStrictEqual(yield* told, ["admin tenant.added acme", "admin app.added helper"])
  }).pipe(Effect.provide(world()))
)

it.live("a wrong token is told at once and nothing is kept of it", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { token } = yield* newBot
    for (const given of ["", "hello", "7:short", `${Redacted.value(token)} `, `x${Redacted.value(token)}`]) {
      const error = yield* Effect.flip(apps.add({ ...bot, token: Redacted.make(given) }, "admin"))
      assert.strictEqual(error._tag, "TokenMalformed", given)
    }
    const canary = `7000000002:${"canary".repeat(6)}`
    const refused = yield* Effect.flip(apps.add({ ...bot, token: Redacted.make(canary) }, "admin"))
    assert.strictEqual(refused._tag, "TokenRefused")
    assert.notInclude(`${refused.message}${JSON.stringify(refused)}`, "canary")
    assert.deepStrictEqual(yield* apps.list(acme), [])
    assert.deepStrictEqual(yield* Vault.use(({ names }) => names(acme)), [])
    assert.deepStrictEqual(yield* told, ["admin tenant.added acme"])
  }).pipe(Effect.provide(world()))
)

it.live("when Telegram cannot be asked the bot is kept, and that it was not asked is said", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { token } = yield* newBot
    const kept = yield* apps.add({ ...bot, token }, "admin")
    assert.strictEqual(kept.telegram, "unreachable")
    assert.notProperty(kept, "username")
    assert.deepStrictEqual(yield* apps.list(acme), [kept.app])
    assert.strictEqual(yield* secret("helper"), Redacted.value(token))
  }).pipe(Effect.provide(world("http://127.0.0.1:9")), Effect.provide(Logger.layer([])))
)

it.live("a bot is served once, whoever's it is, and the configured one too", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const emulator = yield* BotApiEmulator
    const { token } = yield* newBot
    yield* apps.add({ ...bot, token }, "admin")
    const configured = Redacted.make(emulator.bot.token)
    for (const [attempt, tag] of [
      [{ ...bot, token }, "AppExists"],
      [{ ...bot, app: "again", token }, "BotTaken"],
      [{ tenant: other, app: "theirs", token }, "BotTaken"],
      [{ tenant: other, app: "theirs", token: configured }, "BotTaken"],
      [{ tenant: defaultTenant, app: defaultApp, token }, "AppExists"],
      [{ tenant: acme, app: "Not A Name", token }, "AppInvalid"],
      [{ tenant: TenantId.make("nobody"), app: "x", token }, "TenantUnknown"]
    ] as const) {
      assert.strictEqual((yield* Effect.flip(apps.add(attempt, "admin")))._tag, tag)
    }
    assert.lengthOf(yield* apps.list(acme), 1)
    assert.lengthOf(yield* apps.list(other), 0)
    assert.strictEqual((yield* Effect.flip(apps.list(TenantId.make("nobody"))))._tag, "TenantUnknown")
  }).pipe(Effect.provide(world()))
)

it.live("a bot that is added while its tenant is removed: there is no such tenant", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const tenants = yield* Tenants
    const { token } = yield* newBot
    const { superuser } = yield* TestDatabase
    const { transaction } = yield* TenantScope
    const connection = yield* PgConnection.make(superuser)
    const removed = yield* Deferred.make<void>()
    const committing = yield* Deferred.make<void>()
    yield* Effect.forkChild(
      transaction(acme, () =>
        tenants
          .remove(acme, "admin")
          .pipe(
            Effect.andThen(Deferred.succeed(removed, undefined)),
            Effect.andThen(Deferred.await(committing))
          )
      )
    )
    yield* Deferred.await(removed)
    const adding = yield* Effect.forkChild(Effect.flip(apps.add({ ...bot, token }, "admin")))
    yield* connection
      .query("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
      .pipe(
        Effect.repeat({ until: ({ rows }) => rows.length > 0, schedule: Schedule.spaced("10 millis") }),
        Effect.timeout("90 seconds")
      )
    yield* Deferred.succeed(committing, undefined)
    assert.strictEqual((yield* Fiber.join(adding))._tag, "TenantUnknown")
  }).pipe(Effect.scoped, Effect.provide(world()))
)

it.live("rotating takes another token of the same bot, and of no other", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { revokeToken } = yield* BotApiEmulator
    const { id, token } = yield* newBot
    const { app } = yield* apps.add({ ...bot, token }, "admin")
    const renewed = Redacted.make((yield* revokeToken({ bot: id })).token)
    // The old one is worth nothing any more.
    assert.strictEqual((yield* Effect.flip(apps.rotate(bot, token, "admin")))._tag, "TokenRefused")
    const another = yield* newBot
    const wrong = yield* Effect.flip(apps.rotate(bot, another.token, "admin"))
    assert.strictEqual(wrong._tag, "TokenOfAnotherBot")
    assert.include(wrong.message, String(id))
    assert.strictEqual(yield* secret("helper"), Redacted.value(token))

    const rotated = yield* apps.rotate(bot, renewed, "user:7")
    assert.strictEqual(yield* secret("helper"), Redacted.value(renewed))
    assert.isAbove(Date.parse(rotated.app.rotatedAt), Date.parse(app.rotatedAt))
    assert.deepStrictEqual({ ...rotated.app, rotatedAt: app.rotatedAt }, app)
    const nobody = yield* Effect.flip(apps.rotate({ ...bot, tenant: other }, renewed, "admin"))
    assert.strictEqual(nobody._tag, "AppUnknown")
    assert.strictEqual((yield* told).at(-1), "user:7 app.rotated helper")
  }).pipe(Effect.provide(world()))
)

it.live("disabling and enabling are on record once each; removing takes the token out of the vault", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { token } = yield* newBot
    const { app } = yield* apps.add({ ...bot, token }, "admin")
    assert.property(yield* apps.disable(bot, "admin"), "disabledAt")
    yield* apps.disable(bot, "admin")
    assert.deepStrictEqual(yield* apps.enable(bot, "admin"), app)
    assert.deepStrictEqual(yield* apps.remove(bot, "admin"), app)
    for (const attempt of [
      apps.get(bot),
      apps.disable(bot, "admin"),
      apps.enable(bot, "admin"),
      apps.remove(bot, "admin")
    ]) {
      assert.strictEqual((yield* Effect.flip(attempt))._tag, "AppUnknown")
    }
    assert.deepStrictEqual(yield* Vault.use(({ names }) => names(acme)), [])
    assert.deepStrictEqual(yield* told, [
      "admin tenant.added acme",
      "admin app.added helper",
      "admin app.disabled helper",
      "admin app.enabled helper",
      "admin app.removed helper"
    ])
    // And it can be added again, also by another.
    yield* apps.add({ ...bot, tenant: other, token }, "admin")
  }).pipe(Effect.provide(world()))
)

it.live("an alias names a credential of the tenant's own: another's answers like one that is not there", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const vault = yield* Vault
    const { token } = yield* newBot
    yield* vault.put(acme, { kind: "bot", alias: "main" }, token)
    const theirs = yield* Effect.flip(apps.add({ tenant: other, app: "a", alias: "main" }, "admin"))
    const nobodys = yield* Effect.flip(apps.add({ tenant: other, app: "a", alias: "none" }, "admin"))
    assert.strictEqual(theirs._tag, "SecretUnknown")
    const shown = (error: { readonly message: string }) => `${error.message} ${JSON.stringify(error)}`
    assert.strictEqual(shown(theirs).replaceAll("main", "none"), shown(nobodys))

    const { app } = yield* apps.add({ ...bot, alias: "main" }, "admin")
    assert.strictEqual(app.alias, "main")
    const more = yield* newBot
    const taken = yield* Effect.flip(
      apps.add({ tenant: acme, app: "b", alias: "main", token: more.token }, "admin")
    )
    assert.strictEqual(taken._tag, "AliasTaken")
    assert.strictEqual(yield* secret("main"), Redacted.value(token))
  }).pipe(Effect.provide(world()))
)

it.live("no row of the database holds a token", () =>
  Effect.gen(function* () {
    const apps = yield* Apps
    const { token } = yield* newBot
    yield* apps.add({ ...bot, token }, "admin")
    const { superuser } = yield* TestDatabase
    const rows = yield* Effect.scoped(
      Effect.flatMap(PgConnection.make(superuser), (connection) =>
        connection.queryValues(`SELECT row_to_json(t)::text FROM zapiska.apps t
          UNION ALL SELECT row_to_json(t)::text FROM zapiska.audit t
          UNION ALL SELECT row_to_json(t)::text || encode(t.sealed, 'escape') FROM zapiska.vault_secrets t`)
      )
    )
    assert.isAbove(rows.length, 2)
    assert.notInclude(String(rows), Redacted.value(token).split(":")[1]!)
  }).pipe(Effect.provide(world()))
)
