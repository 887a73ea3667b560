/** A client of a session also where another process has it: that one is asked to let go, and gets it back later. */
import { type Duration, Effect, Schedule, type Scope } from "effect"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import type { ClientError } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { LiveSession } from "./SessionLife.ts"
import { SessionManager } from "./SessionManager.ts"

/** Whoever lets go asks for it again after five seconds. */
const letGoWithin: Duration.Input = "4 seconds"

export const makeBorrowing = Effect.gen(function* () {
  const sessions = yield* SessionManager
  const signals = yield* Signals
  const scope = yield* TenantScope

  /** For as long as the scope lasts. */
  return (key: SessionKey): Effect.Effect<LiveSession, ClientError, Scope.Scope> =>
    Effect.catchTag(sessions.client(key), "HeldElsewhere", () =>
      Effect.andThen(
        scope.transaction(key.tenant, (sql) =>
          signals.notify(sql, "zapiska_sessions_wanted", sessionName(key))
        ),
        sessions.client(key).pipe(
          Effect.retry({
            schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ duration: letGoWithin })),
            while: ({ _tag }) => _tag === "HeldElsewhere"
          })
        )
      )
    )
})
