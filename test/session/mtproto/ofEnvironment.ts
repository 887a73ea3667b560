/** The sessions of a process of the machine: over the PostgreSQL and with the keys its environment names. */
import { Config, Effect, Layer, Redacted } from "effect"
import { Fences } from "../../../src/lock/Fences.ts"
import type { Locks } from "../../../src/lock/Locks.ts"
import { Scrubber } from "../../../src/ops/Scrub.ts"
import * as Database from "../../../src/store/Database.ts"
import { type Connection, DatabaseOwner } from "../../../src/store/DatabaseOwner.ts"
import type { TenantScope } from "../../../src/store/TenantScope.ts"
import type { UserClient } from "../../../src/telegram/UserClient.ts"
import { secretsKey, urlOf } from "../../support/TestServer.ts"
import { masterKey, process as processWith } from "../process.ts"

/** What such a process is given. */
export const environmentFor = (owner: Connection, redis: Redacted.Redacted<string>) => ({
  PATH: process.env.PATH,
  DATABASE_URL: urlOf(owner),
  REDIS_URL: Redacted.value(redis),
  SECRETS_KEY: secretsKey,
  MASTER_KEY: Buffer.from(Redacted.value(masterKey)).toString("base64")
})

export const sessionsOfEnvironment = (
  users: Layer.Layer<UserClient>,
  locks: (redis: Redacted.Redacted<string>) => Layer.Layer<Locks, never, Fences | TenantScope>
) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const [database, redis, secrets, master] = yield* Config.all([
        Config.Redacted("DATABASE_URL"),
        Config.Redacted("REDIS_URL"),
        Config.Redacted("SECRETS_KEY"),
        Config.Redacted("MASTER_KEY")
      ])
      return processWith(users, {
        replica: String(process.pid),
        masterKey: Redacted.make(new Uint8Array(Buffer.from(Redacted.value(master), "base64"))),
        locks: Layer.provide(locks(redis), Fences.layer)
      }).pipe(
        Layer.provide(
          Database.layer({ secretsKey: secrets, poolSize: 4, enginePoolSize: 1 }).pipe(
            Layer.provide(DatabaseOwner.layerUrl(database))
          )
        ),
        Layer.provide(Scrubber.layer)
      )
    })
  )
