/**
 * The bots of the tenants, kept by operators: their tokens in the vault, each shown to Telegram before it is
 * believed. Every process serves what is here, from the moment it changes.
 */
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { AppId, BotId, type TenantId } from "../domain/Ids.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { present, Tenants, type TenantUnknown } from "../store/Tenants.ts"
import type { BotKey } from "../telegram/BotPort.ts"
import { Bots, botIdOf, tokenShape } from "../telegram/Bots.ts"
import { GrammyApi } from "../telegram/GrammyApi.ts"
import type { Outcome } from "../telegram/Outcome.ts"
import {
  AliasTaken,
  AppExists,
  AppInvalid,
  type AppUnknown,
  BotTaken,
  TokenMalformed,
  TokenOfAnotherBot,
  TokenRefused
} from "./AppErrors.ts"
import { type App, type AppKept, appOf, columns, only, type Row, read } from "./AppRows.ts"
import { SessionStore } from "./SessionStore.ts"
import { type SecretUnknown, Vault, type VaultError } from "./Vault.ts"

export * from "./AppErrors.ts"
export { App, AppKept } from "./AppRows.ts"

type TokenProblem = TokenMalformed | TokenRefused

export class Apps extends Context.Service<
  Apps,
  {
    /**
     * `alias` names the credential, by default like the app. Without a token it is the one that is in the vault of the
     * tenant under that name.
     */
    readonly add: (
      app: {
        readonly tenant: TenantId
        readonly app: string
        readonly token?: Redacted.Redacted
        readonly alias?: string
      },
      actor: Actor
    ) => Effect.Effect<
      AppKept,
      | AppInvalid
      | AppExists
      | AliasTaken
      | BotTaken
      | TokenProblem
      | TenantUnknown
      | SecretUnknown
      | VaultError
    >
    /** Another token of the same bot. Whoever runs the bot goes on with the new one. */
    readonly rotate: (
      bot: BotKey,
      token: Redacted.Redacted,
      actor: Actor
    ) => Effect.Effect<AppKept, AppUnknown | TokenOfAnotherBot | TokenProblem | VaultError>
    /** It falls silent; Telegram keeps what people send it for a day. */
    readonly disable: (bot: BotKey, actor: Actor) => Effect.Effect<App, AppUnknown | SqlError.SqlError>
    readonly enable: (bot: BotKey, actor: Actor) => Effect.Effect<App, AppUnknown | SqlError.SqlError>
    /** Takes its credential out of the vault. What it noted stays. */
    readonly remove: (bot: BotKey, actor: Actor) => Effect.Effect<App, AppUnknown | SqlError.SqlError>
    readonly get: (bot: BotKey) => Effect.Effect<App, AppUnknown | SqlError.SqlError>
    readonly list: (tenant: TenantId) => Effect.Effect<ReadonlyArray<App>, TenantUnknown | SqlError.SqlError>
  }
>()("zapiska/session/Apps") {
  /** `apiRoot`: the Bot API server of the bots; Telegram's own without it. */
  static readonly layer = (options: {
    readonly apiRoot?: string
  }): Layer.Layer<
    Apps,
    never,
    Audit | Bots | GrammyApi | SessionStore | Signals | TenantScope | Tenants | Vault
  > => Layer.effect(this, make(options))
}

const named = Schema.decodeEffect(AppId)

/** Of a token that is not even shaped like one of theirs Telegram says that nothing is found. */
const isRefusal = (outcome: Outcome): boolean =>
  outcome._tag === "Unauthorized" || (outcome._tag === "Refused" && outcome.code === 404)

