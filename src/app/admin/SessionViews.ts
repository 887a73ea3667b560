/** How a login goes and what an account is added with, as the admin API says it. */
import { Redacted, Schema } from "effect"
import { AppId, UserId } from "../../domain/Ids.ts"
import type { LoginStep } from "../../session/LoginStep.ts"
import { PersonId } from "./UsersGroup.ts"

export type { SessionInfo } from "../../session/SessionRow.ts"

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

/** The step as it is shown: a code that is scanned is no secret of whoever looks at it. */
export const viewOf = (step: LoginStep): LoginView => {
  switch (step._tag) {
    case "Qr":
      return { _tag: "Qr", url: Redacted.value(step.url), expires: step.expires }
    case "CodeSent": {
      const { sent, triesLeft } = step
      return {
        _tag: "CodeSent",
        via: sent.via,
        triesLeft,
        ...(sent.length === undefined ? {} : { length: sent.length })
      }
    }
    case "PasswordNeeded": {
      const { hint, triesLeft } = step
      return { _tag: "PasswordNeeded", triesLeft, ...(hint === undefined ? {} : { hint }) }
    }
    case "Authorized":
      return { _tag: "Authorized", account: { id: step.account.id, name: step.account.name } }
    default:
      return { _tag: step._tag }
  }
}

const apiIdAllowed = { message: "a whole number above 0, such as 12345" }
/** Both as https://my.telegram.org gives them. To Telegram the first is a signed number of 32 bits. */
const ApiId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }, apiIdAllowed))
export const ApiIdFromString = Schema.String.check(Schema.isPattern(/^\d{1,10}$/, apiIdAllowed)).pipe(
  Schema.decodeTo(Schema.FiniteFromString),
  Schema.decodeTo(ApiId)
)
export const ApiHash = Schema.String.check(
  Schema.isPattern(/^[0-9a-fA-F]{32}$/, { message: "32 digits and letters from a to f" })
)

/** The session of a person's account, with the API id and hash of https://my.telegram.org. */
export const NewAccount = Schema.Struct({
  app: AppId,
  apiId: ApiId,
  apiHash: Schema.RedactedFromValue(ApiHash),
  expected: Schema.optionalKey(PersonId).annotateKey({
    description: "The Telegram id of the person; another account is refused"
  })
})
export type NewAccount = typeof NewAccount.Type

/** Shown this once. */
export const NewLink = Schema.Struct({
  url: Schema.String,
  /** Unix milliseconds. */
  expires: Schema.Int
})
