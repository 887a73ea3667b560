/**
 * The rows of sessions and the history of their moves. A move is one transaction: the row, the entry in the history,
 * the fence of who makes it, and the event.
 */
import { Clock, Context, Effect, Layer, Metric, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { AppId, TenantId, UserId } from "../domain/Ids.ts"
import { accept, type FenceStale } from "../lock/Fences.ts"
import { Scrubber } from "../ops/Scrub.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present, type TenantUnknown } from "../store/Tenants.ts"
import { sessionTransitions } from "./metrics.ts"
import { announce, eventFor, type SessionKey, sessionName } from "./SessionEvents.ts"
import {
  answered,
  failed,
  type Learned,
  moved,
  type SessionRow,
  type SessionTransition
} from "./SessionRow.ts"
import { type IllegalMove, type MoveReason, next, type SessionKind } from "./SessionState.ts"

export class SessionUnknown extends Schema.TaggedError<SessionUnknown>()("SessionUnknown", {
  tenant: TenantId,
  app: AppId
}) {
  override get message() {
    return `Tenant ${this.tenant} has no session ${this.app}; add it, or correct the name`
  }
}
export class SessionExists extends Schema.TaggedError<SessionExists>()("SessionExists", {
  tenant: TenantId,
  app: AppId
}) {
  override get message() {
    return `Tenant ${this.tenant} has a session ${this.app} already; choose another name, or remove it first`
  }
}

/** Who makes a move, and by what right: the fence of the session's lease, where it needs one. */
export interface Mover {
  /** `admin`, `user:<telegram id>` or `system`. */
  readonly actor: string
  readonly fence?: number
  /** What the fence guards, where that is not the session by its name: a bot goes on with its lease under another. */
  readonly resource?: string
}

export type MoveError = SessionUnknown | IllegalMove | FenceStale | SqlError.SqlError

export interface NewSession {
  readonly kind: SessionKind
  readonly expected?: UserId
  /** Names the API id and hash in the vault; for accounts. */
  readonly apiKeyAlias?: string
}

export class SessionStore extends Context.Service<
  SessionStore,
  {
    /** ABSENT. Joins a transaction, as everything here does. */
    readonly add: (
      key: SessionKey,
      session: NewSession
    ) => Effect.Effect<void, SessionExists | TenantUnknown | SqlError.SqlError>
    readonly get: (key: SessionKey) => Effect.Effect<SessionRow, SessionUnknown | SqlError.SqlError>
    /** By app. */
    readonly list: (tenant: TenantId) => Effect.Effect<ReadonlyArray<SessionRow>, SqlError.SqlError>
    /** The newest moves first. */
    readonly history: (
      key: SessionKey,
      limit: number
    ) => Effect.Effect<ReadonlyArray<SessionTransition>, SqlError.SqlError>
    /** Makes a move of the table, or fails and changes nothing. `along` commits with it. */
    readonly move: <E = never>(
      key: SessionKey,
      reason: MoveReason,
      by: Mover,
      learned?: Learned,
      along?: Effect.Effect<void, E>
    ) => Effect.Effect<SessionRow, MoveError | E>
    /** Notes an answer of Telegram or, with an `error`, its failure, without a move. `along` commits with it. */
    readonly note: <E = never>(
      key: SessionKey,
      by: Mover,
      learned: Learned,
      along?: Effect.Effect<void, E>
    ) => Effect.Effect<SessionRow, SessionUnknown | FenceStale | SqlError.SqlError | E>
    /** Commits `along` if whoever does it may still write. */
    readonly fenced: <E>(
      key: SessionKey,
      by: Mover,
      along: Effect.Effect<void, E>
    ) => Effect.Effect<void, FenceStale | SqlError.SqlError | E>
    /** With its history. */
    readonly remove: (key: SessionKey) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/session/SessionStore") {
  /** `replica`: what this process is called where people read who owns a session. */
  static readonly layer = (options: {
    readonly replica: string
  }): Layer.Layer<SessionStore, never, TenantScope | Signals | Scrubber> =>
    Layer.effect(SessionStore, make(options.replica))
}

/** Longer ones of Telegram or of a driver tell no more. */
const longestError = 300

/** A row as it comes: without a value there is a null. */
type Raw = { readonly [K in keyof SessionRow]: SessionRow[K] | null } & {
  readonly accountId: number | null
  readonly accountName: string | null
}

const rowOf = ({ accountId, accountName, ...raw }: Raw): SessionRow => {
  const present = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null)) as Omit<
    SessionRow,
    "account"
  >
  return accountId === null
    ? present
    : { ...present, account: { id: UserId.make(accountId), name: accountName ?? "" } }
}

