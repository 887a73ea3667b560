/** What every command has: a name for Telegram's menu, who may give it, and what it answers. */
import type { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { UpdateId } from "../../domain/Ids.ts"
import type { Role } from "../../domain/Role.ts"
import type { KnowledgeBase } from "../../knowledge/KnowledgeBase.ts"
import type { ChatFollows } from "../../session/ChatFollows.ts"
import type { KnownAccounts } from "../../session/KnownAccounts.ts"
import type { LoginLinks } from "../../session/LoginLinks.ts"
import type { BotPort, BotPortError, OutgoingContent } from "../../telegram/BotPort.ts"
import type { Callbacks } from "../../telegram/Callbacks.ts"
import type { Invites } from "../../telegram/Invites.ts"
import type { Permission } from "../../telegram/Permission.ts"
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
  /** What the person is now. */
  readonly role: Role
  /** What follows the command. */
  readonly argument: string
}

export type CommandServices =
  | BotPort
  | Callbacks
  | ChatFollows
  | Invites
  | KnowledgeBase
  | KnownAccounts
  | LoginLinks
  | Permission

export interface Command {
  readonly name: CommandName
  /** Who may give it. */
  readonly least: Role
  /**
   * Runs before that transaction: asks elsewhere what takes time, or says at once what no row may keep. What it gives is
   * answered before what `run` does. When it is not known whether the command was handled, it runs again.
   */
  readonly beforehand?: (
    request: CommandRequest
  ) => Effect.Effect<ReadonlyArray<OutgoingContent>, SqlError.SqlError | BotPortError, CommandServices>
  /** Runs in the transaction that marks the command as handled; the answers are sent when it commits. */
  readonly run: (
    request: CommandRequest
  ) => Effect.Effect<ReadonlyArray<OutgoingContent>, SqlError.SqlError, CommandServices>
}
