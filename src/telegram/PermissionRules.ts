/** Who may use a bot and as what, decided without asking anyone: pure rules. */
import { createHmac } from "node:crypto"
import { defaultApp, defaultTenant } from "../domain/Ids.ts"
import type { Chat, IncomingUpdate, Sender } from "../domain/IncomingMessage.ts"
import type { Role } from "../domain/Role.ts"
import type { BotKey } from "./BotPort.ts"
import { conversationOf } from "./UpdateDecoder.ts"

/**
 * `claim`: the members of the tenant; while it has none, the first to send the configured bot its claim code. A list: those and nobody
 * else, as owners. `everyone`: whoever writes; what they are as members counts where they are.
 */
export type AllowedUsers = "claim" | "everyone" | ReadonlyArray<number>

/** The one bot whose claim code is shown to the operator. */
export const isConfigured = (bot: BotKey): boolean => bot.tenant === defaultTenant && bot.app === defaultApp

/** What the configuration says is about the bot it names; all others have members. */
export const ruleFor = (bot: BotKey, configured: AllowedUsers): AllowedUsers =>
  isConfigured(bot) ? configured : "claim"

/** `member`: what the user is in the tenant's roll. `everybody`: what they are where everyone may, without being there. */
export const roleOf = (
  rule: AllowedUsers,
  user: number,
  { member, everybody }: { readonly member: Role | undefined; readonly everybody: Role }
): Role | undefined => {
  if (rule === "everyone") return member ?? everybody
  if (rule === "claim") return member
  return rule.includes(user) ? "owner" : undefined
}

/**
 * A bot never counts as anybody: two bots would answer each other for ever. Chats that speak for themselves have no
 * account to allow; they count as everyone only.
 */
export const mayHaveRole = (rule: AllowedUsers, { kind }: Sender): boolean =>
  kind === "user" || (kind === "chat" && rule === "everyone")

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
