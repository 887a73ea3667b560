/** Who may use a bot, decided without asking anyone: pure rules, and what strangers are told. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { Chat, IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import { languageOf } from "../domain/Language.ts"
import type { BotKey } from "./BotPort.ts"
import { conversationOf } from "./UpdateDecoder.ts"
import { readRecord } from "./UpdateFields.ts"

/** `claim`: whoever is in the members table; while that is empty, the first to send the claim code. */
export type AllowedUsers = "claim" | "everyone" | ReadonlyArray<number>

/**
 * A bot never counts as everyone: two bots would answer each other for ever. Chats that speak for themselves
 * have no account to allow; they count as everyone only.
 */
export const isAllowed = (
  allowed: AllowedUsers,
  isMember: (user: number) => boolean,
  sender: Sender
): boolean => {
  if (allowed === "everyone") return sender.kind !== "bot"
  return sender.kind === "user" && (allowed === "claim" ? isMember(sender.id) : allowed.includes(sender.id))
}

/** Letters and digits that cannot be mistaken for each other (Crockford's base 32). */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

/** `7k2m-x9qd`, from 8 random bytes: 40 bits, which nobody guesses in 50 tries an hour. */
export const claimCodeOf = (random: Uint8Array): string => {
  const code = Array.from(random.slice(0, 8), (byte) => alphabet[byte & 31]).join("")
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

const readable = (code: string): string =>
  code.toLowerCase().replace(/[\s-]/g, "").replace(/o/g, "0").replace(/[il]/g, "1")

/** In constant time; a misread letter and a missing dash are forgiven. */
export const sameCode = (given: string, code: string): boolean => {
  const digest = (text: string) => createHash("sha256").update(readable(text)).digest()
  return timingSafeEqual(digest(given), digest(code))
}

/** What in a private message may be meant as the claim code: the argument of /start, or the bare code. */
export const claimIn = (update: IncomingUpdate): string | undefined => {
  if (update._tag !== "Message" || update.message.chat.kind !== "private") return undefined
  const { sender, origin, text } = update.message
  if (sender.kind !== "user" || origin !== undefined) return undefined
  const argument = /^\s*\/start(?:@\w+)?\s+(\S.{0,80})$/i.exec(text.text)?.[1]
  return argument?.trim() ?? /^\s*([0-9a-z]{4}[\s-]?[0-9a-z]{4})\s*$/i.exec(text.text)?.[1]
}

/** The update as if the code had not been in it, so that the code is not kept and does not become a note. */
export const withoutClaim = (raw: unknown): unknown => {
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

export const hour = 3_600_000

export const recent = (events: ReadonlyArray<Counted>, now: number, span: number): ReadonlyArray<Counted> =>
  events.filter(({ at }) => at > now - span)

/** Wrong codes an hour: 5 of one person, 50 of all. */
export const mayTry = (tries: ReadonlyArray<Counted>, user: number, now: number): boolean => {
  const lately = recent(tries, now, hour)
  return lately.length < 50 && lately.filter((one) => one.user === user).length < 5
}

/** The private chat in which a stranger is waiting for an answer. */
export const refusalChat = (
  update: IncomingUpdate
): { readonly chat: Chat; readonly sender: Sender } | undefined => {
  if (update._tag !== "Message" && update._tag !== "Unknown") return undefined
  const place = conversationOf(update)
  return place?.chat.kind === "private" && place.sender.kind === "user" ? place : undefined
}

/** What is kept of a refused person: the same on the same day, meaningless without the key. */
export const refusalDigest = (key: Uint8Array, bot: BotKey, user: number, day: string): Uint8Array =>
  createHmac("sha256", key).update(`refusal/${bot.tenant}/${bot.app}/${day}/${user}`).digest()

export type RefusalKind = "private" | "unclaimed" | "wrongCode"

const texts: Readonly<Record<"en" | "ru", Readonly<Record<RefusalKind, string>>>> = {
  en: {
    private:
      "Sorry, I am a personal assistant and work only for the people who run me. Nothing of what you sent is kept.",
    unclaimed:
      "Hello! I do not belong to anyone yet. If it is you who started me, send me the claim code from the program's output. Until then I keep nothing of what I am sent.",
    wrongCode: "That is not the claim code. It stands in the output of the program that runs me."
  },
  ru: {
    private:
      "Извините, я личный помощник и работаю только для тех, кто меня запустил. Ничего из присланного не сохраняется.",
    unclaimed:
      "Здравствуйте! Пока я ничей. Если меня запустили вы, пришлите код владельца, который напечатала программа. До этого я ничего из присланного не сохраняю.",
    wrongCode: "Это не код владельца. Он напечатан программой, которая меня запустила."
  }
}

export const refusalText = (kind: RefusalKind, sender: Sender): string =>
  texts[languageOf(sender.language)][kind]
