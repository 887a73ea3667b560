/** What is kept of a session, tampered with in every way the database allows: found out, set aside, told, and healed by a login. */
import { randomBytes } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue, Redacted, Stream } from "effect"
import fc from "fast-check"
import { AppId, TenantId } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { type SessionEvent, SessionEvents, type SessionKey } from "../../src/session/SessionEvents.ts"
import { SessionManager } from "../../src/session/SessionManager.ts"
import { Vault } from "../../src/session/Vault.ts"
import { TenantScope } from "../../src/store/TenantScope.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { code, makeFakeTelegram } from "./FakeTelegram.ts"
import { process } from "./process.ts"
import { ann, apiHash, bob, by, key, watching } from "./support.ts"

const other = { ...key, app: AppId.make("other") }
const theirs = { ...key, tenant: TenantId.make("acme") }

const lines: Array<string> = []
const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
const beneath = Layer.mergeAll(TestDatabase.layer, Scrubber.layer, logger)

const added = Effect.fnUntraced(function* (one: SessionKey) {
  const { put } = yield* Vault
  yield* put(one.tenant, { kind: "api-key", alias: "main" }, Redacted.make(`12345:${apiHash}`))
  yield* (yield* SessionManager).add(one, { kind: "user", apiKeyAlias: "main" })
})

const loggedIn = Effect.fnUntraced(function* (one: SessionKey) {
  const manager = yield* SessionManager
  const { next } = yield* watching(manager.loginByCode(one, Redacted.make(ann.phone), by))
  // The row says so a moment before a code is taken.
  yield* next("CodeSent")
  yield* manager.submitCode(one, Redacted.make(code))
})

const sealedOf = (one: SessionKey, kind = "session", alias: string = one.app) =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    Effect.map(
      transaction(
        one.tenant,
        (sql) => sql<{ readonly sealed: Uint8Array }>`
          SELECT sealed FROM vault_secrets WHERE kind = ${kind} AND alias = ${alias}`
      ),
      ([row]) => Buffer.from(row!.sealed)
    )
  )

const overwrite = (one: SessionKey, sealed: Uint8Array) =>
  Effect.flatMap(TenantScope, ({ transaction }) =>
    transaction(
      one.tenant,
      (sql) =>
        sql`UPDATE vault_secrets SET sealed = ${sealed}::bytea WHERE kind = 'session' AND alias = ${one.app}`
    )
  )

type Tampering =
  | { readonly how: "flipped"; readonly bits: ReadonlyArray<number> }
  | { readonly how: "cut"; readonly left: number }
  | { readonly how: "longer"; readonly by: Uint8Array }
  | { readonly how: "nonsense"; readonly bytes: Uint8Array }
  | { readonly how: "other's"; readonly whose: "another session" | "another tenant" | "another kind" }

