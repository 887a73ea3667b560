/**
 * Buttons that work once. What stands under a message is a random token; who may press it, where, for what and
 * until when is a row, so that nobody can make or change a press.
 */
import { randomBytes } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { AppId, ChatId, TenantId, UserId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"

/** No button of ours, or one removed long after its end. */
export class CallbackUnknown extends Schema.TaggedError<CallbackUnknown>()("CallbackUnknown", {}) {
  override get message() {
    return "There is no such button; ask for a new one"
  }
}
/** The button belongs to something else. */
export class CallbackForeign extends Schema.TaggedError<CallbackForeign>()("CallbackForeign", {
  /** What it is bound to and did not come with. */
  bound: Schema.Literals(["user", "chat", "purpose"])
}) {
  override get message() {
    return `The button belongs to another ${this.bound}`
  }
}
export class CallbackExpired extends Schema.TaggedError<CallbackExpired>()("CallbackExpired", {
  /** Unix milliseconds. */
  at: Schema.Int
}) {
  override get message() {
    return `The button could be pressed until ${new Date(this.at).toISOString()}; ask for a new one`
  }
}
export class CallbackUsed extends Schema.TaggedError<CallbackUsed>()("CallbackUsed", {}) {
  override get message() {
    return "The button has been pressed before; it works once"
  }
}
export type CallbackError = CallbackUnknown | CallbackForeign | CallbackExpired | CallbackUsed

/** Who may press it, and where. */
export interface Bound {
  readonly tenant: TenantId
  readonly app: AppId
  readonly chat: ChatId
  readonly user: UserId
}

/** A button to be made, of the tenant it is issued for. */
export interface Grant extends Omit<Bound, "tenant"> {
  /** Unique per tenant and app: issued again under the same key it is the same button. */
  readonly key: string
  readonly purpose: string
  /** Given back to who redeems it. */
  readonly payload: string
  readonly lifetime: Duration.Input
}

export interface Redeemed {
  readonly purpose: string
  readonly payload: string
}

export class Callbacks extends Context.Service<
  Callbacks,
  {
    /**
     * What stands in the data of the buttons, in the order of the grants, which have different keys. Joins the
     * caller's transaction, so that it is there with the messages or not at all.
     */
    readonly issue: (
      tenant: TenantId,
      grants: ReadonlyArray<Grant>
    ) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
    /**
     * Takes the press: of any number at once, one succeeds. Joins the caller's transaction: where that is rolled
     * back, the button has not been pressed. `purpose`: fails for buttons of others, which stay as they are.
     */
    readonly redeem: (
      press: Bound & { readonly token: string; readonly purpose?: string }
    ) => Effect.Effect<Redeemed, CallbackError | SqlError.SqlError>
    /** Removes buttons that ended longer ago than `age`. */
    readonly purge: (tenant: TenantId, age: Duration.Input) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/telegram/Callbacks") {
  static readonly layer: Layer.Layer<Callbacks, never, TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** 128 bits in 22 characters: nobody finds another's by trying. */
const newToken = Effect.sync(() => randomBytes(16).toString("base64url"))

interface Row {
  readonly app: string
  readonly chat: number
  readonly user: number
  readonly purpose: string
  /** Unix milliseconds. */
  readonly expires: number
  readonly used: boolean
}

/** Why a press is not taken. Nothing is told of a button to somebody it does not belong to. */
export const refusalOf = (
  row: Row | undefined,
  press: Omit<Bound, "tenant"> & { readonly purpose?: string }
): CallbackError => {
  if (row === undefined || row.app !== press.app) return new CallbackUnknown()
  if (row.user !== press.user) return new CallbackForeign({ bound: "user" })
  if (row.chat !== press.chat) return new CallbackForeign({ bound: "chat" })
  if (press.purpose !== undefined && row.purpose !== press.purpose)
    return new CallbackForeign({ bound: "purpose" })
  return row.used ? new CallbackUsed() : new CallbackExpired({ at: row.expires })
}

const make = Effect.gen(function* () {
  const scope = yield* TenantScope

  const issue = Effect.fn("Callbacks.issue")(function* (tenant: TenantId, grants: ReadonlyArray<Grant>) {
    if (grants.length === 0) return []
    const now = yield* Clock.currentTimeMillis
    const rows = yield* Effect.forEach(grants, ({ lifetime, ...grant }) =>
      Effect.map(newToken, (token) => ({
        ...grant,
        token,
        expires: (now + Duration.toMillis(Duration.fromInputUnsafe(lifetime))) / 1_000
      }))
    )
    // One statement, for the caller may hold the lock of a knowledge base.
    const issued = yield* scope.transaction(
      tenant,
      (sql) => sql<{ readonly app: string; readonly key: string; readonly token: string }>`
        INSERT INTO callbacks (tenant_id, token, app, key, chat_id, user_id, purpose, payload, expires_at)
        SELECT ${tenant}, g.token, g.app, g.key, g.chat, g."user", g.purpose, g.payload, to_timestamp(g.expires)
        FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS g(
          token text, app text, key text, chat bigint, "user" bigint, purpose text, payload text, expires float8)
        ON CONFLICT (tenant_id, app, key) DO UPDATE SET key = excluded.key
        RETURNING app, key, token`
    )
    return rows.map(
      ({ app, key, token }) => issued.find((one) => one.app === app && one.key === key)?.token ?? token
    )
  })

  const take = (
    sql: SqlClient.SqlClient,
    press: Parameters<Callbacks["Service"]["redeem"]>[0],
    now: number
  ) =>
    sql<Redeemed>`
      UPDATE callbacks SET used_at = to_timestamp(${now}::float8 / 1000)
      WHERE tenant_id = ${press.tenant} AND token = ${press.token} AND app = ${press.app}
        AND user_id = ${press.user}::bigint AND chat_id = ${press.chat}::bigint
        AND purpose = COALESCE(${press.purpose ?? null}::text, purpose)
        AND used_at IS NULL AND expires_at > to_timestamp(${now}::float8 / 1000)
      RETURNING purpose, payload`

  const find = (sql: SqlClient.SqlClient, tenant: TenantId, token: string) =>
    Effect.map(
      sql<Row>`
        SELECT app, chat_id::float8 AS chat, user_id::float8 AS user, purpose, used_at IS NOT NULL AS used,
          floor(extract(epoch FROM expires_at) * 1000)::float8 AS expires
        FROM callbacks WHERE tenant_id = ${tenant} AND token = ${token}`,
      ([row]) => row
    )

  return Callbacks.of({
    issue,
    redeem: Effect.fn("Callbacks.redeem")(function* (press) {
      const now = yield* Clock.currentTimeMillis
      return yield* scope.transaction(press.tenant, (sql) =>
        Effect.gen(function* () {
          const [taken] = yield* take(sql, press, now)
          return taken ?? (yield* refusalOf(yield* find(sql, press.tenant, press.token), press))
        })
      )
    }),
    purge: Effect.fn("Callbacks.purge")(function* (tenant, age) {
      const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(Duration.fromInputUnsafe(age))
      yield* scope.transaction(
        tenant,
        (sql) => sql`
          DELETE FROM callbacks
          WHERE tenant_id = ${tenant} AND expires_at < to_timestamp(${before}::float8 / 1000)`
      )
    })
  })
})
