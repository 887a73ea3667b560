/** A bot's webhook: where it is, the secret it is known by, and what an operator does about its troubles. Pure. */
import { createHmac } from "node:crypto"
import { Duration, Redacted } from "effect"
import type { BotKey } from "./BotPort.ts"
import { botName } from "./Bots.ts"
import type { PollFailure } from "./PollRules.ts"

export interface WebhookSettings {
  /** The public address of this server, without a slash at its end. */
  readonly url: string
  /** Never leaves the process: each bot's own secret is made of it. */
  readonly secret: Redacted.Redacted
}

/** Below it every bot has its own address. */
export const webhookRoot = "/telegram/"

export const addressOf = ({ url }: WebhookSettings, bot: BotKey): string =>
  `${url}${webhookRoot}${botName(bot)}`

/** What Telegram proves itself with to one bot, worthless for every other. */
export const secretOf = ({ secret }: Pick<WebhookSettings, "secret">, bot: BotKey): string =>
  createHmac("sha256", Redacted.value(secret)).update(botName(bot)).digest("hex")

/** Ports Telegram's own servers deliver to. Source: Bot API, setWebhook. */
export const webhookPorts = ["443", "80", "88", "8443"]

/**
 * Whether a bot that has `own` places gets another while `free` are left. Never more than are left for all others:
 * one that is noisy gets half of all places, two a third each, and however many there are, who has none finds one.
 */
export const mayTake = ({ own, free }: { readonly own: number; readonly free: number }): boolean => own < free

/** What getWebhookInfo tells that matters here. `last_error_date` in Unix seconds; it stays when all is well again. */
export interface WebhookInfo {
  readonly url?: string
  readonly pending_update_count: number
  readonly last_error_date?: number
  readonly last_error_message?: string
}

/** An error is of interest for so long after it happened: Telegram tries again at least every two minutes. */
const recent = Duration.toSeconds(Duration.minutes(5))

/** What to do when Telegram cannot deliver, by its own words for it. */
const remedy = (message: string): string => {
  if (/\b401\b/.test(message)) return "Is TELEGRAM_WEBHOOK_SECRET the same in every replica?"
  if (/\b403\b/.test(message)) return "Does the proxy pass the Host of TELEGRAM_WEBHOOK_URL on, or 127.0.0.1?"
  if (/\b404\b/.test(message))
    return `Does the proxy pass POST ${webhookRoot}… on, with TELEGRAM_WEBHOOK_URL set?`
  if (/\b50[0234]\b/.test(message)) return "The log and /health/ready of the replicas say more"
  if (/ssl|certificate/i.test(message))
    return "Telegram wants a certificate that is not self-signed, with its chain"
  return "Can TELEGRAM_WEBHOOK_URL be reached from the Internet?"
}

/** Why updates do not come, as Telegram sees it; undefined when they do. `now` in Unix seconds. */
export const troubleOf = (info: WebhookInfo, now: number): string | undefined => {
  const { last_error_date: at, last_error_message: message = "no reason given" } = info
  if (at === undefined || now - at > recent) return undefined
  return `Telegram could not deliver an update ${Math.max(now - at, 0)} s ago (${message}); ${info.pending_update_count} wait. ${remedy(message)}`
}

/** Why the webhook is not set, and what to do. */
export const webhookAdvice = (failure: PollFailure): string => {
  switch (failure._tag) {
    case "Refused":
      return `Telegram refuses the webhook (${failure.reason}). TELEGRAM_WEBHOOK_URL must begin with https:// and be reachable from the Internet, on port ${webhookPorts.join(", ")}, under a certificate that is not self-signed`
    case "Wait":
      return "Telegram asks to set the webhook later"
    case "Unauthorized":
      return "Telegram refuses the bot's token"
    case "Conflict":
      return "Telegram answers that somebody else receives the bot's updates"
    case "Outage":
      return `Telegram cannot be reached, so the webhook is not looked after (${failure.reason})`
  }
}