const bytes = (minLength: number) => fc.uint8Array({ minLength, maxLength: 200 })
const tampering: fc.Arbitrary<Tampering> = fc.oneof(
  fc.record({
    how: fc.constant("flipped" as const),
    bits: fc.uniqueArray(fc.nat(5_000), { minLength: 1, maxLength: 8 })
  }),
  fc.record({ how: fc.constant("cut" as const), left: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
  fc.record({ how: fc.constant("longer" as const), by: bytes(1) }),
  fc.record({ how: fc.constant("nonsense" as const), bytes: bytes(0) }),
  fc.record({
    how: fc.constant("other's" as const),
    whose: fc.constantFrom("another session" as const, "another tenant" as const, "another kind" as const)
  })
)

const tampered = (sealed: Buffer, how: Tampering) => {
  switch (how.how) {
    case "flipped": {
      // Each bit once, or two flips of one would undo each other.
      const bits = new Set(how.bits.map((bit) => bit % (sealed.length * 8)))
      const changed = Buffer.from(sealed)
      for (const bit of bits) changed[bit >> 3]! ^= 1 << (bit & 7)
      return Effect.succeed(changed)
    }
    case "cut":
      return Effect.succeed(sealed.subarray(0, Math.floor(sealed.length * how.left)))
    case "longer":
      return Effect.succeed(Buffer.concat([sealed, how.by]))
    case "nonsense":
      return Effect.succeed(Buffer.from(how.bytes))
    case "other's":
      if (how.whose === "another kind") return sealedOf(key, "api-key", "main")
      return sealedOf(how.whose === "another session" ? other : theirs)
  }
}

const quarantined = Effect.flatMap(TenantScope, ({ transaction }) =>
  transaction(
    key.tenant,
    (sql) => sql<{ readonly sealed: Uint8Array }>`SELECT sealed FROM vault_quarantine ORDER BY 1`
  )
)
const refusal = Effect.flatMap(SessionManager, ({ client }) =>
  Effect.map(Effect.flip(Effect.scoped(client(key))), ({ _tag }) => _tag)
)
const both = Effect.flatMap(TenantScope, ({ transaction }) =>
  transaction(theirs.tenant, (sql) => sql`INSERT INTO tenants (tenant_id) VALUES (${theirs.tenant})`)
)
/** A client that is alive has no need of what is kept: a process that begins has. */
const begins = <A, E, R>(
  users: ReturnType<typeof makeFakeTelegram>["layer"],
  work: Effect.Effect<A, E, R>,
  options: Parameters<typeof process>[1] = {}
) =>
  Effect.scoped(
    Effect.flatMap(
      Layer.build(
        process(users, { tenants: Effect.succeed([key.tenant, theirs.tenant]), ...options }).pipe(Layer.fresh)
      ),
      (services) => Effect.provideContext(work, services)
    )
  )

it.live(
  "changed, cut, lengthened or another's: set aside, told, never sent to Telegram, and healed by a login",
  () => {
    const { layer: users, world: telegram } = makeFakeTelegram([ann, bob])
    let sets = 0
    return Effect.gen(function* () {
      yield* both
      yield* begins(
        users,
        Effect.forEach([key, other, theirs], (one) => Effect.andThen(added(one), loggedIn(one)))
      )
      const run = Effect.runPromiseWith(yield* Effect.context<Layer.Success<typeof beneath>>())
      const holds = (how: Tampering) =>
        Effect.gen(function* () {
          const manager = yield* SessionManager
          const { changes } = yield* SessionEvents
          const heard = yield* Queue.unbounded<SessionEvent>()
          yield* Effect.forkChild(
            changes.pipe(
              Stream.filter(({ reason }) => reason === "material_corrupted"),
              Stream.runForEach((event) => Queue.offer(heard, event))
            ),
            { startImmediately: true }
          )
          const broken = yield* tampered(yield* sealedOf(key), how)
          yield* overwrite(key, broken)
          const { connected } = telegram
          lines.length = 0
          assert.strictEqual(yield* refusal, "Corrupted")
          // Known by now to whoever asks, once and for all.
          for (const _ of [1, 2, 3]) assert.strictEqual(yield* refusal, "NotAuthorized")
          assert.strictEqual(telegram.connected, connected)
          const aside = yield* quarantined
          assert.lengthOf(aside, ++sets)
          assert.isTrue(aside.some(({ sealed }) => broken.equals(sealed)))
          assert.deepInclude(yield* Queue.take(heard), { ...key, event: "session.absent" })
          assert.match((yield* manager.status(key)).lastError ?? "", /does not open/)
          assert.lengthOf(
            lines.filter((line) => line.includes('"WARN"') && line.includes("vault_quarantine")),
            1
          )
          yield* loggedIn(key)
          yield* Effect.scoped(Effect.flatMap(manager.client(key), ({ me }) => me))
        })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(tampering, (how) => run(begins(users, holds(how)))),
          {
            numRuns: 40,
            examples: [["another session"], ["another tenant"], ["another kind"]].map(([whose]) => [
              { how: "other's", whose } as Tampering
            ])
          }
        )
      )
      // The others have nothing to do with it.
      yield* begins(
        users,
        Effect.flatMap(SessionManager, ({ client }) =>
          Effect.forEach([other, theirs], (one) => Effect.scoped(Effect.flatMap(client(one), ({ me }) => me)))
        )
      )
    }).pipe(Effect.provide(beneath))
  },
  600_000
)

