/** An app as it is shown, and as it is kept in the table of all apps. */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { AppId, BotId, TenantId } from "../domain/Ids.ts"
import type { BotKey } from "../telegram/BotPort.ts"
import { AppUnknown } from "./AppErrors.ts"

export const App = Schema.Struct({
  tenant: TenantId,
  app: AppId,
  kind: Schema.Literals(["bot", "user"]),
  botId: Schema.optionalKey(BotId),
  /** Names its credential in the vault. */
  alias: Schema.String,
  /** ISO 8601, as the other times. */
  createdAt: Schema.String,
  /** When it got the credential it has. */
  rotatedAt: Schema.String,
  /** Since when it is disabled. */
  disabledAt: Schema.optionalKey(Schema.String)
})
export type App = typeof App.Type

/** `unreachable`: Telegram could not be asked about the token, which is kept as it is. */
export const AppKept = Schema.Struct({
  app: App,
  telegram: Schema.Literals(["accepted", "unreachable"]),
  /** Without the `@`. */
  username: Schema.optionalKey(Schema.String)
})
export type AppKept = typeof AppKept.Type

export interface Row {
  readonly tenant: TenantId
  readonly app: AppId
  readonly kind: App["kind"]
  readonly bot_id: number | null
  readonly alias: string
  readonly created_at: Date
  readonly rotated_at: Date
  readonly disabled_at: Date | null
}

export const appOf = (row: Row): App => ({
  tenant: row.tenant,
  app: row.app,
  kind: row.kind,
  ...(row.bot_id === null ? {} : { botId: BotId.make(row.bot_id) }),
  alias: row.alias,
  createdAt: row.created_at.toISOString(),
  rotatedAt: row.rotated_at.toISOString(),
  ...(row.disabled_at === null ? {} : { disabledAt: row.disabled_at.toISOString() })
})

/** What a `Row` is made of. */
export const columns = (sql: SqlClient.SqlClient) =>
  sql`tenant_id AS tenant, app, kind, bot_id::float8 AS bot_id, api_key_alias AS alias, created_at, rotated_at,
    disabled_at`

/** The one there is. */
export const only = (bot: BotKey) => (rows: ReadonlyArray<Row>) => {
  const [row] = rows
  return row === undefined ? Effect.fail(new AppUnknown(bot)) : Effect.succeed(appOf(row))
}

export const read = (sql: SqlClient.SqlClient, bot: BotKey) =>
  Effect.flatMap(
    sql<Row>`SELECT ${columns(sql)} FROM apps WHERE tenant_id = ${bot.tenant} AND app = ${bot.app}`,
    only(bot)
  )
