/**
 * The one place that decides whether an update is done: it is, when its row is here, and the row is written
 * in the transaction of its effects.
 */
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { type SqlClient, type SqlError, SqlSchema } from "effect/sql"
import { type BotId, type TenantId, UpdateId } from "../domain/Ids.ts"
import { reach } from "../ops/Failpoint.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { TenantScope } from "./TenantScope.ts"

export interface UpdateKey {
  readonly tenant: TenantId
  readonly botId: BotId
}

/** A unit of work and the updates it handles. */
export interface HandledUnit {
  readonly unit: string
  readonly updates: ReadonlyArray<UpdateId>
}

/** Some of the updates had been handled before; nothing of this transaction was kept. */
export class AlreadyHandled extends Schema.TaggedError<AlreadyHandled>()("AlreadyHandled", {
  updates: Schema.Array(UpdateId)
}) {
  override get message() {
    return `Handled before: updates ${this.updates.join(", ")}`
  }
}

export class HandledUpdates extends Context.Service<
  HandledUpdates,
  {
    /**
     * Runs `effects` in the transaction that marks the updates as handled: all of it is durable, or nothing.
     * `unit` names the unit of work in the rows, for operators.
     */
    readonly once: <A, E, R>(
      key: UpdateKey,
      updates: ReadonlyArray<UpdateId>,
      unit: string,
      effects: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | AlreadyHandled | SqlError.SqlError, R>
    /** As `once`, for several units in one transaction: all of them are durable, or none. */
    readonly together: <A, E, R>(
      key: UpdateKey,
      units: ReadonlyArray<HandledUnit>,
      effects: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | AlreadyHandled | SqlError.SqlError, R>
    /** Those of the updates that are handled. */
    readonly among: (
      key: UpdateKey,
      updates: ReadonlyArray<UpdateId>
    ) => Effect.Effect<ReadonlySet<UpdateId>, SqlError.SqlError>
    /**
     * Forgets updates handled longer ago than `age`. Telegram keeps an update for a day; much later the same
     * number can be another update's.
     */
    readonly forget: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/store/HandledUpdates") {
  static readonly layer: Layer.Layer<HandledUpdates, never, TenantScope> = Layer.effect(
    HandledUpdates,
    Effect.suspend(() => make)
  )
}

const Row = Schema.Struct({ update_id: Schema.BigInt })

interface Question {
  readonly key: UpdateKey
  readonly updates: ReadonlyArray<UpdateId>
}

const idsOf = (rows: ReadonlyArray<typeof Row.Type>): ReadonlySet<UpdateId> =>
  new Set(rows.map((row) => UpdateId.make(Number(row.update_id))))

const make = Effect.gen(function* () {
  const scope = yield* TenantScope

  const insert = (sql: SqlClient.SqlClient, key: UpdateKey, units: ReadonlyArray<HandledUnit>) => {
    const rows = units.flatMap(({ unit, updates }) => updates.map((id) => ({ id, unit })))
    return SqlSchema.findAll({
      Request: Schema.Void,
      Result: Row,
      execute: () => sql`
        INSERT INTO handled_updates (tenant_id, bot_id, update_id, unit)
        SELECT ${key.tenant}, ${key.botId}::bigint, one.id, one.unit
        FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS one(id bigint, unit text)
        ON CONFLICT DO NOTHING
        RETURNING update_id`
    })(undefined).pipe(Effect.catchTag("SchemaError", Effect.die))
  }

  const find = ({ tenant, botId }: UpdateKey, updates: ReadonlyArray<UpdateId>) =>
    scope.transaction(tenant, (sql) =>
      SqlSchema.findAll({
        Request: Schema.Void,
        Result: Row,
        execute: () => sql`
          SELECT update_id FROM handled_updates
          WHERE tenant_id = ${tenant} AND bot_id = ${botId}::bigint AND update_id = ANY(ARRAY(
            SELECT id::bigint FROM jsonb_array_elements_text(${JSON.stringify(updates)}::jsonb) AS one(id)))`
      })(undefined).pipe(Effect.catchTag("SchemaError", Effect.die), Effect.map(idsOf))
    )

  /** After a restart every conversation asks at once: one look answers all who ask in the meantime. */
  const look = yield* GroupCommit.make({
    batch: 500,
    parallel: 1,
    of: ({ key }) => `${key.tenant}/${key.botId}`,
    write: (questions: ReadonlyArray<Question>) =>
      find(
        questions[0]!.key,
        questions.flatMap(({ updates }) => updates)
      ).pipe(
        Effect.map((handled) =>
          questions.map(({ updates }) => new Set(updates.filter((update) => handled.has(update))))
        ),
        Effect.withSpan("HandledUpdates.among")
      )
  })

  const together = <A, E, R>(
    key: UpdateKey,
    units: ReadonlyArray<HandledUnit>,
    effects: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, R>
  ) =>
    scope
      .transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const inserted = idsOf(yield* insert(sql, key, units))
          const before = units.flatMap(({ updates }) => updates.filter((update) => !inserted.has(update)))
          if (before.length > 0) return yield* new AlreadyHandled({ updates: before })
          return yield* Effect.tap(effects(sql), reach("written"))
        })
      )
      .pipe(Effect.tap(reach("committed")))

  return HandledUpdates.of({
    once: (key, updates, unit, effects) => together(key, [{ unit, updates }], effects),
    together,
    forget: Effect.fn("HandledUpdates.forget")(function* (tenant, age) {
      const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
      yield* scope.transaction(
        tenant,
        (sql) => sql`
          DELETE FROM handled_updates
          WHERE tenant_id = ${tenant} AND handled_at < to_timestamp(${before}::float8 / 1000)`
      )
    }),
    among: (key, updates) =>
      updates.length === 0 ? Effect.succeed(new Set<UpdateId>()) : look({ key, updates })
  })
})