it.live("what opens and is no session is set aside as well", () => {
  const { layer: users } = makeFakeTelegram([ann, bob])
  return Effect.gen(function* () {
    yield* begins(users, Effect.andThen(added(key), loggedIn(key)))
    yield* begins(
      users,
      Effect.gen(function* () {
        yield* Vault.use(({ put }) =>
          put(key.tenant, { kind: "session", alias: key.app }, Redacted.make("no session"))
        )
        assert.strictEqual(yield* refusal, "Corrupted")
        assert.strictEqual(yield* refusal, "NotAuthorized")
        assert.lengthOf(yield* quarantined, 1)
        yield* loggedIn(key)
      })
    )
  }).pipe(Effect.provide(beneath))
})

it.live(
  "another tenant's with the key it was sealed under beside it: set aside, told and healed all the same",
  () => {
    const { layer: users, world: telegram } = makeFakeTelegram([ann, bob])
    return Effect.gen(function* () {
      const { transaction } = yield* TenantScope
      yield* both
      yield* begins(
        users,
        Effect.forEach([key, theirs], (one) => Effect.andThen(added(one), loggedIn(one)))
      )
      const [copied] = yield* transaction(
        theirs.tenant,
        (sql) =>
          sql<{ readonly id: string; readonly wrapped: Uint8Array }>`SELECT id, wrapped FROM vault_keys`
      )
      // The newest, so that whoever seals would take it.
      yield* transaction(
        key.tenant,
        (sql) => sql`
        INSERT INTO vault_keys (tenant_id, id, wrapped, created_at)
        VALUES (${key.tenant}, ${copied!.id}, ${copied!.wrapped}::bytea, now() + interval '1 day')`
      )
      yield* overwrite(key, yield* sealedOf(theirs))
      yield* begins(
        users,
        Effect.gen(function* () {
          const { client, status } = yield* SessionManager
          const { connected } = telegram
          lines.length = 0
          assert.strictEqual(yield* refusal, "Corrupted")
          assert.strictEqual(yield* refusal, "NotAuthorized")
          assert.strictEqual(telegram.connected, connected)
          assert.lengthOf(yield* quarantined, 1)
          assert.match((yield* status(key)).lastError ?? "", /does not open/)
          assert.lengthOf(
            lines.filter((line) => line.includes("vault_quarantine")),
            1
          )
          yield* loggedIn(key)
          yield* Effect.scoped(Effect.flatMap(client(key), ({ me }) => me))
          yield* Vault.use(({ rotate }) => rotate(key.tenant))
        })
      )
      yield* begins(
        users,
        Effect.flatMap(SessionManager, ({ client }) =>
          Effect.forEach([key, theirs], (one) => Effect.scoped(Effect.flatMap(client(one), ({ me }) => me)))
        )
      )
    }).pipe(Effect.provide(beneath))
  }
)

it.live("under another key of the house nothing is set aside: with the right one it is as it was", () => {
  const { layer: users } = makeFakeTelegram([ann, bob])
  return Effect.gen(function* () {
    yield* begins(users, Effect.andThen(added(key), loggedIn(key)))
    yield* begins(
      users,
      Effect.gen(function* () {
        for (const _ of [1, 2, 3]) assert.strictEqual(yield* refusal, "SecretUnreadable")
        const { status, history } = yield* SessionManager
        // Told where operators look, once.
        assert.deepInclude(yield* status(key), { state: "AUTHORIZED", failures: 1 })
        assert.match((yield* status(key)).lastError ?? "", /SECRETS_KEY|key/)
        assert.lengthOf(yield* history(key, 10), 2)
        assert.lengthOf(yield* quarantined, 0)
      }),
      { masterKey: Redacted.make(new Uint8Array(randomBytes(32))) }
    )
    yield* begins(
      users,
      Effect.gen(function* () {
        const { client, status } = yield* SessionManager
        yield* Effect.scoped(Effect.flatMap(client(key), ({ me }) => me))
        assert.notProperty(yield* status(key), "lastError")
      })
    )
  }).pipe(Effect.provide(beneath))
})
