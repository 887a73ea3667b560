import { PgConnection } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { AppId, defaultTenant, TenantId, UserId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { LoginLinks, partsOf, sessionFor } from "../../src/session/LoginLinks.ts"
import type { SessionRow } from "../../src/session/SessionRow.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { Audit } from "../../src/store/Audit.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { Tenants } from "../../src/store/Tenants.ts"
import { Members } from "../../src/telegram/Members.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { apiHash, key, masterKey } from "./support.ts"

const layerAt = (base: string) =>
  LoginLinks.layer({ base }).pipe(
    Layer.provideMerge(Members.layer),
    Layer.provideMerge(
      Layer.mergeAll(SessionStore.layer({ replica: "one" }), Vault.layer({ masterKey }), Tenants.layer)
    ),
    Layer.provideMerge(Layer.merge(Audit.layer, Scrubber.layer)),
    Layer.provideMerge(TestDatabase.layer)
  )
const layer = layerAt("https://notes.example")

const acme = TenantId.make("acme")
const tokenOf = ({ url }: { readonly url: Redacted.Redacted<string> }) =>
  Redacted.value(url).split("/").at(-1)!
const added = SessionStore.use((store) => store.add(key, { kind: "user", apiKeyAlias: "main" }))
const withKey = (tenant = defaultTenant) =>
  Vault.use((vault) =>
    vault.put(tenant, { kind: "api-key", alias: "main" }, Redacted.make(`12345:${apiHash}`))
  )

it.effect("a link is looked at as often as you like, opened once, and gone on with by its ticket alone", () =>
  Effect.gen(function* () {
    yield* added
    const links = yield* LoginLinks
    const made = yield* links.create(key, "admin")
    assert.match(Redacted.value(made.url), /^https:\/\/notes\.example\/login\/default\.[\w-]{43}$/)
    assert.isFalse(made.local)
    const token = tokenOf(made)
    const link = { key, actor: "admin" as const }
    assert.deepStrictEqual(yield* links.find(token), Option.some(link))
    assert.deepStrictEqual(yield* links.find(token), Option.some(link))
    const [first, second] = yield* Effect.all([links.open(token), links.open(token)], {
      concurrency: "unbounded"
    })
    const opened = [first, second].flatMap(Option.toArray)
    assert.lengthOf(opened, 1)
    const ticket = Redacted.value(opened[0]!.ticket)
    assert.deepStrictEqual(yield* links.find(token), Option.none())
    assert.deepStrictEqual(yield* links.resume(token, ticket), Option.some(link))
    for (const wrong of ["", ticket.slice(1), token.split(".")[1]!])
      assert.deepStrictEqual(yield* links.resume(token, wrong), Option.none())
    assert.deepStrictEqual(
      (yield* Audit.use(({ list }) => list(defaultTenant))).map(({ action }) => action),
      ["session.link_created"]
    )
  }).pipe(Effect.provide(layer))
)

it.effect("a link lasts ten minutes, and what was opened twenty more", () =>
  Effect.gen(function* () {
    yield* added
    const links = yield* LoginLinks
    const late = tokenOf(yield* links.create(key, "admin"))
    yield* TestClock.adjust("10 minutes")
    assert.deepStrictEqual(yield* links.find(late), Option.none())
    assert.deepStrictEqual(yield* links.open(late), Option.none())
    const token = tokenOf(yield* links.create(key, "admin"))
    yield* TestClock.adjust("599 seconds")
    const ticket = Redacted.value(Option.getOrThrow(yield* links.open(token)).ticket)
    yield* TestClock.adjust("1199 seconds")
    assert.isTrue(Option.isSome(yield* links.resume(token, ticket)))
    yield* TestClock.adjust("1 second")
    assert.isTrue(Option.isNone(yield* links.resume(token, ticket)))
  }).pipe(Effect.provide(layer))
)

it.effect("a new link ends the one before it, and not the login that was begun with one", () =>
  Effect.gen(function* () {
    yield* added
    const links = yield* LoginLinks
    const first = tokenOf(yield* links.create(key, "admin"))
    const second = tokenOf(yield* links.create(key, "user:42"))
    assert.isTrue(Option.isNone(yield* links.find(first)))
    const ticket = Redacted.value(Option.getOrThrow(yield* links.open(second)).ticket)
    yield* links.create(key, "admin")
    assert.deepStrictEqual(yield* links.resume(second, ticket), Option.some({ key, actor: "user:42" }))
  }).pipe(Effect.provide(layer))
)

it.effect("whoever is no owner any more goes on with none of their links, opened or not", () =>
  Effect.gen(function* () {
    yield* withKey()
    const links = yield* LoginLinks
    const members = yield* Members
    const [ann, bob, cleo] = [UserId.make(42), UserId.make(43), UserId.make(44)]
    for (const user of [ann, bob, cleo]) yield* members.add(defaultTenant, { user, role: "owner" }, "admin")
    const linkOf = (person: UserId) => Effect.map(links.createFor(defaultTenant, person), tokenOf)
    const [anns, bobs, cleos] = [yield* linkOf(ann), yield* linkOf(bob), yield* linkOf(cleo)]
    const ticket = Redacted.value(Option.getOrThrow(yield* links.open(anns)).ticket)
    yield* members.setRole(defaultTenant, ann, "reader", "admin")
    yield* members.remove(defaultTenant, bob, "admin")
    assert.isTrue(Option.isNone(yield* links.resume(anns, ticket)))
    assert.isTrue(Option.isNone(yield* links.open(bobs)))
    assert.isTrue(Option.isSome(yield* links.open(cleos)))
  }).pipe(Effect.provide(layer))
)

it.effect("the database holds nothing of a link or a ticket that works", () =>
  Effect.gen(function* () {
    yield* added
    const links = yield* LoginLinks
    const token = tokenOf(yield* links.create(key, "admin"))
    const ticket = Redacted.value(Option.getOrThrow(yield* links.open(token)).ticket)
    const { superuser } = yield* TestDatabase
    const connection = yield* PgConnection.make(superuser)
    const rows = yield* connection.queryValues(
      "SELECT t::text FROM zapiska.login_links t UNION ALL SELECT a::text FROM zapiska.audit a"
    )
    assert.lengthOf(rows, 2)
    const hexOf = (text: string) => [text, Buffer.from(text, "base64url"), Buffer.from(text)]
    for (const secret of [token.split(".")[1]!, ticket].flatMap(hexOf))
      assert.notInclude(
        JSON.stringify(rows),
        typeof secret === "string" ? secret : secret.toString("hex"),
        "a secret"
      )
  }).pipe(Effect.provide(layer))
)

it.effect("a token is good for its own tenant only, whoever's name is put before it", () =>
  Effect.gen(function* () {
    yield* Tenants.use(({ add }) => add({ id: acme }, "admin"))
    yield* added
    yield* SessionStore.use((store) => store.add({ ...key, tenant: acme }, { kind: "user" }))
    const links = yield* LoginLinks
    const ours = tokenOf(yield* links.create(key, "admin"))
    const theirs = tokenOf(yield* links.create({ ...key, tenant: acme }, "admin"))
    const moved = ours.replace("default.", "acme.")
    for (const wrong of [moved, "acme.", ours.slice(0, -1), `nobody.${ours.split(".")[1]}`, "../x"]) {
      assert.isTrue(Option.isNone(yield* links.find(wrong)), wrong)
      assert.isTrue(Option.isNone(yield* links.open(wrong)), wrong)
    }
    const ticket = Redacted.value(Option.getOrThrow(yield* links.open(ours)).ticket)
    assert.isTrue(Option.isNone(yield* links.resume(theirs, ticket)))
    assert.isTrue(Option.isNone(yield* links.resume(moved, ticket)))
    assert.deepStrictEqual(
      yield* links.find(theirs),
      Option.some({ key: { ...key, tenant: acme }, actor: "admin" })
    )
    // In the scope of another tenant there is no row of it.
    const seen = yield* TenantScope.use(({ transaction }) =>
      transaction(acme, (sql) => sql`SELECT tenant_id FROM login_links`)
    )
    assert.deepStrictEqual(seen, [{ tenant_id: "acme" }])
  }).pipe(Effect.provide(layer))
)

it.effect("bots, strangers' names and accounts that are logged in get no link", () =>
  Effect.gen(function* () {
    const store = yield* SessionStore
    const links = yield* LoginLinks
    assert.strictEqual((yield* Effect.flip(links.create(key, "admin")))._tag, "SessionUnknown")
    yield* store.add({ ...key, app: AppId.make("bot") }, { kind: "bot" })
    const bot = yield* Effect.flip(links.create({ ...key, app: AppId.make("bot") }, "admin"))
    assert.strictEqual(bot._tag, "NotAnAccount")
    yield* added
    yield* store.move(key, "qr_started", { actor: "admin" })
    yield* links.create(key, "admin")
    yield* store.move(key, "authorization_success", { actor: "admin" })
    assert.strictEqual((yield* Effect.flip(links.create(key, "admin")))._tag, "AlreadyAuthorized")
  }).pipe(Effect.provide(layer))
)

it.effect("a person gets a session that takes their account only, and the same one again", () =>
  Effect.gen(function* () {
    const links = yield* LoginLinks
    const person = UserId.make(42)
    assert.strictEqual(
      (yield* Effect.flip(links.createFor(defaultTenant, person)))._tag,
      "CredentialsMissing"
    )
    yield* withKey()
    const made = yield* links.createFor(defaultTenant, person)
    assert.isTrue(made.local)
    const again = yield* links.createFor(defaultTenant, person)
    assert.deepStrictEqual(again.key, made.key)
    const row = yield* SessionStore.use((store) => store.get(made.key))
    assert.deepInclude(row, { app: made.key.app, expected: person, apiKeyAlias: "main" })
    assert.strictEqual(made.key.app, AppId.make("user-42"))
    assert.deepStrictEqual(
      (yield* Audit.use(({ list }) => list(defaultTenant))).map(({ action, actor }) => `${actor} ${action}`),
      ["user:42 session.link_created", "user:42 session.link_created", "user:42 session.added"]
    )
  }).pipe(Effect.provide(layerAt("http://127.0.0.1:8080")))
)

const row = (app: string, more: Partial<SessionRow> = {}): SessionRow => ({
  tenant: defaultTenant,
  app: AppId.make(app),
  kind: "user",
  state: "ABSENT",
  failures: 0,
  changed: 0,
  moves: 0,
  ...more
})

it("the session of a person is the one that expects them, then the one they are logged in to, then a new one", () => {
  const person = UserId.make(42)
  const other = UserId.make(43)
  const had = row("had", { account: { id: person, name: "Ann" } })
  const expects = row("expects", { expected: person })
  assert.deepStrictEqual(sessionFor([had, expects], person), { row: expects })
  assert.deepStrictEqual(sessionFor([row("free"), had], person), { row: had })
  assert.deepStrictEqual(sessionFor([row("free"), row("other", { expected: other })], person), {
    name: "user-42"
  })
  // Of somebody who was there before, or of a bot.
  assert.deepStrictEqual(sessionFor([row("user-42"), row("user-42-2", { kind: "bot" })], person), {
    name: "user-42-3"
  })
  const bot = row("bot", { kind: "bot", account: { id: person, name: "Bot" } })
  assert.deepStrictEqual(sessionFor([bot], person), { name: "user-42" })
})

it("a token that is no token has no parts", () => {
  for (const token of ["", ".", `-a.${"x".repeat(43)}`, `a.b.${"x".repeat(43)}`, `a.${"x".repeat(44)}`])
    assert.isUndefined(partsOf(token), token)
  assert.deepStrictEqual(partsOf(`acme.${"x".repeat(43)}`), { tenant: acme, secret: "x".repeat(43) })
})
