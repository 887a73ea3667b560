/**
 * Named places at which a test may stop the process dead, to prove that nothing depends on getting further.
 * In a running product nobody listens.
 */
import { Context, Effect } from "effect"

export const failpoints = [
  /** An update is in its conversation's mailbox; Telegram has not heard of it. */
  "stored",
  /** A window closed; nothing of its unit is written. */
  "closed",
  /** Everything of a unit is written, nothing committed. */
  "written",
  /** The unit is durable; its messages still count as pending. */
  "committed",
  /** Revisions are commits in the repository; the working tree is as it was. */
  "imported",
  /** The fence of who projects is accepted; the branch has not moved. */
  "accepted",
  /** The working tree is up to date. */
  "checked out",
  /** An outbox row is marked as being sent; nothing has left. */
  "claimed",
  /** Telegram has the message; the row does not know it. */
  "sent",
  /** The row knows. */
  "settled"
] as const
export type Failpoint = (typeof failpoints)[number]

/** What happens at a failpoint. Nothing, unless a test says otherwise. */
export const AtFailpoint = Context.Reference<(name: Failpoint) => Effect.Effect<void>>(
  "zapiska/ops/AtFailpoint",
  { defaultValue: () => () => Effect.void }
)

export const reach = (name: Failpoint): Effect.Effect<void> => AtFailpoint.use((happens) => happens(name))
