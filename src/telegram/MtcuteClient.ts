/** The accounts' client over mtcute, which is loaded when the first account connects: it takes time and memory. */
import { Context, Effect, Layer } from "effect"
import { type DataCentre, UserClient } from "./UserClient.ts"

/** Where accounts connect to instead of Telegram's own data centres: a test's. */
export const OtherDataCentre = Context.Reference<DataCentre | undefined>("zapiska/telegram/OtherDataCentre", {
  defaultValue: () => undefined
})

export const layer: Layer.Layer<UserClient> = Layer.effect(
  UserClient,
  Effect.map(OtherDataCentre, (dataCentre) =>
    UserClient.of({
      connect: (options) =>
        Effect.promise(() => import("./mtproto/Connect.ts")).pipe(
          Effect.flatMap(({ connect }) =>
            connect(dataCentre === undefined ? options : { dataCentre, ...options })
          ),
          Effect.withSpan("UserClient.connect", {
            attributes: { tenant: options.account.tenant, app: options.account.app }
          })
        )
    })
  )
)
