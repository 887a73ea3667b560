/** Who may use a bot, over the database of a test. */
import { Layer, Redacted } from "effect"
import { defaultApp, defaultTenant } from "../../../src/domain/Ids.ts"
import { Audit } from "../../../src/store/Audit.ts"
import { Bots } from "../../../src/telegram/Bots.ts"
import { Invites } from "../../../src/telegram/Invites.ts"
import { LimitCounters } from "../../../src/telegram/LimitCounters.ts"
import { Members } from "../../../src/telegram/Members.ts"
import { Outbox } from "../../../src/telegram/Outbox.ts"
import { Pacer } from "../../../src/telegram/Pacer.ts"
import { Permission, type PermissionOptions } from "../../../src/telegram/Permission.ts"

const key = Redacted.make(new Uint8Array(32).fill(7))

export const layer = (options: Partial<PermissionOptions> = {}) =>
  Permission.layer({ allowed: "claim", digestKey: key, ...options }).pipe(
    Layer.provideMerge(Invites.layer({ key })),
    Layer.provideMerge(Layer.mergeAll(Members.layer, Outbox.layer)),
    Layer.provide([
      Audit.layer,
      LimitCounters.layerMemory,
      Pacer.layer,
      Bots.layer([{ tenant: defaultTenant, app: defaultApp, token: Redacted.make("42:token") }])
    ])
  )
