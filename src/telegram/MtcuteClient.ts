/** The accounts' client over mtcute, which is loaded when the first account connects: it takes time and memory. */
import { Effect, Layer } from "effect"
import { UserClient } from "./UserClient.ts"

export const layer: Layer.Layer<UserClient> = Layer.succeed(
  UserClient,
  UserClient.of({
    connect: (options) =>
      Effect.promise(() => import("./mtproto/Connect.ts")).pipe(
        Effect.flatMap(({ connect }) => connect(options)),
        Effect.withSpan("UserClient.connect", {
          attributes: { tenant: options.account.tenant, app: options.account.app }
        })
      )
  })
)
