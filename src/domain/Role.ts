/** What somebody may do with the notes of a tenant. */
import { Schema } from "effect"

/** `reader` may look; `member` may also write and take back; `owner` may also invite. */
export const Role = Schema.Literals(["reader", "member", "owner"])
export type Role = typeof Role.Type

const rank: Readonly<Record<Role, number>> = { reader: 0, member: 1, owner: 2 }

/** Whether `role` may do what takes at least `least`. Nobody's role may nothing. */
export const mayAs = (role: Role | undefined, least: Role): boolean =>
  role !== undefined && rank[role] >= rank[least]
