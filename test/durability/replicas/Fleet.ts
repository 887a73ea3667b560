/** The bots of the replicas: one by its token in the environment of each, others kept in the database, of two tenants. */
import { Effect, Layer, Redacted } from "effect"
import { AppId, BotId, defaultApp, defaultTenant, TenantId, UserId } from "../../../src/domain/Ids.ts"
import { lockName } from "../../../src/lock/Locks.ts"
import { Scrubber } from "../../../src/ops/Scrub.ts"
import { BotApiEmulator } from "../../../src/sandbox/Control.ts"
import { Apps } from "../../../src/session/Apps.ts"
import { leaseOf } from "../../../src/session/BotRunner.ts"
import { SessionStore } from "../../../src/session/SessionStore.ts"
import { Vault } from "../../../src/session/Vault.ts"
import { Audit } from "../../../src/store/Audit.ts"
import { Tenants } from "../../../src/store/Tenants.ts"
import type { BotKey } from "../../../src/telegram/BotPort.ts"
import { Bots } from "../../../src/telegram/Bots.ts"
import { GrammyApi } from "../../../src/telegram/GrammyApi.ts"
import { Members } from "../../../src/telegram/Members.ts"
import { secretsKey } from "../../support/TestServer.ts"

export interface FleetBot {
  readonly id: number
  readonly tenant: TenantId
  /** The name of its lock. */
  readonly lock: string
}

const acme = TenantId.make("acme")

const botOf = (id: number, key: BotKey): FleetBot => ({
  id,
  tenant: key.tenant,
  lock: lockName(leaseOf(key.tenant, BotId.make(id)))
})

/** The services an operator's command would use, on the same database. */
const office = Layer.unwrap(
  BotApiEmulator.useSync(({ apiRoot, bot }) =>
    Apps.layer({ apiRoot }).pipe(
      Layer.provide(GrammyApi.layer),
      Layer.provide(
        Bots.layer([{ tenant: defaultTenant, app: defaultApp, apiRoot, token: Redacted.make(bot.token) }])
      )
    )
  )
).pipe(
  Layer.provide(Vault.layer({ masterKey: Redacted.make(new Uint8Array(Buffer.from(secretsKey, "base64"))) })),
  Layer.provide(SessionStore.layer({ replica: "office" }).pipe(Layer.provide(Scrubber.layer))),
  Layer.provideMerge(Layer.merge(Tenants.layer, Members.layer)),
  Layer.provide(Audit.layer)
)

/** The configured bot and so many more, by turns of the other tenant and of the first; for these people to use. */
export const fleet = Effect.fnUntraced(function* (more: number, people: ReadonlyArray<number>) {
  const emulator = yield* BotApiEmulator
  return yield* Effect.gen(function* () {
    const apps = yield* Apps
    const tenants = yield* Tenants
    const members = yield* Members
    yield* tenants.add({ id: acme }, "admin")
    for (const tenant of [acme, defaultTenant]) {
      for (const user of people) {
        yield* members.add(tenant, { user: UserId.make(user), role: "member" }, "admin")
      }
    }
    const others = yield* Effect.forEach(Array.from({ length: more }), (_, nth) =>
      Effect.gen(function* () {
        const key = { tenant: nth % 2 === 0 ? acme : defaultTenant, app: AppId.make(`bot-${nth}`) }
        const { id, token } = yield* emulator.createBot({ username: `more_${nth}_bot`, name: `Bot ${nth}` })
        yield* apps.add({ ...key, token: Redacted.make(token) }, "admin")
        return botOf(id, key)
      })
    )
    return [botOf(emulator.bot.id, { tenant: defaultTenant, app: defaultApp }), ...others]
  }).pipe(Effect.provide(office))
})
