/**
 * Links to the page a person logs in by. A link is a random token, of which only a digest is kept; it is good for one
 * person's browser, for a while, for one session.
 */
import { createHash, randomBytes } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { AppId, TenantId } from "../domain/Ids.ts"
import { TenantScope } from "../store/TenantScope.ts"
import type { SessionKey } from "./SessionEvents.ts"

/** None of ours, too old, or used before: which of these is nobody's business. */
export class LinkInvalid extends Schema.TaggedError<LinkInvalid>()("LinkInvalid", {}) {
  override get message() {
    return "This link does not work any more; ask for a new one"
  }
}

export interface LinkIssued {
  /** The path of the page, under the address of a process. */
  readonly path: string
  /** Unix milliseconds. */
  readonly expires: number
}

export const loginRoot = "/login/"
const lifetime: Duration.Input = "10 minutes"

export class LoginLinks extends Context.Service<
  LoginLinks,
  {
    readonly issue: (key: SessionKey, actor: string) => Effect.Effect<LinkIssued, SqlError.SqlError>
    /** Of any number who try at once, one succeeds. */
    readonly redeem: (
      link: string
    ) => Effect.Effect<{ readonly key: SessionKey; readonly actor: string }, LinkInvalid | SqlError.SqlError>
  }
>()("zapiska/session/LoginLinks") {
  static readonly layer: Layer.Layer<LoginLinks, never, TenantScope> = Layer.effect(
    this,
    Effect.suspend(() => make)
  )
}

/** 256 bits. */
const newToken = Effect.sync(() => randomBytes(32).toString("base64url"))
const digestOf = (token: string): Uint8Array => createHash("sha256").update(token).digest()

/** `<tenant>.<token>`: whose row it is has to be known before it can be looked for. */
const written = /^([a-z0-9][a-z0-9-]{0,62})\.([\w-]{43})$/

const make = Effect.gen(function* () {
  const scope = yield* TenantScope
  return LoginLinks.of({
    issue: Effect.fn("LoginLinks.issue")(function* ({ tenant, app }, actor) {
      const now = yield* Clock.currentTimeMillis
      const expires = now + Duration.toMillis(Duration.fromInputUnsafe(lifetime))
      const token = yield* newToken
      yield* scope.transaction(tenant, (sql) =>
        Effect.andThen(
          sql`DELETE FROM login_links WHERE tenant_id = ${tenant}
            AND expires_at < to_timestamp(${now}::float8 / 1000)`,
          sql`INSERT INTO login_links (tenant_id, digest, app, actor, expires_at)
            VALUES (${tenant}, ${digestOf(token)}::bytea, ${app}, ${actor},
              to_timestamp(${expires}::float8 / 1000))`
        )
      )
      return { path: `${loginRoot}${tenant}.${token}`, expires }
    }),

    redeem: Effect.fn("LoginLinks.redeem")(function* (link) {
      const [, name, token] = written.exec(link) ?? []
      if (name === undefined || token === undefined) return yield* new LinkInvalid()
      const tenant = TenantId.make(name)
      const now = yield* Clock.currentTimeMillis
      const [row] = yield* scope.transaction(
        tenant,
        (sql) => sql<{ readonly app: string; readonly actor: string }>`
          UPDATE login_links SET used_at = to_timestamp(${now}::float8 / 1000)
          WHERE tenant_id = ${tenant} AND digest = ${digestOf(token)}::bytea AND used_at IS NULL
            AND expires_at > to_timestamp(${now}::float8 / 1000)
          RETURNING app, actor`
      )
      if (row === undefined) return yield* new LinkInvalid()
      return { key: { tenant, app: AppId.make(row.app) }, actor: row.actor }
    })
  })
})
