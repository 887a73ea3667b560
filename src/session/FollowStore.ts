/** The rows of followed chats: which, since when, and how far each is taken. */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { type AppId, ChatId, type MessageId, type TenantId, type UserId } from "../domain/Ids.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { Source } from "../telegram/UserClient.ts"
import { type FollowedChat, savedTitle } from "./FollowedChat.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"

export interface NewFollow {
  readonly account: UserId
  readonly source: Source
  readonly title: string
  readonly since: number
}

/** Nobody follows it. */
export class NotFollowed extends Schema.TaggedError<NotFollowed>()("NotFollowed", {
  session: Schema.String,
  source: Source
}) {
  override get message() {
    return `Session ${this.session} does not follow ${this.source}; what it follows is listed by: zapiska session following`
  }
}

export class FollowStore extends Context.Service<
  FollowStore,
  {
    /** An earlier `since` than before has the chat read again from there. Whoever has the session begins anew. */
    readonly follow: (
      key: SessionKey,
      chat: NewFollow,
      actor: Actor
    ) => Effect.Effect<FollowedChat, SqlError.SqlError>
    /** Saved Messages, from the login of the account on; not where somebody ended that before. Joins the login's transaction. */
    readonly followSaved: (
      key: SessionKey,
      login: { readonly account: UserId; readonly at: number },
      actor: Actor
    ) => Effect.Effect<void, SqlError.SqlError>
    /** Of Saved Messages it is remembered. */
    readonly unfollow: (
      key: SessionKey,
      source: Source,
      actor: Actor
    ) => Effect.Effect<void, NotFollowed | SqlError.SqlError>
    readonly list: (key: SessionKey) => Effect.Effect<ReadonlyArray<FollowedChat>, SqlError.SqlError>
    /** Sessions of the tenant that follow anything. */
    readonly sessions: (tenant: TenantId) => Effect.Effect<ReadonlyArray<SessionKey>, SqlError.SqlError>
    /**
     * All up to this message are taken; and nothing is wrong with the chat any more. Of a chat that is to be read from
     * another day by now it says nothing.
     */
    readonly advance: (chat: FollowedChat, last: MessageId) => Effect.Effect<void, SqlError.SqlError>
    /** `done`: all of it was read again. */
    readonly reread: (chat: FollowedChat, is: "due" | "done") => Effect.Effect<void, SqlError.SqlError>
    readonly trouble: (chat: FollowedChat, error: string) => Effect.Effect<void, SqlError.SqlError>
  }
