import { randomBytes } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Redacted, Stream } from "effect"
import { AppId, defaultApp, defaultTenant, TenantId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import * as StoredBots from "../../src/session/StoredBots.ts"
import { UnservedBots } from "../../src/session/StoredBots.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { Directory } from "../../src/store/Directory.ts"
import { Signals } from "../../src/store/Signals.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { type BotAccount, Bots, botName } from "../../src/telegram/Bots.ts"
import { TestDatabase } from "../support/Postgres.ts"

const acme = TenantId.make("acme")
const helper = { tenant: acme, app: AppId.make("helper") }
const configured: BotAccount = {
  tenant: defaultTenant,
  app: defaultApp,
  token: Redacted.make(`1000001:${"c".repeat(35)}`)
}
const tokenOf = (id: number, letter: string) => Redacted.make(`${id}:${letter.repeat(35)}`)
const root = "http://127.0.0.1:1"

/** What `Apps` leaves behind, without asking Telegram. */
const store = (app: string, botId: number, token: Redacted.Redacted | undefined) =>
  Effect.gen(function* () {
    const { transaction } = yield* TenantScope
    const { notify } = yield* Signals
    const { put } = yield* Vault
    yield* transaction(acme, (sql) =>
      Effect.gen(function* () {
        yield* sql`INSERT INTO apps (tenant_id, app, kind, bot_id, api_key_alias)
          VALUES (${acme}, ${app}, 'bot', ${botId}::bigint, ${app})
          ON CONFLICT (tenant_id, app) DO UPDATE SET rotated_at = clock_timestamp()`
        if (token !== undefined) yield* put(acme, { kind: "bot", alias: app }, token)
        yield* notify(sql, "zapiska_directory", acme)
      })
    )
  })

const change = (statement: string) =>
  Effect.gen(function* () {
    const { transaction } = yield* TenantScope
    const { notify } = yield* Signals
    yield* transaction(acme, (sql) =>
      Effect.andThen(sql.unsafe(statement), notify(sql, "zapiska_directory", acme))
    )
  })

/** Waits until the accounts are what they should be. */
const accounts = (holds: (all: ReadonlyMap<string, BotAccount>) => boolean) =>
  Effect.gen(function* () {
    const bots = yield* Bots
    const found = yield* bots.changes.pipe(
      Stream.map((all) => new Map(all.map((one) => [botName(one), one] as const))),
      Stream.filter(holds),
      Stream.runHead,
      Effect.timeout("90 seconds")
    )
    return Option.getOrThrow(found)
  })

const beneath = Layer.merge(Directory.layer, Tenants.layer).pipe(
  Layer.provideMerge(Audit.layer),
  Layer.provideMerge(
    Layer.effectDiscard(
      TenantScope.use(({ transaction }) =>
        transaction(acme, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${acme})`)
      )
    )
  ),
  Layer.provideMerge(Vault.layer({ masterKey: Redacted.make(new Uint8Array(randomBytes(32))) })),
  Layer.provideMerge(Layer.merge(TestDatabase.layer, Scrubber.layer))
)

const world = StoredBots.layer({ apiRoot: root }).pipe(
  Layer.provide(Bots.layer([configured])),
  Layer.provideMerge(beneath)
)

it.live(
  "stored bots stand beside the configured one, with their token from the vault and the server to ask",
  () =>
    Effect.gen(function* () {
      const bots = yield* Bots
      assert.deepStrictEqual(yield* bots.list, [{ tenant: defaultTenant, app: defaultApp }])
      const token = tokenOf(2000002, "s")
      yield* store("helper", 2000002, token)
      const all = yield* accounts((now) => now.has("acme/helper"))
      const account = all.get("acme/helper")!
      assert.strictEqual(Redacted.value(account.token), Redacted.value(token))
      assert.strictEqual(account.apiRoot, root)
      assert.strictEqual(account.origin, "stored")
      assert.strictEqual(all.get("default/default"), configured)
      assert.strictEqual(yield* bots.get(helper), account)
      // The shape of a token is hidden anyway: this one has lost its number.
      const { text } = yield* Scrubber
      assert.notInclude(text(Buffer.from(Redacted.value(token)).toString("base64")), "c3Nzc3Nz")
    }).pipe(Effect.provide(world))
)

it.live(
  "an account is the same object until it has another token, and gone while it or its tenant is disabled",
  () =>
    Effect.gen(function* () {
      const bots = yield* Bots
      const tenants = yield* Tenants
      yield* store("helper", 2000002, tokenOf(2000002, "s"))
      const first = (yield* accounts((now) => now.has("acme/helper"))).get("acme/helper")
      yield* store("second", 3000003, tokenOf(3000003, "t"))
      const then = yield* accounts((now) => now.has("acme/second"))
      assert.strictEqual(then.get("acme/helper"), first)

      const rotated = tokenOf(2000002, "r")
      yield* store("helper", 2000002, rotated)
      const other = yield* accounts((now) => now.get("acme/helper") !== first)
      assert.strictEqual(Redacted.value(other.get("acme/helper")!.token), Redacted.value(rotated))
      assert.strictEqual(other.get("acme/second"), then.get("acme/second"))

      yield* change("UPDATE apps SET disabled_at = now() WHERE app = 'helper'")
      yield* accounts((now) => !now.has("acme/helper") && now.has("acme/second"))
      assert.strictEqual((yield* Effect.flip(bots.get(helper)))._tag, "BotUnknown")
      yield* change("UPDATE apps SET disabled_at = NULL WHERE app = 'helper'")
      yield* accounts((now) => now.has("acme/helper"))
      yield* tenants.disable(acme, "admin")
      yield* accounts((now) => now.size === 1)
      yield* tenants.disable(defaultTenant, "admin")
      yield* accounts((now) => now.size === 0)
      yield* tenants.enable(defaultTenant, "admin")
      assert.strictEqual((yield* accounts((now) => now.size === 1)).get("default/default"), configured)
    }).pipe(Effect.provide(world))
)

it.live("a token that does not open is told with its bot and keeps no other from being served", () =>
  Effect.gen(function* () {
    const { list } = yield* UnservedBots
    yield* store("helper", 2000002, undefined)
    yield* store("twin", 1000001, tokenOf(1000001, "x"))
    yield* store("second", 3000003, tokenOf(3000003, "t"))
    yield* accounts((now) => now.has("acme/second"))
    const unserved = new Map(
      (yield* list).map(({ tenant, app, reason }) => [botName({ tenant, app }), reason])
    )
    assert.sameMembers([...unserved.keys()], ["acme/helper", "acme/twin"])
    assert.match(unserved.get("acme/helper")!, /no bot secret named helper/)
    assert.match(unserved.get("acme/twin")!, /the bot the process was started with/)
    // Stored again, it is served, without anybody saying so.
    yield* Vault.use(({ put }) => put(acme, { kind: "bot", alias: "helper" }, tokenOf(2000002, "s")))
    yield* accounts((now) => now.has("acme/helper"))
    assert.deepStrictEqual(
      (yield* list).map(({ app }) => app),
      ["twin"]
    )
  }).pipe(Effect.provide(world), Effect.provide(Logger.layer([])))
)
