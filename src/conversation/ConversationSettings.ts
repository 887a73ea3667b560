/** What the configuration says about conversations. */
import { Context } from "effect"
import type { WindowRules } from "./Window.ts"

export class ConversationSettings extends Context.Service<
  ConversationSettings,
  {
    /** Note mode. */
    readonly rules: WindowRules
  }
>()("zapiska/conversation/ConversationSettings") {}
