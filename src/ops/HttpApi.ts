/** The one door of the admin API: the bearer token every request carries, in whatever group it is. */
import { createHash, timingSafeEqual } from "node:crypto"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"

export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { message: Schema.String },
  { httpApiStatus: 401 }
) {}

/** The bearer every request to the API carries. */
export class AdminToken extends Context.Service<AdminToken, Redacted.Redacted>()("zapiska/ops/AdminToken") {}

/** What a group of the API is put behind. */
export class AdminOnly extends HttpApiMiddleware.Service<AdminOnly>()("zapiska/ops/AdminOnly", {
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized
}) {}

const digest = (text: string) => createHash("sha256").update(text).digest()

/** Takes the same time whatever is wrong with the token, its length included. */
export const sameSecret = (given: string, wanted: string): boolean =>
  timingSafeEqual(digest(given), digest(wanted))

export const adminOnly: Layer.Layer<AdminOnly, never, AdminToken> = Layer.effect(
  AdminOnly,
  Effect.gen(function* () {
    const token = Redacted.value(yield* AdminToken)
    return AdminOnly.of({
      bearer: (handle, { credential }) =>
        sameSecret(Redacted.value(credential), token)
          ? handle
          : new Unauthorized({
              message:
                "Send the header `Authorization: Bearer <ADMIN_TOKEN>`; the start of the log says where it is"
            })
    })
  })
)
