/**
 * What happens to sessions, told to whoever wants to know, on every replica. It travels by the database's own
 * `NOTIFY`, in the transaction of the move: nobody hears of a move that was not made, and none needs a Redis.
 */
import { Context, Effect, Layer, Schema, Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { AppId, TenantId } from "../domain/Ids.ts"
import { Signals } from "../store/Signals.ts"
import { eventOf, type Move, MoveReason, SessionKind, SessionState } from "./SessionState.ts"

/** One session of one tenant. */
export interface SessionKey {
  readonly tenant: TenantId
  readonly app: AppId
}

/** One word for a session, for maps. A tenant or app never holds a `/`. */
export const sessionName = ({ tenant, app }: SessionKey): string => `${tenant}/${app}`

export const SessionEvent = Schema.Struct({
  /** `session.qr_started`, `session.authorized`, `session.stale`, `session.revoked`, … */
  event: Schema.String,
  tenant: TenantId,
  app: AppId,
  kind: SessionKind,
  /** Of the moves of this session, from 1 without gaps: whoever misses one sees that. */
  number: Schema.Int,
  from: SessionState,
  to: SessionState,
  reason: MoveReason,
  /** The trace in which it happened: the same for all moves of one login. */
  correlation: Schema.String,
  /** Unix milliseconds. */
  at: Schema.Int
})
export type SessionEvent = typeof SessionEvent.Type

const Payload = Schema.fromJsonString(SessionEvent)
export const encodeEvent = Schema.encodeSync(Payload)
const decode = Schema.decodeUnknownEffect(Payload)

export const eventFor = (
  key: SessionKey,
  move: Move,
  { at, correlation, number }: Pick<SessionEvent, "at" | "correlation" | "number">
): SessionEvent => ({
  event: eventOf(move),
  tenant: key.tenant,
  app: key.app,
  kind: move.kind,
  number,
  from: move.from,
  to: move.to,
  reason: move.reason,
  correlation,
  at
})

/** Told when the surrounding transaction commits. */
export const announce = (
  signals: Signals["Service"],
  sql: SqlClient.SqlClient,
  event: SessionEvent
): Effect.Effect<void, SqlError.SqlError> => signals.notify(sql, "zapiska_sessions", encodeEvent(event))

export class SessionEvents extends Context.Service<
  SessionEvents,
  {
    /**
     * From now on. What happens while the connection to the database is being renewed is not told again: whoever
     * keeps something because of events keeps it for a limited time.
     */
    readonly changes: Stream.Stream<SessionEvent>
  }
>()("zapiska/session/SessionEvents") {
  static readonly layer: Layer.Layer<SessionEvents, never, Signals> = Layer.effect(
    this,
    Effect.map(Signals, (signals) =>
      SessionEvents.of({
        changes: signals.listen("zapiska_sessions").pipe(
          Stream.filterMapEffect((payload) =>
            decode(payload).pipe(
              // Of another version, while replicas are exchanged one by one.
              Effect.tapError(() => Effect.logWarning("An event of a session could not be read")),
              Effect.result
            )
          )
        )
      })
    )
  )
}
