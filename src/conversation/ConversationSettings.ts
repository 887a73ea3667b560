/** What the configuration says about conversations. */
import { Context } from "effect"
import type { WindowRules } from "./Window.ts"

export class ConversationSettings extends Context.Service<
  ConversationSettings,
  {
    /** Note mode. */
    readonly rules: WindowRules
    /** Milliseconds the clocks of those who store updates may be ahead of ours; of one process 0. */
    readonly clocksApart: number
  }
>()("zapiska/conversation/ConversationSettings") {}
