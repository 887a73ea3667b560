/** How one process has a session that another has: that one is asked to let go of it, and gets it back later. */
import { randomUUID } from "node:crypto"
import { type Duration, Effect, Schedule, type Scope, Stream } from "effect"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import type { ClientError } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import { keyOf, type LiveSession } from "./SessionLife.ts"

/** Whoever let go asks for it again after five seconds. */
const letGoWithin: Duration.Input = "4 seconds"
const askAgain = Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: letGoWithin }))

export const makeBorrowing = Effect.gen(function* () {
  const signals = yield* Signals
  const scope = yield* TenantScope
  const self = yield* Effect.sync(() => randomUUID())

  return {
    /** Sessions that somebody wants who cannot have them while they are live here. */
    wanted: signals.listen("zapiska_sessions_wanted").pipe(
      Stream.map((payload) => payload.split("/")),
      // One that wants it for itself hears of it, too, and may have it by then.
      Stream.filter(([, , by]) => by !== self),
      Stream.map(([tenant, app]) => keyOf(`${tenant}/${app}`))
    ),
    borrow: (
      key: SessionKey,
      client: Effect.Effect<LiveSession, ClientError, Scope.Scope>
    ): Effect.Effect<LiveSession, ClientError, Scope.Scope> =>
      Effect.catchTag(client, "HeldElsewhere", () =>
        Effect.andThen(
          scope.transaction(key.tenant, (sql) =>
            signals.notify(sql, "zapiska_sessions_wanted", `${sessionName(key)}/${self}`)
          ),
          client.pipe(Effect.retry({ schedule: askAgain, while: ({ _tag }) => _tag === "HeldElsewhere" }))
        )
      )
  }
})
