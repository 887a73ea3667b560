/** The people of the tests, and how they connect to the loopback Telegram with the real client. */
import { Effect, Layer, Option, Redacted } from "effect"
import { AppId, TenantId } from "../../../src/domain/Ids.ts"
import * as MtcuteClient from "../../../src/telegram/MtcuteClient.ts"
import { type ConnectOptions, type DataCentre, UserClient } from "../../../src/telegram/UserClient.ts"
import { LoopbackTelegram } from "./LoopbackTelegram.ts"

export const account = { tenant: TenantId.make("acme"), app: AppId.make("ada") }

/** Planted everywhere a secret goes, to be looked for everywhere else. */
export const ada = {
  id: 7_001,
  phone: "491701112233",
  code: "54321",
  name: "Ada",
  username: "ada",
  password: "correct horse battery",
  hint: "a comic strip"
}
export const apiHash = "0123456789abcdef0123456789abcdef"

export const connect = Effect.fnUntraced(function* (options: Partial<ConnectOptions> = {}) {
  const telegram = yield* LoopbackTelegram
  const client = yield* UserClient
  return yield* client.connect({
    account,
    apiId: 4242,
    apiHash: Redacted.make(apiHash),
    kept: Option.none(),
    mayWrite: Effect.void,
    dataCentre: telegram.dataCentre,
    ...options
  })
})

/** As somebody who logged in long ago. */
export const connectAs = Effect.fnUntraced(function* (id: number, options: Partial<ConnectOptions> = {}) {
  const telegram = yield* LoopbackTelegram
  const session = yield* telegram.session(id)
  return yield* connect({ kept: Option.some({ session }), ...options })
})

/** The real client, which finds this data centre where Telegram would be. */
export const clientTo = (dataCentre: DataCentre): Layer.Layer<UserClient> =>
  Layer.effect(
    UserClient,
    UserClient.useSync((client) =>
      UserClient.of({ connect: (options) => client.connect({ ...options, dataCentre }) })
    )
  ).pipe(Layer.provide(MtcuteClient.layer))

export const layer = Layer.merge(LoopbackTelegram.layer, MtcuteClient.layer)
