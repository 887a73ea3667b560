/** What operators see of messages that nobody may have got: where they were going and why they ended, no text. */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { type TenantId, ThreadId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { page, type UndeliveredRow } from "./UndeliveredRow.ts"

export class Undelivered extends Context.Service<
  Undelivered,
  {
    /** The newest first, below the row `before` when given. Those a later message made needless are left out. */
    readonly list: (
      tenant: TenantId,
      before?: number
    ) => Effect.Effect<ReadonlyArray<UndeliveredRow>, SqlError.SqlError>
  }
>()("zapiska/telegram/Undelivered") {
  static readonly layer: Layer.Layer<Undelivered, never, TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

interface Raw extends Omit<UndeliveredRow, "thread"> {
  readonly thread: number
}

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  return Undelivered.of({
    list: Effect.fn("Undelivered.list")(function* (tenant, before) {
      const rows = yield* scope.transaction(
        tenant,
        (sql) => sql<Raw>`
          SELECT id::float8 AS id, tenant_id AS tenant, app, chat_id::float8 AS chat, thread_id::float8 AS thread,
            state, delivery, error AS reason, attempts,
            to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "createdAt",
            to_char(settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "endedAt"
          FROM outbox
          WHERE tenant_id = ${tenant} AND state IN ('unknown', 'dead') AND error <> 'superseded'
            AND id < COALESCE(${before ?? null}::bigint, 9223372036854775807)
          ORDER BY id DESC
          LIMIT ${page}::int`
      )
      return rows.map(({ thread, ...row }) =>
        thread === 0 ? row : { ...row, thread: ThreadId.make(thread) }
      )
    })
  })
})
