/** What becomes of an outbox row after an attempt to send it. Pure. */
import type { ChatId, MessageId } from "../domain/Ids.ts"
import type { BotPortError, OutgoingContent } from "./BotPort.ts"
import type { OutboxAction } from "./OutboxEntry.ts"
import { delayOf } from "./Retrying.ts"

/** What is done for a row once the state of the message it refers to is known. */
export type Plan =
  | { readonly _tag: "Send"; readonly content: OutgoingContent; readonly replyTo?: MessageId }
  | { readonly _tag: "Edit"; readonly message: MessageId; readonly content: OutgoingContent }
  /** The status message is on its way: its fate decides. */
  | { readonly _tag: "Hold" }

/** The row a `Resolve` refers to, as far as it matters. */
export interface StatusRow {
  readonly state: string
  readonly chat: ChatId
  readonly messageId?: MessageId
}

/** The row itself: where it goes, and whether it was written for another chat. */
export interface Place {
  readonly chat: ChatId
  readonly movedFrom?: ChatId
}

/**
 * A status message whose fate is unknown may stand in the chat for ever: the Bot API tells nobody what was sent, and
 * a message without a known id can be neither edited nor removed. The answer is then sent anew, below it.
 *
 * In a group that moved, the ids of messages are those of another chat: nothing is edited or replied to by them.
 */
export const planOf = (action: OutboxAction, place: Place, status: StatusRow | undefined): Plan => {
  const { content } = action
  switch (action._tag) {
    case "Send":
      return action.replyTo === undefined || place.movedFrom !== undefined
        ? { _tag: "Send", content }
        : { _tag: "Send", content, replyTo: action.replyTo }
    case "Edit":
      return place.movedFrom === undefined
        ? { _tag: "Edit", message: action.message, content }
        : { _tag: "Send", content }
    case "Resolve":
      if (status?.state === "sending") return { _tag: "Hold" }
      return status?.state === "sent" && status.chat === place.chat && status.messageId !== undefined
        ? { _tag: "Edit", message: status.messageId, content }
        : { _tag: "Send", content }
  }
}

/** Times in Unix milliseconds. */
export type Settlement =
  | { readonly _tag: "Sent"; readonly messageId: MessageId }
  /**
   * Pending again. `action` replaces the row's; `doubted`: its fate was unknown once; `parked`: it is Telegram who
   * wants the chat to be left alone until then.
   */
  | {
      readonly _tag: "Back"
      readonly notBefore: number
      readonly tried: boolean
      readonly doubted: boolean
      readonly parked: boolean
      readonly reason: string
      readonly action?: OutboxAction
    }
  /** A part of it is sent: the rest is a message of its own, of which nothing was tried yet. */
  | { readonly _tag: "Continued"; readonly action: OutboxAction }
  | { readonly _tag: "Unknown"; readonly reason: string }
  | { readonly _tag: "Dead"; readonly reason: string }
  /** Nobody can be written to in this chat: all its rows end. */
  | { readonly _tag: "ChatDead"; readonly reason: string }
  | { readonly _tag: "ChatMoved"; readonly to: ChatId }
  /** The bot has no valid token: everything waits. */
  | { readonly _tag: "BotStopped"; readonly reason: string }

export interface Doubt {
  readonly delivery: "result" | "chatter"
  /** Its fate was unknown before. */
  readonly doubted: boolean
}

/** A message that may have been sent: a result is sent once more, everything else stays as it is. */
export const doubt = (row: Doubt, reason: string, now: number): Settlement =>
  row.delivery === "result" && !row.doubted
    ? { ...back(now, reason, { tried: true }), doubted: true }
    : { _tag: "Unknown", reason }

/** A message that was being sent each time we were killed may be what kills us. */
const patience = 5

/**
 * A kill leaves whole batches in doubt of which hardly anything had left. A result is therefore sent again after
 * each one, not only the first; at worst a person sees it once more a kill.
 */
export const killed = (row: Doubt & { readonly attempts: number }, now: number): Settlement =>
  doubt(
    { ...row, doubted: row.doubted && row.attempts >= patience },
    "the program was killed while it was being sent",
    now
  )

/** A row as far as its tries matter. `created` in Unix milliseconds. */
export interface Tried extends Doubt, Place {
  readonly attempts: number
  readonly created: number
}

/** `spread`: from 0 to 1, jitters. `others`: whether Telegram did what other rows asked since this one failed last. */
export interface Circumstances {
  readonly now: number
  readonly spread: number
  readonly others: "served" | "not served"
}

/**
 * A message that Telegram fails at again and again while it does everything else may be what makes it fail: after
 * so many tries it ends, and those behind it go on. An outage is no proof of that, however long: then nothing else
 * is done either. Where nothing else was asked of Telegram, `lonely` hours are waited first.
 */
export const enough = { tries: 20, lonely: 6 * 3_600_000 } as const

const isHopeless = (row: Tried, options: Circumstances): boolean =>
  row.attempts + 1 >= enough.tries &&
  (options.others === "served" || options.now - row.created >= enough.lonely)

/** Pending again, as if nothing had been tried unless `tried` says so. */
export const back = (
  notBefore: number,
  reason: string,
  more: {
    readonly tried?: boolean
    readonly parked?: boolean
    readonly action?: OutboxAction
  } = {}
): Extract<Settlement, { readonly _tag: "Back" }> => ({
  _tag: "Back",
  notBefore: Math.ceil(notBefore),
  tried: more.tried ?? false,
  doubted: false,
  parked: more.parked ?? false,
  reason,
  ...(more.action === undefined ? {} : { action: more.action })
})

/** Its first message is sent, durably: the row goes on with the others, at its place in the line. */
export const continued = (rest: OutgoingContent): Settlement => ({
  _tag: "Continued",
  action: { _tag: "Send", content: rest }
})

const again = (row: Tried, reason: string, options: Circumstances): Settlement =>
  isHopeless(row, options)
    ? { _tag: "Dead", reason: `given up after ${row.attempts + 1} tries: ${reason}` }
    : back(options.now + delayOf(row.attempts + 1, options.spread), reason, { tried: true })

export const settle = (
  row: Tried,
  plan: Exclude<Plan, { _tag: "Hold" }>,
  error: BotPortError,
  options: Circumstances
): Settlement => {
  const reason = error.message
  switch (error._tag) {
    case "RateLimited":
      return back(error.until, reason, { parked: true })
    case "CircuitOpen":
      return back(error.until, reason)
    case "Unavailable":
      return again(row, reason, options)
    case "FileUnreadable":
      return error.again === "later" ? again(row, reason, options) : { _tag: "Dead", reason }
    case "Ambiguous":
      return plan._tag === "Edit" ? again(row, reason, options) : doubt(row, reason, options.now)
    case "TargetGone":
      return plan._tag === "Edit"
        ? back(options.now, reason, { tried: true, action: { _tag: "Send", content: plan.content } })
        : { _tag: "Dead", reason }
    case "Migrated":
      // Tried once more under its new id, which has none after it.
      return row.movedFrom === undefined ? { _tag: "ChatMoved", to: error.to } : { _tag: "Dead", reason }
    case "Unreachable":
      return { _tag: "ChatDead", reason }
    case "Unauthorized":
    case "BotUnknown":
      return { _tag: "BotStopped", reason }
    case "Refused":
    case "TooLarge":
      return { _tag: "Dead", reason }
  }
}

/** After such a failure nothing else is sent before Telegram has answered something harmless. */
export const isSuspicious = (error: BotPortError): boolean =>
  error._tag === "Ambiguous" || error._tag === "Unavailable" || error._tag === "CircuitOpen"
