/** How a login goes and what an account is added with, as the admin API says it. */
import { Schema } from "effect"
import { AppId, UserId } from "../../domain/Ids.ts"

/** How a login goes. */
export const LoginView = Schema.Union([
  Schema.TaggedStruct("Starting", {}),
  /** `url`: what a code to be scanned says. Until `expires`; then another is shown. */
  Schema.TaggedStruct("Qr", { url: Schema.String, expires: Schema.Int }),
  Schema.TaggedStruct("Scanned", {}),
  Schema.TaggedStruct("CodeSent", {
    via: Schema.String,
    length: Schema.optionalKey(Schema.Int),
    triesLeft: Schema.Int
  }),
  Schema.TaggedStruct("PasswordNeeded", { hint: Schema.optionalKey(Schema.String), triesLeft: Schema.Int }),
  Schema.TaggedStruct("Authorized", { account: Schema.Struct({ id: UserId, name: Schema.String }) }),
  /** It came to nothing. `reason`: a word for programs, such as `LoginExpired`. */
  Schema.TaggedStruct("Ended", { reason: Schema.String, message: Schema.String })
])
export type LoginView = typeof LoginView.Type

/** The session of a person's account, with the API id and hash of https://my.telegram.org. */
export const NewAccount = Schema.Struct({
  app: AppId,
  apiId: Schema.Int.check(Schema.isGreaterThan(0)),
  apiHash: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{32}$/)), {
    label: "api hash"
  }),
  expected: Schema.optionalKey(UserId).annotateKey({
    description: "The Telegram id of the person; another account is refused"
  })
})
export type NewAccount = typeof NewAccount.Type
