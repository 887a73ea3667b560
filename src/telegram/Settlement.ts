/** What becomes of an outbox row after an attempt to send it. Pure. */
import type { ChatId, MessageId } from "../domain/Ids.ts"
import type { BotPortError, OutgoingContent } from "./BotPort.ts"
import type { OutboxAction } from "./OutboxEntry.ts"

/** What is done for a row once the state of the message it refers to is known. */
export type Plan =
  | { readonly _tag: "Send"; readonly content: OutgoingContent; readonly replyTo?: MessageId }
  | { readonly _tag: "Edit"; readonly message: MessageId; readonly content: OutgoingContent }
  /** The status message is on its way: its fate decides. */
  | { readonly _tag: "Hold" }

/** The row a `Resolve` refers to, as far as it matters. */
export interface StatusRow {
  readonly state: string
  readonly messageId?: MessageId
}

export const planOf = (action: OutboxAction, status: StatusRow | undefined): Plan => {
  switch (action._tag) {
    case "Send":
      return {
        _tag: "Send",
        content: action.content,
        ...(action.replyTo === undefined ? {} : { replyTo: action.replyTo })
      }
    case "Edit":
      return { _tag: "Edit", message: action.message, content: action.content }
    case "Resolve":
      if (status?.state === "sending") return { _tag: "Hold" }
      return status?.state === "sent" && status.messageId !== undefined
        ? { _tag: "Edit", message: status.messageId, content: action.content }
        : { _tag: "Send", content: action.content }
  }
}

/** Times in Unix milliseconds. */
export type Settlement =
  | { readonly _tag: "Sent"; readonly messageId: MessageId }
  /** Pending again. `action` replaces the row's; `doubted`: its fate was unknown once. */
  | {
      readonly _tag: "Back"
      readonly notBefore: number
      readonly tried: boolean
      readonly doubted: boolean
      readonly reason: string
      readonly action?: OutboxAction
    }
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
    ? { _tag: "Back", notBefore: now, tried: true, doubted: true, reason }
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

/** Until the next try of a row: doubling from a second to half a minute; `spread` from 0 to 1 jitters it. */
export const backoff = (attempts: number, spread: number): number =>
  Math.round(Math.min(1_000 * 2 ** Math.min(attempts, 10), 30_000) * (0.5 + spread / 2))

/** Pending again, as if nothing had been tried unless `tried` says so. */
export const back = (
  notBefore: number,
  reason: string,
  more: { readonly tried?: boolean; readonly action?: OutboxAction } = {}
): Settlement => ({
  _tag: "Back",
  notBefore: Math.ceil(notBefore),
  tried: more.tried ?? false,
  doubted: false,
  reason,
  ...(more.action === undefined ? {} : { action: more.action })
})

/** Its first message is sent, durably: the row goes on with the others, at its place in the line. */
export const continued = (rest: OutgoingContent, now: number): Settlement =>
  back(now, "a part of it is sent", { action: { _tag: "Send", content: rest } })

export const settle = (
  row: Doubt & { readonly attempts: number },
  plan: Exclude<Plan, { _tag: "Hold" }>,
  error: BotPortError,
  options: { readonly now: number; readonly spread: number }
): Settlement => {
  const reason = error.message
  const later = options.now + backoff(row.attempts, options.spread)
  switch (error._tag) {
    case "RateLimited":
    case "CircuitOpen":
      return back(error.until, reason)
    case "Unavailable":
      return back(later, reason, { tried: true })
    case "Ambiguous":
      return plan._tag === "Edit" ? back(later, reason, { tried: true }) : doubt(row, reason, options.now)
    case "TargetGone":
      return plan._tag === "Edit"
        ? back(options.now, reason, { tried: true, action: { _tag: "Send", content: plan.content } })
        : { _tag: "Dead", reason }
    case "Migrated":
      return { _tag: "ChatMoved", to: error.to }
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
