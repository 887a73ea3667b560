/** The person a conversation is with: how to speak to them and in whose name their notes are written. */
import { Address } from "../domain/Address.ts"
import {
  type AppId,
  type BotId,
  type ChatId,
  defaultKnowledgeBase,
  type TenantId,
  type ThreadId
} from "../domain/Ids.ts"
import type { Sender } from "../domain/IncomingMessage.ts"
import { type Language, languageOf } from "../domain/Language.ts"
import type { Author } from "../domain/Note.ts"
import type { KnowledgeBaseKey } from "../knowledge/RevisionLog.ts"

/** One conversation: a person in a chat (and topic of it), as one app of one tenant sees them. */
export interface ConversationKey {
  readonly tenant: TenantId
  readonly app: AppId
  readonly botId: BotId
  readonly chat: ChatId
  readonly thread: ThreadId | undefined
  /** User id, or the id of a chat that speaks for itself. */
  readonly sender: number
}

export interface UserContext extends ConversationKey {
  /** What comes in is of the person's own account: they did not write to a bot, and none answers. */
  readonly unanswered: boolean
  readonly language: Language
  readonly author: Author
  readonly address: Address
  readonly knowledgeBase: KnowledgeBaseKey
}

/** An address nobody can receive mail at (RFC 2606), the same for a person for ever. */
const emailOf = (sender: number): string => `${sender}@telegram.invalid`

export const userContext = (
  key: ConversationKey,
  sender: Sender,
  { unanswered = false }: { readonly unanswered?: boolean } = {}
): UserContext => ({
  ...key,
  unanswered,
  language: languageOf(sender.language),
  author: { name: sender.name, email: emailOf(sender.id) },
  address: new Address({
    tenant: key.tenant,
    app: key.app,
    chat: key.chat,
    ...(key.thread === undefined ? {} : { thread: key.thread })
  }),
  knowledgeBase: { tenant: key.tenant, name: defaultKnowledgeBase }
})
