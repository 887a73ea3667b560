/**
 * The message that says a window is open, and what becomes of it where its window is none any more: after a restart
 * messages find together anew, by their dates, and two windows of before may be one.
 */
import { Effect } from "effect"
import type { UpdateId } from "../domain/Ids.ts"
import type { Outbox, OutboxEntry } from "../telegram/Outbox.ts"
import type { Unit } from "./Aggregator.ts"
import { texts } from "./Texts.ts"
import type { UserContext } from "./UserContext.ts"

export const statusKey = (first: UpdateId): string => `status:${first}`

export const updatesOf = ({
  members,
  absorbed
}: Pick<Unit, "members" | "absorbed">): ReadonlyArray<UpdateId> => [
  ...members.map((one) => one.updateId),
  ...absorbed
]

/** For each window that went into this unit of another name: its status message says so. */
export const joining = Effect.fnUntraced(function* (
  outbox: Outbox["Service"],
  user: UserContext,
  unit: Pick<Unit, "first" | "members" | "absorbed">
) {
  const others = updatesOf(unit).flatMap((update) => (update === unit.first ? [] : [statusKey(update)]))
  const shown = yield* outbox.shown(user.tenant, user.botId, others)
  return shown.map(
    (status): OutboxEntry => ({
      address: user.address,
      botId: user.botId,
      key: `${status}:joined`,
      delivery: "chatter",
      action: { _tag: "Resolve", status, content: { _tag: "Text", text: texts[user.language].joined } }
    })
  )
})
