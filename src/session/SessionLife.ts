/** A client that lives for a while: what its users see of it, and what is kept of it until it is over and done with. */
import { Cause, Deferred, Effect, Exit, Option, type Redacted, type Result, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { AppId, TenantId } from "../domain/Ids.ts"
import type { FenceStale } from "../lock/Fences.ts"
import type { LockKey } from "../lock/Locks.ts"
import type { UserError, UserSession } from "../telegram/UserClient.ts"
import { type ClientError, HeldElsewhere } from "./SessionError.ts"
import type { SessionKey } from "./SessionEvents.ts"
import type { Mover } from "./SessionStore.ts"
import type { VaultError } from "./Vault.ts"

/** A client that is live, under the lease of its session. */
export interface LiveSession extends UserSession {
  /** Fails when it is not live any more: get another, or give up, as the error says. */
  readonly ended: Effect.Effect<never, ClientError>
  /** Closes it for all who use it here: whoever asks again gets another, which goes on from the kept positions. */
  readonly renew: Effect.Effect<void>
  /** Whether it goes on from kept positions. Without them nobody tells what happened until now. */
  readonly hasPositions: boolean
  /** The positions of a `Checkpoint`, once everything before it is stored; not by whoever lost the session to another. */
  readonly keepPositions: (
    positions: Redacted.Redacted<string>
  ) => Effect.Effect<void, FenceStale | SqlError.SqlError | VaultError>
}

/** Whoever holds it uses the session. */
export const leaseOf = ({ tenant, app }: SessionKey): LockKey => ({ tenant, name: `session/${app}` })

export const keyOf = (name: string): SessionKey => {
  const slash = name.indexOf("/")
  return { tenant: TenantId.make(name.slice(0, slash)), app: AppId.make(name.slice(slash + 1)) }
}

/** One life of a client, from before its lease is taken until after it is given back. */
export interface Life {
  readonly name: string
  readonly opened: Deferred.Deferred<Open, ClientError>
  readonly stop: Deferred.Deferred<void>
  readonly over: Deferred.Deferred<never, ClientError>
  readonly released: Deferred.Deferred<void>
  /** Nobody else gets it. */
  dropped: boolean
}
export interface Open {
  readonly session: LiveSession
  /** The same, with failures that nobody reports. */
  readonly bare: UserSession
  readonly by: Mover
  /** The how manieth of this process to which Telegram answered. */
  readonly nth: number
  /** Why nobody gets it for the time being, and until when. */
  doubt: { readonly error: ClientError; readonly until: number } | undefined
}

/** What the life of a session came to be: a client, or the reason why there is none. */
export interface Lived {
  readonly life: Life
  readonly opened: Result.Result<Open, ClientError>
}

export const newLife = (name: string): Life => ({
  name,
  opened: Deferred.makeUnsafe(),
  stop: Deferred.makeUnsafe(),
  over: Deferred.makeUnsafe(),
  released: Deferred.makeUnsafe(),
  dropped: false
})

/** Each failure of a call passes `report` on its way to the caller. */
export const reporting = (
  session: UserSession,
  own: Omit<LiveSession, keyof UserSession>,
  report: (error: UserError) => Effect.Effect<void>
): LiveSession => ({
  ...session,
  ...own,
  me: Effect.tapError(session.me, report),
  ping: Effect.tapError(session.ping, report),
  logOut: Effect.tapError(session.logOut, report),
  chats: Stream.tapError(session.chats, report),
  updates: (sources) => Stream.tapError(session.updates(sources), report),
  history: (source, options) => Stream.tapError(session.history(source, options), report),
  download: (file) => Stream.tapError(session.download(file), report),
  fileSentTo: (bot, sent) => Effect.tapError(session.fileSentTo(bot, sent), report)
})

/** It can be had again. */
export const closedHere = (session: string) =>
  new HeldElsewhere({ session, owner: "nobody: this process closed it" })

/** Why it is over. */
export const endOf = (name: string, exit: Exit.Exit<unknown, ClientError>): ClientError =>
  Option.getOrElse(Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none(), () =>
    closedHere(name)
  )
