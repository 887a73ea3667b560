/** Codes people send to be let in: the claim code, which makes an owner, and those of invites. Pure. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { TenantId } from "../domain/Ids.ts"
import type { IncomingMessage, IncomingUpdate } from "../domain/IncomingMessage.ts"
import type { BotKey } from "./BotPort.ts"
import { readRecord } from "./UpdateFields.ts"

/** Letters and digits that cannot be mistaken for each other (Crockford's base 32). */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
const spelled = (bytes: Uint8Array): string => Array.from(bytes, (byte) => alphabet[byte & 31]).join("")

/**
 * `7k2m-x9qd`: 40 bits, which nobody guesses in 50 tries an hour. They follow from the installation's key: whichever
 * replica hears the bot knows the code another printed, also after a restart.
 */
export const claimCodeOf = (key: Uint8Array, { tenant, app }: BotKey): string => {
  const code = spelled(createHmac("sha256", key).update(`claim/${tenant}/${app}`).digest().subarray(0, 8))
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

const readable = (code: string): string =>
  code.toLowerCase().replace(/[\s-]/g, "").replace(/o/g, "0").replace(/[il]/g, "1")

/** In constant time; a misread letter and a missing dash are forgiven. */
export const sameCode = (given: string, code: string): boolean => {
  const digest = (text: string) => createHash("sha256").update(readable(text)).digest()
  return timingSafeEqual(digest(given), digest(code))
}

/** What a person wrote in private, in their own words. */
const saidInPrivate = (update: IncomingUpdate): IncomingMessage | undefined => {
  if (update._tag !== "Message" || update.message.chat.kind !== "private") return undefined
  const { sender, origin } = update.message
  return sender.kind === "user" && origin === undefined ? update.message : undefined
}

/** The argument of /start: what the link held that opened the chat. */
const startArgument = ({ text }: IncomingMessage): string | undefined =>
  /^\s*\/start(?:@\w+)?\s+(\S.{0,80})$/i.exec(text.text)?.[1]?.trim()

/** What in a private message may be meant as the claim code: the argument of /start, or the bare code. */
export const claimIn = (update: IncomingUpdate): string | undefined => {
  const message = saidInPrivate(update)
  return message === undefined
    ? undefined
    : (startArgument(message) ?? /^\s*([0-9a-z]{4}[\s-]?[0-9a-z]{4})\s*$/i.exec(message.text.text)?.[1])
}

/** Whether a link brought the message about: it may hold a code that still works for somebody. */
export const holdsStartCode = (update: IncomingUpdate): boolean => {
  const message = saidInPrivate(update)
  return message !== undefined && startArgument(message) !== undefined
}

/** What is shaped like the code of an invite: other links to a bot hold other words, and nobody guesses with them. */
export const inviteIn = (update: IncomingUpdate): string | undefined => {
  const message = saidInPrivate(update)
  const code = message && startArgument(message)
  return code !== undefined && /^[0-9a-hjkmnp-tv-z]{16}$/.test(code) ? code : undefined
}

/** 80 bits that follow from the invite's name and the installation's key: made again, it is the same. */
export const inviteCodeOf = (key: Uint8Array, tenant: TenantId, id: string): string =>
  spelled(createHmac("sha256", key).update(`invite/${tenant}/${id}`).digest().subarray(0, 16))

/** All that is kept of the code. */
export const inviteDigest = (key: Uint8Array, tenant: TenantId, code: string): Uint8Array =>
  createHmac("sha256", key).update(`invited/${tenant}/${code}`).digest()

/** The update as if no code had been in it, so that the code is not kept and does not become a note. */
export const withoutCode = (raw: unknown): unknown => {
  const update = readRecord(raw)
  const message = readRecord(update?.message)
  const start = { text: "/start", entities: [{ type: "bot_command", offset: 0, length: 6 }] }
  return message === undefined ? raw : { ...update, message: { ...message, ...start } }
}

/** Something counted in a sliding window: at `at` (Unix milliseconds), by `user` where that matters. */
export interface Counted {
  readonly user: number
  readonly at: number
}

export const recent = (events: ReadonlyArray<Counted>, now: number, span: number): ReadonlyArray<Counted> =>
  events.filter(({ at }) => at > now - span)

/** Codes that may be tried at a bot in an hour. */
export const triesAnHour = { person: 5, all: 50 } as const
