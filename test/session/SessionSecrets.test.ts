import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer, Redacted } from "effect"
import { AppId, defaultTenant } from "../../src/domain/Ids.ts"
import { Scrubber } from "../../src/ops/Scrub.ts"
import { telemetry } from "../../src/ops/Telemetry.ts"
import { SessionSecrets } from "../../src/session/SessionSecrets.ts"
import { SessionStore } from "../../src/session/SessionStore.ts"
import { Vault } from "../../src/session/Vault.ts"
import { TestDatabase } from "../support/Postgres.ts"
import { apiHash, key, masterKey } from "./support.ts"

/** A process that was just started: it has been told of no secret yet. */
const fresh = SessionSecrets.layer.pipe(
  Layer.provideMerge(telemetry({ level: "info", format: "json", otlpEndpoint: undefined, version: "1" })),
  Layer.provideMerge(Scrubber.layer)
)
const beneath = Layer.mergeAll(
  Vault.layer({ masterKey }),
  SessionStore.layer({ replica: "one" }).pipe(Layer.provide(Scrubber.layer))
).pipe(Layer.provideMerge(TestDatabase.layer))

const session = "AwQAAAAXAgIADjE0OS4xNTQuMTY3LjUxAbv-canary-of-a-session"
const next = "AwQAAAAXAgIADjE0OS4xNTQuMTY3LjUxAbv-another-session-canary"

it.live("what a session was opened with is in no log, whoever writes it there", () =>
  Effect.gen(function* () {
    const vault = yield* Vault
    const store = yield* SessionStore
    yield* vault.put(key.tenant, { kind: "api-key", alias: "main" }, Redacted.make(`12345:${apiHash}`))
    yield* store.add(key, { kind: "user", apiKeyAlias: "main" })
    const row = yield* store.get(key)
    const other = { tenant: defaultTenant, app: AppId.make("other") }
    yield* vault.put(other.tenant, { kind: "session", alias: other.app }, Redacted.make(session))
    const lines: Array<string> = []
    const careless = Effect.gen(function* () {
      const secrets = yield* SessionSecrets
      const opened = [
        (yield* secrets.credentials(row)).apiHash,
        (yield* secrets.kept(other)).session,
        yield* Effect.as(secrets.keep(key, { session: Redacted.make(next) }), Redacted.make(next))
      ]
      for (const secret of opened) yield* Effect.logInfo(`opened ${Redacted.value(secret)} just now`)
    })
    yield* careless.pipe(
      Effect.provide(Layer.fresh(fresh)),
      Effect.provideService(Console.Console, { ...console, log: (line: string) => void lines.push(line) })
    )
    const said = lines.filter((line) => line.includes("just now"))
    assert.lengthOf(said, 3)
    for (const line of said) assert.include(line, "opened <hidden> just now")
  }).pipe(Effect.provide(beneath))
)
