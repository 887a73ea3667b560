/** How a person's session ends: logged out at Telegram and here, and in the end forgotten. */
import { type Duration, Effect, Option } from "effect"
import type { SqlError } from "effect/sql"
import { Lease, LockHeld, LockLost, Locks } from "../lock/Locks.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { UserClient } from "../telegram/UserClient.ts"
import { HeldElsewhere, type NoLogin, NotAnAccount, NothingToRevoke, StillLoggedIn } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import { leaseOf } from "./SessionLife.ts"
import type { SessionRow } from "./SessionRow.ts"
import { SessionSecrets } from "./SessionSecrets.ts"
import { isLoggedIn, isPending } from "./SessionState.ts"
import { SessionStore } from "./SessionStore.ts"

/** What became of a session at Telegram when it was revoked. Here nothing is left of it in any case. */
export interface Ending {
  /** Without `problem`: logged out, or nobody was logged in. */
  readonly problem?: string
}

/** How long another process may take to let go of a session that is to be ended. */
const letGoWithin: Duration.Input = "10 seconds"
const logOutWithin: Duration.Input = "10 seconds"

const unreachable = (because: string) =>
  `it could not be logged out at Telegram (${because}): end it there under Settings → Devices`

const isHeld = (error: unknown): error is LockHeld => error instanceof LockHeld
const isLost = (error: unknown): error is LockLost => error instanceof LockLost

export const makeEnding = Effect.fnUntraced(function* (logins: {
  readonly cancel: (key: SessionKey) => Effect.Effect<void, NoLogin>
}) {
  const store = yield* SessionStore
  const secrets = yield* SessionSecrets
  const users = yield* UserClient
  const locks = yield* Locks
  const signals = yield* Signals
  const scope = yield* TenantScope

  const logOut = Effect.fnUntraced(function* (row: SessionRow) {
    const { check } = yield* Lease
    const kept = yield* secrets.kept(row)
    const credentials = yield* secrets.credentials(row)
    const session = yield* users.connect({
      account: row,
      ...credentials,
      kept: Option.some(kept),
      mayWrite: check
    })
    yield* session.logOut
  }, Effect.scoped)

  const end = Effect.fnUntraced(function* (
    key: SessionKey,
    actor: string,
    along: Effect.Effect<void, SqlError.SqlError>,
    login: "cancelled" | "none"
  ) {
    const { fence } = yield* Lease
    const row = yield* store.get(key)
    if (!isLoggedIn(row.state) && !isPending(row.state)) {
      if (login === "none") return yield* new NothingToRevoke({ session: sessionName(key) })
      // That was all there was to end.
      yield* scope.transaction(key.tenant, () => along)
      return {}
    }
    const problem = isLoggedIn(row.state)
      ? yield* logOut(row).pipe(
          Effect.timeout(logOutWithin),
          Effect.as(undefined),
          // Ended there already: nothing else was wanted.
          Effect.catchTag(["AuthKeyUnregistered", "SessionRevoked", "AuthKeyDuplicated"], () =>
            Effect.succeed(undefined)
          ),
          Effect.catch((error) => Effect.succeed(unreachable(error.message)))
        )
      : undefined
    yield* store.move(
      key,
      "manual_revoke",
      { actor, fence },
      problem === undefined ? {} : { error: problem },
      Effect.andThen(secrets.destroy(key), along)
    )
    return problem === undefined ? {} : { problem }
  })

  const account = Effect.fnUntraced(function* (key: SessionKey) {
    const row = yield* store.get(key)
    return row.kind === "bot" ? yield* new NotAnAccount({ session: sessionName(key) }) : row
  })

  const loggedOut = Effect.fnUntraced(function* (key: SessionKey) {
    const row = yield* account(key)
    return isLoggedIn(row.state) || isPending(row.state)
      ? yield* new StillLoggedIn({ session: sessionName(key) })
      : row
  })

  /** Under the lease of the session, once whoever has it lets go. */
  const alone = <A, E, R>(key: SessionKey, effect: Effect.Effect<A, E, R>) => {
    const held = (owner: string) => new HeldElsewhere({ session: sessionName(key), owner })
    return locks
      .withLease(leaseOf(key), { wait: letGoWithin })(effect)
      .pipe(
        Effect.catchIf(isHeld, ({ owner }) => Effect.fail(held(owner))),
        Effect.catchIf(isLost, () => Effect.fail(held("another process by now")))
      )
  }

  const forget = (key: SessionKey, along: Effect.Effect<void, SqlError.SqlError>) =>
    scope.transaction(key.tenant, () =>
      Effect.gen(function* () {
        const { apiKeyAlias } = yield* loggedOut(key)
        yield* secrets.destroy(key)
        yield* store.remove(key)
        const others = yield* store.list(key.tenant)
        if (apiKeyAlias !== undefined && others.every((other) => other.apiKeyAlias !== apiKeyAlias))
          yield* secrets.forgetCredentials(key.tenant, apiKeyAlias)
        yield* along
      })
    )

  return {
    /** Here nothing is left of it in any case. */
    revoke: Effect.fnUntraced(function* (
      key: SessionKey,
      actor: string,
      along: Effect.Effect<void, SqlError.SqlError> = Effect.void
    ) {
      const session = sessionName(key)
      yield* account(key)
      const login = yield* logins.cancel(key).pipe(
        Effect.as("cancelled" as const),
        Effect.catchTag("NoLogin", () => Effect.succeed("none" as const))
      )
      // Whichever process has it, this one included, lets go of it.
      yield* scope.transaction(key.tenant, (sql) => signals.notify(sql, "zapiska_sessions_wanted", session))
      return yield* alone(key, end(key, actor, along, login))
    }),

    remove: Effect.fnUntraced(function* (
      key: SessionKey,
      along: Effect.Effect<void, SqlError.SqlError> = Effect.void
    ) {
      yield* loggedOut(key)
      yield* alone(key, forget(key, along))
    })
  }
})
