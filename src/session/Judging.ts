/** What becomes of a session after an answer of Telegram: the move it makes, and what its users are told. */
import { Clock, Effect, Random, type Redacted } from "effect"
import type { SqlError } from "effect/sql"
import type { UserAccount, UserError } from "../telegram/UserClient.ts"
import {
  CircuitOpen,
  type ClientError,
  Corrupted,
  HeldElsewhere,
  NotAnAccount,
  NotAuthorized,
  RateLimited,
  Revoked
} from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { Learned, SessionRow } from "./SessionRow.ts"
import type { SessionSecrets } from "./SessionSecrets.ts"
import { isLoggedIn, type MoveReason } from "./SessionState.ts"
import type { MoveError, Mover, SessionStore } from "./SessionStore.ts"
import { backoff, type EndReason, type Verdict } from "./Trouble.ts"

/** Why nobody may have a client of the session now; nothing when they may. */
export const unusable = (row: SessionRow, now: number): ClientError | undefined => {
  const session = sessionName(row)
  if (row.kind === "bot") return new NotAnAccount({ session })
  if (row.state === "REVOKED") return new Revoked({ session })
  if (!isLoggedIn(row.state))
    return new NotAuthorized({
      session,
      state: row.state,
      ...(row.lastError === undefined ? {} : { because: row.lastError })
    })
  if (row.nextTry === undefined || row.nextTry <= now) return undefined
  return row.nextTryBecause === "flood"
    ? new RateLimited({ session, until: row.nextTry })
    : new CircuitOpen({
        session,
        nextTry: row.nextTry,
        ...(row.lastError === undefined ? {} : { because: row.lastError })
      })
}

const endedAs = (session: string, reason: EndReason, because: string): ClientError => {
  if (reason === "session_revoked") return new Revoked({ session })
  if (reason === "material_corrupted") return new Corrupted({ session })
  return new NotAuthorized({ session, state: "ABSENT", because })
}

/** What a move that was not made says: another was faster. */
const refusedMove =
  (session: string) =>
  (error: MoveError): Effect.Effect<ClientError, SqlError.SqlError> => {
    switch (error._tag) {
      case "SessionUnknown":
        return Effect.succeed(new NotAuthorized({ session, state: "ABSENT" }))
      case "IllegalMove":
        return Effect.succeed(new NotAuthorized({ session, state: error.from }))
      case "FenceStale":
        return Effect.succeed(new HeldElsewhere({ session, owner: "a newer owner" }))
      default:
        return Effect.fail(error)
    }
  }

export const makeJudging = (store: SessionStore["Service"], secrets: SessionSecrets["Service"]) => {
  /** AUTHORIZED becomes STALE; what is STALE already is so for a new reason. */
  const doubted = Effect.fnUntraced(function* (
    key: SessionKey,
    by: Mover,
    reason: MoveReason,
    learned: (row: SessionRow) => Learned
  ) {
    const row = yield* store.get(key)
    const after =
      row.state === "STALE"
        ? yield* store.note(key, by, learned(row))
        : yield* store.move(key, reason, by, learned(row))
    return unusable(after, 0) ?? new NotAuthorized({ session: sessionName(key), state: after.state })
  })

  /**
   * Makes the move a failure of Telegram asks for, and says what the session's users are told. Nothing for what says
   * nothing of the session. `asked`: what was done when it failed.
   */
  const failed = (
    key: SessionKey,
    by: Mover,
    verdict: Verdict,
    error: Pick<UserError, "message">,
    asked: "validation_failed" | "api_error"
  ): Effect.Effect<ClientError | undefined, SqlError.SqlError> =>
    Effect.gen(function* () {
      const session = sessionName(key)
      const now = yield* Clock.currentTimeMillis
      const message = error.message
      switch (verdict._tag) {
        case "None":
          return undefined
        case "NotOurs":
          return new HeldElsewhere({ session, owner: "another process" })
        case "Ended": {
          const end = verdict.reason === "material_corrupted" ? secrets.setAside(key) : secrets.destroy(key)
          yield* store.move(key, verdict.reason, by, { error: message }, end)
          // Nothing of Telegram's does that: somebody or something was at the database.
          if (verdict.reason === "material_corrupted")
            yield* Effect.logWarning(
              `What was kept of session ${session} was changed or cut; it is set aside in vault_quarantine. Log in again, and find out what changed it`
            )
          return endedAs(session, verdict.reason, message)
        }
        case "Wait": {
          const nextTry = now + verdict.seconds * 1_000
          return yield* doubted(key, by, "flood_wait", () => ({
            error: message,
            nextTry,
            nextTryBecause: "flood"
          }))
        }
        case "Doubt": {
          const spread = yield* Random.next
          return yield* doubted(key, by, asked, ({ failures }) => ({
            error: message,
            nextTry: now + backoff(failures + 1, spread)
          }))
        }
      }
    }).pipe(Effect.catch(refusedMove(sessionName(key))))

  /** Notes that Telegram answered. */
  const answered = (key: SessionKey, by: Mover, account: UserAccount) =>
    Effect.gen(function* () {
      const row = yield* store.get(key)
      yield* row.state === "STALE"
        ? store.move(key, "validation_success", by, { account })
        : store.note(key, by, { account })
    }).pipe(Effect.catch((error) => Effect.flatMap(refusedMove(sessionName(key))(error), Effect.fail)))

  /** Telegram moved the account: what is kept from now on. Where it is not, the next client is moved again. */
  const moved = (key: SessionKey, by: Mover, session: Redacted.Redacted<string>) =>
    store.note(key, by, {}, secrets.keep(key, { session })).pipe(
      Effect.andThen(
        Effect.logInfo(`Telegram moved the account of session ${sessionName(key)}; it goes on elsewhere`)
      ),
      Effect.catch((failure) =>
        Effect.logWarning(`That session ${sessionName(key)} has moved is not kept: ${failure.message}`)
      )
    )

  /** Telegram was not asked: what is missing is missing here, and operators see it in the row. */
  const hindered = (row: SessionRow, by: Mover, error: { readonly message: string }) =>
    row.lastError === error.message
      ? Effect.void
      : store.note(row, by, { error: error.message }).pipe(
          Effect.catch((failure) =>
            Effect.logWarning(
              `What hinders session ${sessionName(row)} could not be written down: ${failure.message}`
            )
          ),
          Effect.asVoid
        )

  return { failed, answered, hindered, moved }
}
