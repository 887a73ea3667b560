/** A link that makes people members of a tenant, as it is shown; never what is in the link. */
import { Duration, Schema } from "effect"

/** What an invite may make of somebody: owners are made by owners they know, not by a link. */
export const InviteRole = Schema.Literals(["member", "reader"])
export type InviteRole = typeof InviteRole.Type

export const mostUses = 1_000
export const defaultInviteLifetime = Duration.days(7)

export const Invite = Schema.Struct({
  id: Schema.String,
  role: InviteRole,
  usesLeft: Schema.Int,
  /** ISO 8601 */
  expiresAt: Schema.String,
  createdBy: Schema.String,
  createdAt: Schema.String
})
export type Invite = typeof Invite.Type