const make = Effect.fnUntraced(function* (replica: string) {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const scrubber = yield* Scrubber

  const columns = (sql: SqlClient.SqlClient) =>
    sql.literal(`
    tenant_id AS tenant, app, kind, state, expected_user_id::float8 AS expected,
    account_id::float8 AS "accountId", account_name AS "accountName", api_key_alias AS "apiKeyAlias", owner,
    moves::float8 AS moves, failures,
    round(extract(epoch FROM last_activity) * 1000)::float8 AS "lastActivity", last_error AS "lastError",
    round(extract(epoch FROM next_try) * 1000)::float8 AS "nextTry", next_try_because AS "nextTryBecause",
    round(extract(epoch FROM changed_at) * 1000)::float8 AS changed`)

  const read = (sql: SqlClient.SqlClient, { tenant, app }: SessionKey, lock: "" | "FOR UPDATE") =>
    Effect.flatMap(
      sql<Raw>`SELECT ${columns(sql)} FROM sessions WHERE tenant_id = ${tenant} AND app = ${app} ${sql.literal(lock)}`,
      ([row]) => (row === undefined ? new SessionUnknown({ tenant, app }) : Effect.succeed(rowOf(row)))
    )

  const at = (sql: SqlClient.SqlClient, millis: number | undefined) =>
    sql`to_timestamp(${millis ?? null}::float8 / 1000)`

  const write = (sql: SqlClient.SqlClient, row: SessionRow, fence: number) => sql`
    UPDATE sessions SET state = ${row.state}, account_id = ${row.account?.id ?? null}::bigint,
      account_name = ${row.account?.name ?? null}::text, owner = ${row.owner ?? null}::text,
      fence = GREATEST(fence, ${fence}::bigint), moves = ${row.moves}::bigint, failures = ${row.failures}::int,
      last_activity = ${at(sql, row.lastActivity)}, last_error = ${row.lastError ?? null}::text,
      next_try = ${at(sql, row.nextTry)}, next_try_because = ${row.nextTryBecause ?? null}::text,
      changed_at = ${at(sql, row.changed)}
    WHERE tenant_id = ${row.tenant} AND app = ${row.app}`

  const allowed = (
    sql: SqlClient.SqlClient,
    { tenant, app }: SessionKey,
    { fence, resource = `session/${app}` }: Mover
  ) => (fence === undefined ? Effect.void : accept(sql, tenant, resource, fence))

  const scrubbed = (learned: Learned): Learned =>
    learned.error === undefined
      ? learned
      : { ...learned, error: scrubber.text(learned.error).slice(0, longestError) }

  const owned = (row: SessionRow, { fence }: Mover): SessionRow =>
    fence === undefined || row.state === "ABSENT" || row.state === "REVOKED"
      ? row
      : { ...row, owner: replica }

  const move: SessionStore["Service"]["move"] = (key, reason, by, learned = {}, along) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const { traceId } = yield* Effect.orDie(Effect.currentSpan)
      const { before, after } = yield* scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const before = yield* read(sql, key, "FOR UPDATE")
          const to = yield* Effect.fromResult(next(before, reason))
          yield* allowed(sql, key, by)
          const after = owned(moved(before, to, scrubbed(learned), now), by)
          yield* write(sql, after, by.fence ?? 0)
          yield* sql`
            INSERT INTO session_transitions
              (tenant_id, app, number, kind, from_state, to_state, reason, actor, trace, at)
            VALUES (${key.tenant}, ${key.app}, ${after.moves}::bigint, ${after.kind}, ${before.state}, ${to},
              ${reason}, ${by.actor}, ${traceId}, ${at(sql, now)})`
          if (along !== undefined) yield* along
          const event = eventFor(
            key,
            { from: before.state, reason, to, kind: after.kind },
            { at: now, correlation: traceId, number: after.moves }
          )
          yield* announce(signals, sql, event)
          return { before, after }
        })
      )
      const move = { from: before.state, to: after.state, reason }
      yield* Effect.annotateCurrentSpan(move)
      yield* Metric.update(Metric.withAttributes(sessionTransitions, { ...move, kind: after.kind }), 1)
      yield* Effect.logInfo(
        `Session ${sessionName(key)} went from ${move.from} to ${move.to} (${reason})`
      ).pipe(Effect.annotateLogs({ tenant: key.tenant, app: key.app, ...move, actor: by.actor }))
      return after
    }).pipe(
      Effect.withSpan("SessionStore.move", { attributes: { tenant: key.tenant, app: key.app, reason } })
    )

  return SessionStore.of({
    add: Effect.fn("SessionStore.add")(function* ({ tenant, app }, { apiKeyAlias, expected, kind }) {
      const now = yield* Clock.currentTimeMillis
      const added = yield* scope.transaction(tenant, (sql) =>
        Effect.andThen(
          present(sql, tenant),
          sql`INSERT INTO sessions (tenant_id, app, kind, expected_user_id, api_key_alias, changed_at)
            VALUES (${tenant}, ${app}, ${kind}, ${expected ?? null}::bigint, ${apiKeyAlias ?? null}::text,
              ${at(sql, now)})
            ON CONFLICT (tenant_id, app) DO NOTHING
            RETURNING 1`
        )
      )
      if (added.length === 0) return yield* new SessionExists({ tenant, app })
    }),

    get: Effect.fn("SessionStore.get")((key) => scope.transaction(key.tenant, (sql) => read(sql, key, ""))),

    list: Effect.fn("SessionStore.list")(function* (tenant) {
      const rows = yield* scope.transaction(
        tenant,
        (sql) => sql<Raw>`SELECT ${columns(sql)} FROM sessions WHERE tenant_id = ${tenant} ORDER BY app`
      )
      return rows.map(rowOf)
    }),

    history: Effect.fn("SessionStore.history")(({ tenant, app }, limit) =>
      scope.transaction(
        tenant,
        (sql) => sql<SessionTransition>`
          SELECT number::float8 AS number, from_state AS "from", to_state AS "to", reason, actor, trace,
            round(extract(epoch FROM at) * 1000)::float8 AS at
          FROM session_transitions WHERE tenant_id = ${tenant} AND app = ${app}
          ORDER BY number DESC LIMIT ${limit}::int`
      )
    ),

    move,

    note: Effect.fn("SessionStore.note")(function* (key, by, learned, along) {
      const now = yield* Clock.currentTimeMillis
      return yield* scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const before = yield* read(sql, key, "FOR UPDATE")
          yield* allowed(sql, key, by)
          const after =
            learned.error === undefined ? answered(before, learned, now) : failed(before, scrubbed(learned))
          yield* write(sql, owned(after, by), by.fence ?? 0)
          if (along !== undefined) yield* along
          return after
        })
      )
    }),

    fenced: (key, by, along) =>
      scope
        .transaction(key.tenant, (sql) => Effect.andThen(allowed(sql, key, by), along))
        .pipe(Effect.withSpan("SessionStore.fenced")),

    remove: Effect.fn("SessionStore.remove")(({ tenant, app }) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`DELETE FROM sessions WHERE tenant_id = ${tenant} AND app = ${app}`)
      )
    )
  })
})
