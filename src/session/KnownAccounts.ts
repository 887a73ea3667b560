/**
 * What is known of a tenant's accounts without asking anybody: who is logged in, and which chats they are in. Believed
 * for a while; what happens to a session is heard of at once, on every replica.
 */
import { Cache, Context, Duration, Effect, Exit, Layer, Stream } from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Signals } from "../store/Signals.ts"
import type { FollowableChat, UserError } from "../telegram/UserClient.ts"
import type { ClientError } from "./SessionError.ts"
import { SessionEvents, type SessionKey, sessionName } from "./SessionEvents.ts"
import { keyOf } from "./SessionLife.ts"
import { SessionManager } from "./SessionManager.ts"
import type { SessionInfo } from "./SessionRow.ts"

export type ChatsError = ClientError | UserError

export class KnownAccounts extends Context.Service<
  KnownAccounts,
  {
    readonly sessions: (tenant: TenantId) => Effect.Effect<ReadonlyArray<SessionInfo>, SqlError.SqlError>
    /** Channels and groups the account is in, with their titles. */
    readonly chats: (key: SessionKey) => Effect.Effect<ReadonlyArray<FollowableChat>, ChatsError>
    /** The same, asked of Telegram now. */
    readonly chatsNow: (key: SessionKey) => Effect.Effect<ReadonlyArray<FollowableChat>, ChatsError>
  }
>()("zapiska/session/KnownAccounts") {
  static readonly layer: Layer.Layer<KnownAccounts, never, SessionEvents | SessionManager | Signals> =
    Layer.effect(
      this,
      Effect.suspend(() => make)
    )
}

/** Sessions move rarely, and each move is heard of. */
const sessionsKnown = Duration.minutes(1)
/** Nobody tells when a person joins a channel or leaves it. */
const chatsKnown = Duration.minutes(5)
const tenantsKept = 1000
/** Each may be in hundreds of chats. */
const accountsKept = 100
/** More than a person is in. */
const mostChats = 5000

const make = Effect.gen(function* () {
  const manager = yield* SessionManager
  const events = yield* SessionEvents
  const signals = yield* Signals

  const sessions = yield* Cache.makeWith<TenantId, ReadonlyArray<SessionInfo>, SqlError.SqlError>(
    manager.list,
    {
      capacity: tenantsKept,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? sessionsKnown : Duration.zero)
    }
  )
  const chats = yield* Cache.makeWith<string, ReadonlyArray<FollowableChat>, ChatsError>(
    (name) =>
      manager.borrow(keyOf(name)).pipe(
        Effect.flatMap((client) => Stream.runCollect(Stream.take(client.chats, mostChats))),
        Effect.scoped
      ),
    { capacity: accountsKept, timeToLive: (exit) => (Exit.isSuccess(exit) ? chatsKnown : Duration.zero) }
  )

  yield* events.changes.pipe(
    Stream.runForEach((event) =>
      Effect.andThen(Cache.invalidate(sessions, event.tenant), Cache.invalidate(chats, sessionName(event)))
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  yield* signals.resumed.pipe(
    Stream.runForEach(() => Effect.andThen(Cache.invalidateAll(sessions), Cache.invalidateAll(chats))),
    Effect.forkScoped({ startImmediately: true })
  )

  return KnownAccounts.of({
    sessions: Effect.fn("KnownAccounts.sessions")((tenant) => Cache.get(sessions, tenant)),
    chats: Effect.fn("KnownAccounts.chats")((key) => Cache.get(chats, sessionName(key))),
    chatsNow: Effect.fn("KnownAccounts.chatsNow")((key) => Cache.refresh(chats, sessionName(key)))
  })
})
