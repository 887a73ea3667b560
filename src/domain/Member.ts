/** A person of a tenant, as they are shown. */
import { Schema } from "effect"
import { UserId } from "./Ids.ts"
import { Role } from "./Role.ts"

export const Member = Schema.Struct({
  user: UserId,
  role: Role,
  name: Schema.String,
  /** IETF tag of the Telegram client they last wrote with. */
  language: Schema.optionalKey(Schema.String),
  /** ISO 8601 */
  since: Schema.String
})
export type Member = typeof Member.Type