const make = Effect.fnUntraced(function* ({ apiRoot }: { readonly apiRoot?: string }) {
  const scope = yield* TenantScope
  const audit = yield* Audit
  const signals = yield* Signals
  const tenants = yield* Tenants
  const vault = yield* Vault
  const bots = yield* Bots
  const api = yield* GrammyApi
  const sessions = yield* SessionStore

  const secretOf = (alias: string) => ({ kind: "bot", alias }) as const

  const get = (bot: BotKey) => scope.transaction(bot.tenant, (sql) => read(sql, bot))

  /** With the rows of the change: who did it, and word to every process. */
  const told = (sql: SqlClient.SqlClient, { tenant, app, botId }: App, actor: Actor, action: string) =>
    Effect.andThen(
      audit.record({
        tenant,
        actor,
        action,
        subject: app,
        ...(botId === undefined ? {} : { details: { botId } })
      }),
      signals.notify(sql, "zapiska_directory", tenant)
    )

  const botOf = (bot: BotKey, token: Redacted.Redacted) =>
    tokenShape.test(Redacted.value(token))
      ? Effect.succeed(botIdOf({ token }))
      : Effect.fail(new TokenMalformed(bot))

  /** Not from inside a transaction: Telegram takes its time. */
  const shown = Effect.fnUntraced(function* (bot: BotKey, token: Redacted.Redacted) {
    const account = { ...bot, token, ...(apiRoot === undefined ? {} : { apiRoot }) }
    return yield* api.introduce(account).pipe(
      Effect.map(({ username }) => ({ telegram: "accepted" as const, username })),
      Effect.catchTag("CallFailed", (error) =>
        isRefusal(error.outcome)
          ? Effect.fail(new TokenRefused({ ...bot, botId: botIdOf(account) }))
          : Effect.as(
              Effect.logWarning(
                `Telegram could not be asked about a bot that is added: ${error.message}`
              ).pipe(Effect.annotateLogs({ ...bot })),
              { telegram: "unreachable" as const }
            )
      )
    )
  })

  /** Also of the bot that is not in the table, which is configured. */
  const isServed = Effect.fnUntraced(function* (botId: BotId) {
    const accounts = yield* Effect.forEach(yield* bots.list, (one) => Effect.option(bots.get(one)))
    return accounts.some((account) => account._tag === "Some" && botIdOf(account.value) === botId)
  })

  /** Whoever still runs it hears of that a moment later, and makes no move any more. */
  const ended = Effect.fnUntraced(
    function* (bot: BotKey, actor: Actor) {
      const { kind } = yield* sessions.get(bot)
      if (kind === "bot") yield* sessions.move(bot, "manual_revoke", { actor })
    },
    Effect.catchTag(["SessionUnknown", "IllegalMove"], () => Effect.void),
    Effect.catchTag("FenceStale", Effect.die)
  )

  const turn = (bot: BotKey, actor: Actor, to: "enabled" | "disabled") =>
    scope.transaction(bot.tenant, (sql) =>
      Effect.gen(function* () {
        const changed = yield* sql`
          UPDATE apps SET disabled_at = ${to === "disabled" ? sql`now()` : sql`NULL`}
          WHERE tenant_id = ${bot.tenant} AND app = ${bot.app} AND (disabled_at IS NULL) = ${to === "disabled"}
          RETURNING 1`
        const app = yield* read(sql, bot)
        if (changed.length === 0) return app
        if (to === "disabled") yield* ended(app, actor)
        yield* told(sql, app, actor, `app.${to}`)
        return app
      })
    )

  return Apps.of({
    add: Effect.fn("Apps.add")(function* ({ tenant, app: given, alias = given, ...rest }, actor) {
      const app = yield* Effect.mapError(named(given), () => new AppInvalid({ tenant, app: given }))
      yield* tenants.get(tenant)
      const bot = { tenant, app }
      // Before Telegram is asked about a token that is not needed. The configured bot is in no table.
      if (yield* Effect.isSuccess(bots.get(bot))) return yield* new AppExists(bot)
      const token = rest.token ?? (yield* vault.get(tenant, secretOf(alias)))
      const botId = yield* botOf(bot, token)
      const answer = yield* shown(bot, token)
      if (yield* isServed(botId)) return yield* new BotTaken({ ...bot, botId })
      const kept = yield* scope
        .transaction(tenant, (sql) =>
          Effect.gen(function* () {
            yield* present(sql, tenant)
            const shared =
              yield* sql`SELECT 1 FROM apps WHERE tenant_id = ${tenant} AND api_key_alias = ${alias}
              AND app <> ${app}`
            if (shared.length > 0) return yield* new AliasTaken({ ...bot, alias })
            yield* sql`INSERT INTO apps (tenant_id, app, kind, bot_id, api_key_alias)
              VALUES (${tenant}, ${app}, 'bot', ${botId}::bigint, ${alias})`
            yield* sessions.add(bot, { kind: "bot" })
            if (rest.token !== undefined) yield* vault.put(tenant, secretOf(alias), token)
            const row = yield* Effect.catchTag(read(sql, bot), "AppUnknown", Effect.die)
            yield* told(sql, row, actor, "app.added")
            return row
          })
        )
        .pipe(
          Effect.catchTag("SessionExists", () => Effect.fail(new AppExists(bot))),
          Effect.catchReason("SqlError", "UniqueViolation", ({ constraint }) =>
            Effect.fail(constraint === "apps_bot" ? new BotTaken({ ...bot, botId }) : new AppExists(bot))
          )
        )
      return { app: kept, ...answer }
    }),

    rotate: Effect.fn("Apps.rotate")(function* (bot, token, actor) {
      const before = yield* get(bot)
      const given = yield* botOf(bot, token)
      if (before.botId !== given)
        return yield* new TokenOfAnotherBot({ ...bot, botId: before.botId ?? BotId.make(0), given })
      const answer = yield* shown(bot, token)
      const app = yield* scope.transaction(bot.tenant, (sql) =>
        Effect.gen(function* () {
          const changed = yield* Effect.flatMap(
            sql<Row>`UPDATE apps SET rotated_at = clock_timestamp()
              WHERE tenant_id = ${bot.tenant} AND app = ${bot.app} RETURNING ${columns(sql)}`,
            only(bot)
          )
          yield* vault.put(bot.tenant, secretOf(changed.alias), token)
          yield* told(sql, changed, actor, "app.rotated")
          return changed
        })
      )
      return { app, ...answer }
    }),

    disable: Effect.fn("Apps.disable")((bot, actor) => turn(bot, actor, "disabled")),
    enable: Effect.fn("Apps.enable")((bot, actor) => turn(bot, actor, "enabled")),

    remove: Effect.fn("Apps.remove")((bot, actor) =>
      scope.transaction(bot.tenant, (sql) =>
        Effect.gen(function* () {
          const removed = yield* Effect.flatMap(
            sql<Row>`DELETE FROM apps WHERE tenant_id = ${bot.tenant} AND app = ${bot.app}
              RETURNING ${columns(sql)}`,
            only(bot)
          )
          yield* ended(removed, actor)
          yield* sessions.remove(removed)
          yield* vault.remove(bot.tenant, secretOf(removed.alias))
          yield* told(sql, removed, actor, "app.removed")
          return removed
        })
      )
    ),

    get: Effect.fn("Apps.get")(get),
    list: Effect.fn("Apps.list")((tenant) =>
      scope.transaction(tenant, (sql) =>
        Effect.andThen(
          tenants.get(tenant),
          Effect.map(
            sql<Row>`SELECT ${columns(sql)} FROM apps WHERE tenant_id = ${tenant} ORDER BY app`,
            (rows) => rows.map(appOf)
          )
        )
      )
    )
  })
})
