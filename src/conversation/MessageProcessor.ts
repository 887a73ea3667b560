/**
 * Decides what is done with a unit of work, and does it: notes, edits, commands, buttons. Whatever its kind,
 * its effects and the mark that its updates are handled are one transaction.
 */
import { Context, type Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { UpdateId } from "../domain/Ids.ts"
import type { IncomingMessage, IncomingUpdate } from "../domain/IncomingMessage.ts"
import type { AlreadyHandled } from "../store/HandledUpdates.ts"
import type { Unit } from "./Aggregator.ts"
import type { UserContext } from "./UserContext.ts"

export type ProcessingError = AlreadyHandled | SqlError.SqlError

/** A command of a person: its name and what follows it. */
export const CommandCall = Schema.Struct({ name: Schema.String, argument: Schema.String })
export type CommandCall = typeof CommandCall.Type

export class MessageProcessor extends Context.Service<
  MessageProcessor,
  {
    /** Starts what costs nothing when it fails and returns at once: a reaction, the download of media. */
    readonly received: (user: UserContext, message: IncomingMessage) => Effect.Effect<void>
    /** A window opened: one status message, with the button that closes it at once. */
    readonly opened: (user: UserContext, first: UpdateId, quiet: number) => Effect.Effect<void>
    /** A closed window. `raw`: after repeated failures, the messages just as they came. */
    readonly unit: (
      user: UserContext,
      unit: Unit,
      options: { readonly raw: boolean }
    ) => Effect.Effect<void, ProcessingError>
    /** `false`: no note holds the message, it is to be treated as a new one. */
    readonly edited: (
      user: UserContext,
      updateId: UpdateId,
      message: IncomingMessage
    ) => Effect.Effect<boolean, ProcessingError>
    readonly command: (
      user: UserContext,
      updateId: UpdateId,
      message: IncomingMessage,
      call: CommandCall,
      pending: number
    ) => Effect.Effect<void, ProcessingError>
    readonly button: (
      user: UserContext,
      update: Extract<IncomingUpdate, { readonly _tag: "Button" }>,
      pending: number
    ) => Effect.Effect<void, ProcessingError>
    /** Everything else: marked as handled, answered kindly where somebody waits for an answer. */
    readonly other: (
      user: UserContext,
      update: Extract<IncomingUpdate, { readonly _tag: "Unknown" | "Membership" }>
    ) => Effect.Effect<void, ProcessingError>
    /** Given up after repeated failures: handled, said so, counted. */
    readonly giveUp: (user: UserContext, updateId: UpdateId) => Effect.Effect<void, ProcessingError>
  }
>()("zapiska/conversation/MessageProcessor") {}
