/** A session and its login as people are shown them. */
import { Schema } from "effect"
import { AppId, TenantId, UserId } from "../../domain/Ids.ts"

const Kind = Schema.Literals(["bot", "user"])
const State = Schema.Literals([
  "ABSENT",
  "PENDING_QR",
  "PENDING_CODE",
  "PENDING_PASSWORD",
  "AUTHORIZED",
  "STALE",
  "REVOKED"
])

/** Times in Unix milliseconds. */
export const SessionView = Schema.Struct({
  tenant: TenantId,
  app: AppId,
  kind: Kind,
  state: State,
  expected: Schema.optionalKey(UserId),
  account: Schema.optionalKey(Schema.Struct({ id: UserId, name: Schema.String })),
  owner: Schema.optionalKey(Schema.String),
  failures: Schema.Int,
  lastActivity: Schema.optionalKey(Schema.Int),
  lastError: Schema.optionalKey(Schema.String),
  nextTry: Schema.optionalKey(Schema.Int),
  nextTryBecause: Schema.optionalKey(Schema.Literals(["flood", "trouble"])),
  changed: Schema.Int
})
export type SessionView = typeof SessionView.Type

export const TransitionView = Schema.Struct({
  number: Schema.Int,
  from: State,
  to: State,
  reason: Schema.String,
  actor: Schema.String,
  trace: Schema.String,
  at: Schema.Int
})

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
