/** Where the bot says something: a chat, or a topic of it, as one app of one tenant. */
import { Schema } from "effect"
import { AppId, ChatId, TenantId, ThreadId } from "./Ids.ts"

export class Address extends Schema.Class<Address>("Address")({
  tenant: TenantId,
  app: AppId,
  chat: ChatId,
  thread: Schema.optionalKey(ThreadId)
}) {}
