/** What every command has: a name for Telegram's menu and what it answers. */
import type { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { UpdateId } from "../../domain/Ids.ts"
import type { KnowledgeBase } from "../../knowledge/KnowledgeBase.ts"
import type { OutgoingContent } from "../../telegram/BotPort.ts"
import type { Callbacks } from "../../telegram/Callbacks.ts"
import type { CommandName } from "../Texts.ts"
import type { UserContext } from "../UserContext.ts"

export interface CommandRequest {
  readonly user: UserContext
  readonly updateId: UpdateId
  /** The person's name as Telegram shows it. */
  readonly name: string
  /** Unix milliseconds at which the person sent it. */
  readonly date: number
  /** Messages in the window that was open when the command came. */
  readonly pending: number
}

export interface Command {
  readonly name: CommandName
  /** Runs in the transaction that marks the command as handled; the answers are sent when it commits. */
  readonly run: (
    request: CommandRequest
  ) => Effect.Effect<ReadonlyArray<OutgoingContent>, SqlError.SqlError, Callbacks | KnowledgeBase>
}