>()("zapiska/session/FollowStore") {
  static readonly layer: Layer.Layer<FollowStore, never, Audit | Signals | TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

interface Row {
  readonly tenant: TenantId
  readonly app: AppId
  readonly account: UserId
  readonly source: string
  readonly title: string
  readonly since: number
  readonly last: MessageId
  readonly taken: number | null
  readonly error: string | null
  readonly due: boolean
}

const sourceOf = (text: string): Source => (text === "saved" ? "saved" : ChatId.make(Number(text)))

const chatOf = ({ due, error, last, source, taken, ...row }: Row): FollowedChat => ({
  ...row,
  source: sourceOf(source),
  lastMessage: last,
  ...(due ? { rereadDue: true } : {}),
  ...(taken === null ? {} : { takenAt: taken }),
  ...(error === null ? {} : { lastError: error })
})

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  const signals = yield* Signals
  const audit = yield* Audit

  const select = (key: SessionKey) =>
    scope.transaction(key.tenant, (sql) =>
      Effect.map(
        sql<Row>`
          SELECT tenant_id AS tenant, app, account_id::float8 AS account, source, title, since_s::float8 AS since,
            last_message::float8 AS last, round(extract(epoch FROM taken_at) * 1000)::float8 AS taken, last_error AS error,
            reread_due AS due
          FROM followed_chats
          WHERE tenant_id = ${key.tenant} AND app = ${key.app} AND unfollowed_at IS NULL
          ORDER BY created_at, source`,
        (rows) => rows.map(chatOf)
      )
    )

  /** In the transaction of the change. */
  const noted = (key: SessionKey, actor: Actor, action: string, details: Record<string, Schema.Json>) =>
    scope.transaction(key.tenant, (sql) =>
      Effect.gen(function* () {
        yield* audit.record({ tenant: key.tenant, actor, action, subject: key.app, details })
        yield* signals.notify(sql, "zapiska_follows", key.tenant)
      })
    )

  /**
   * The client of the session is closed, wherever it is: it goes on from the positions that are stored, so that nothing is
   * lost that was told and not taken yet.
   */
  const changed = (...change: Parameters<typeof noted>) =>
    scope.transaction(change[0].tenant, (sql) =>
      Effect.andThen(noted(...change), signals.notify(sql, "zapiska_sessions_wanted", sessionName(change[0])))
    )

  return FollowStore.of({
    follow: Effect.fn("FollowStore.follow")(function* (key, { account, since, source, title }, actor) {
      yield* scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          yield* sql`
            INSERT INTO followed_chats AS f (tenant_id, app, account_id, source, title, since_s)
            VALUES (${key.tenant}, ${key.app}, ${account}::bigint, ${String(source)}, ${title}, ${since}::bigint)
            ON CONFLICT (tenant_id, app, account_id, source) DO UPDATE SET
              title = EXCLUDED.title, since_s = EXCLUDED.since_s, last_error = NULL, unfollowed_at = NULL,
              last_message = CASE WHEN EXCLUDED.since_s < f.since_s OR f.unfollowed_at IS NOT NULL
                THEN 0 ELSE f.last_message END`
          yield* changed(key, actor, "chat.followed", { source, since })
        })
      )
      const all = yield* select(key)
      return all.find((one) => one.source === source && one.account === account)!
    }),

    followSaved: Effect.fn("FollowStore.followSaved")((key, { account, at }, actor) =>
      scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const begun = yield* sql`
            INSERT INTO followed_chats (tenant_id, app, account_id, source, title, since_s)
            VALUES (${key.tenant}, ${key.app}, ${account}::bigint, 'saved', ${savedTitle}, ${at}::bigint)
            ON CONFLICT (tenant_id, app, account_id, source) DO NOTHING RETURNING 1`
          // A session that is being logged in has no client yet.
          if (begun.length > 0) yield* noted(key, actor, "chat.followed", { source: "saved", since: at })
        })
      )
    ),

    unfollow: Effect.fn("FollowStore.unfollow")((key, source, actor) =>
      scope.transaction(key.tenant, (sql) =>
        Effect.gen(function* () {
          const ofChat = sql`tenant_id = ${key.tenant} AND app = ${key.app} AND source = ${String(source)}
            AND unfollowed_at IS NULL`
          const gone = yield* source === "saved"
            ? sql`UPDATE followed_chats SET unfollowed_at = now() WHERE ${ofChat} RETURNING 1`
            : sql`DELETE FROM followed_chats WHERE ${ofChat} RETURNING 1`
          if (gone.length === 0) return yield* new NotFollowed({ session: sessionName(key), source })
          yield* changed(key, actor, "chat.unfollowed", { source })
        })
      )
    ),

    list: Effect.fn("FollowStore.list")(select),

    sessions: (tenant) =>
      scope.transaction(
        tenant,
        (sql) => sql<SessionKey>`
          SELECT DISTINCT tenant_id AS tenant, app FROM followed_chats
          WHERE tenant_id = ${tenant} AND unfollowed_at IS NULL ORDER BY app`
      ),

    advance: ({ account, app, since, source, tenant }, last) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`
          UPDATE followed_chats
          SET last_message = GREATEST(last_message, ${last}::bigint), taken_at = now(), last_error = NULL
          WHERE tenant_id = ${tenant} AND app = ${app} AND account_id = ${account}::bigint
            AND source = ${String(source)} AND since_s = ${since}::bigint`)
      ),

    reread: ({ account, app, source, tenant }, is) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`
          UPDATE followed_chats
          SET reread_due = ${is === "due"}, last_error = CASE WHEN ${is === "due"} THEN last_error END
          WHERE tenant_id = ${tenant} AND app = ${app} AND account_id = ${account}::bigint
            AND source = ${String(source)}`)
      ),

    trouble: ({ account, app, source, tenant }, error) =>
      scope.transaction(tenant, (sql) =>
        Effect.asVoid(sql`
          UPDATE followed_chats SET last_error = ${error}
          WHERE tenant_id = ${tenant} AND app = ${app} AND account_id = ${account}::bigint
            AND source = ${String(source)}`)
      )
  })
})
