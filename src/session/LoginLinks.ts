/**
 * Links that let a person log their own account in, in a browser: each for one session, opened once, for a few minutes.
 * Whoever opens it gets a ticket, which only the browser keeps, and goes on with that.
 */
import { createHash, randomBytes } from "node:crypto"
import { Clock, Context, Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { AppId, TenantId, type UserId } from "../domain/Ids.ts"
import { isLoopback } from "../ops/HostGuard.ts"
import { type Actor, Audit } from "../store/Audit.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { AlreadyAuthorized, CredentialsMissing, NotAnAccount } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { SessionRow } from "./SessionRow.ts"
import { isLoggedIn } from "./SessionState.ts"
import { SessionStore, SessionUnknown } from "./SessionStore.ts"
import { Vault } from "./Vault.ts"

/** What a link is for. */
export interface LoginLink {
  readonly key: SessionKey
  /** Who asked for it. */
  readonly actor: Actor
}

export interface NewLoginLink extends LoginLink {
  readonly url: Redacted.Redacted<string>
  /** Unix milliseconds. */
  readonly expires: number
  /** Only the machine this process runs on can open it. */
  readonly local: boolean
}

export type LinkRefusal = AlreadyAuthorized | NotAnAccount | SessionUnknown

export class LoginLinks extends Context.Service<
  LoginLinks,
  {
    /** Links to the same session that were not opened stop working. */
    readonly create: (
      key: SessionKey,
      actor: Actor
    ) => Effect.Effect<NewLoginLink, LinkRefusal | SqlError.SqlError>
    /**
     * For the account of this person and no other: in the session that expects it, or in one that is added with an API id
     * and hash the tenant has.
     */
    readonly createFor: (
      tenant: TenantId,
      person: UserId
    ) => Effect.Effect<NewLoginLink, LinkRefusal | CredentialsMissing | SqlError.SqlError>
    /** `None`: it was opened, has expired, or there never was one. It stays as it is. */
    readonly find: (token: string) => Effect.Effect<Option.Option<LoginLink>, SqlError.SqlError>
    /** Works once. With the ticket that goes on with it. */
    readonly open: (
      token: string
    ) => Effect.Effect<
      Option.Option<LoginLink & { readonly ticket: Redacted.Redacted<string> }>,
      SqlError.SqlError
    >
    /** `None`: the ticket is not the one of that link, or has expired. */
    readonly resume: (
      token: string,
      ticket: string
    ) => Effect.Effect<Option.Option<LoginLink>, SqlError.SqlError>
  }
>()("zapiska/session/LoginLinks") {
  /** `base`: where people reach this process, such as `https://notes.example`. */
  static readonly layer = (options: {
    readonly base: string
  }): Layer.Layer<LoginLinks, never, Audit | SessionStore | TenantScope | Vault> =>
    Layer.effect(LoginLinks, make(options.base))
}

/** To open it; and then for all that a login takes, a second try included. */
export const linkLifetime = Duration.minutes(10)
const ticketLifetime = Duration.minutes(20)

const secretBytes = 32
const newSecret = Effect.sync(() => randomBytes(secretBytes).toString("base64url"))
const digestOf = (secret: string): Uint8Array => createHash("sha256").update(secret).digest()

const isTenant = Schema.is(TenantId)

/** A token names its tenant, whose rows alone are looked at for it. No tenant's name holds a dot. */
export const partsOf = (
  token: string
): { readonly tenant: TenantId; readonly secret: string } | undefined => {
  const [, tenant, secret] = /^([a-z0-9-]+)\.([\w-]{43})$/.exec(token) ?? []
  return tenant !== undefined && secret !== undefined && isTenant(tenant) ? { tenant, secret } : undefined
}

/** The session of this person, if there is one; else what a new one is to be called. */
export const sessionFor = (
  rows: ReadonlyArray<SessionRow>,
  person: UserId
): { readonly row: SessionRow } | { readonly name: string } => {
  const people = rows.filter(({ kind }) => kind === "user")
  const row =
    people.find(({ expected }) => expected === person) ??
    people.find(({ account, expected }) => expected === undefined && account?.id === person)
  if (row !== undefined) return { row }
  const taken = new Set<string>(rows.map(({ app }) => app))
  let name = `user-${person}`
  for (let more = 2; taken.has(name); more++) name = `user-${person}-${more}`
  return { name }
}

interface Row {
  readonly app: AppId
  readonly actor: Actor
}

const make = Effect.fnUntraced(function* (base: string) {
  const scope = yield* TenantScope
  const store = yield* SessionStore
  const vault = yield* Vault
  const audit = yield* Audit

  const at = (sql: SqlClient.SqlClient, millis: number) => sql`to_timestamp(${millis}::float8 / 1000)`

  const create = Effect.fnUntraced(function* (key: SessionKey, actor: Actor) {
    const { app, tenant } = key
    const row = yield* store.get(key)
    const session = sessionName(key)
    if (row.kind === "bot") return yield* new NotAnAccount({ session })
    if (isLoggedIn(row.state)) return yield* new AlreadyAuthorized({ session })
    const secret = yield* newSecret
    const now = yield* Clock.currentTimeMillis
    const expires = now + Duration.toMillis(linkLifetime)
    yield* scope.transaction(tenant, (sql) =>
      Effect.gen(function* () {
        yield* sql`
          DELETE FROM login_links WHERE tenant_id = ${tenant}
            AND (expires_at <= ${at(sql, now)} OR app = ${app} AND ticket IS NULL)`
        yield* sql`
          INSERT INTO login_links (tenant_id, digest, app, actor, expires_at)
          VALUES (${tenant}, ${digestOf(secret)}, ${app}, ${actor}, ${at(sql, expires)})`
        yield* audit.record({ tenant, actor, action: "session.link_created", subject: app })
      })
    )
    const url = new URL(`/login/${tenant}.${secret}`, base)
    return {
      key: { tenant, app },
      actor,
      expires,
      local: isLoopback(url.hostname.replace(/^\[|\]$/g, "")),
      url: Redacted.make(url.href, { label: "login link" })
    }
  })

  const createFor = Effect.fnUntraced(function* (tenant: TenantId, person: UserId) {
    const actor: Actor = `user:${person}`
    const found = sessionFor(yield* store.list(tenant), person)
    if ("row" in found) return yield* create(found.row, actor)
    const key = { tenant, app: AppId.make(found.name) }
    const credentials = (yield* vault.names(tenant)).find(({ kind }) => kind === "api-key")
    if (credentials === undefined)
      return yield* new CredentialsMissing({ session: sessionName(key), problem: "the tenant has none" })
    return yield* scope.transaction(tenant, () =>
      Effect.gen(function* () {
        yield* store.add(key, { kind: "user", apiKeyAlias: credentials.alias, expected: person }).pipe(
          Effect.andThen(audit.record({ tenant, actor, action: "session.added", subject: key.app })),
          // They asked twice at once: it is theirs all the same.
          Effect.catchTag("SessionExists", () => Effect.void),
          // Removed since they asked.
          Effect.catchTag("TenantUnknown", () => Effect.fail(new SessionUnknown(key)))
        )
        return yield* create(key, actor)
      })
    )
  })

  /** The row `query` finds for a token of its tenant. */
  const one = (
    token: string,
    query: (
      sql: SqlClient.SqlClient,
      link: { readonly tenant: TenantId; readonly digest: Uint8Array; readonly now: number }
    ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
  ): Effect.Effect<Option.Option<LoginLink>, SqlError.SqlError> => {
    const parts = partsOf(token)
    if (parts === undefined) return Effect.succeedNone
    const { secret, tenant } = parts
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(
        scope.transaction(tenant, (sql) => query(sql, { tenant, digest: digestOf(secret), now })),
        ([row]) =>
          row === undefined ? Option.none() : Option.some({ key: { tenant, app: row.app }, actor: row.actor })
      )
    )
  }

  return LoginLinks.of({
    create: Effect.fn("LoginLinks.create")(create),
    createFor: Effect.fn("LoginLinks.createFor")(createFor),

    find: Effect.fn("LoginLinks.find")((token) =>
      one(
        token,
        (sql, { digest, now, tenant }) => sql<Row>`
          SELECT app, actor FROM login_links
          WHERE tenant_id = ${tenant} AND digest = ${digest} AND ticket IS NULL AND expires_at > ${at(sql, now)}`
      )
    ),

    open: Effect.fn("LoginLinks.open")(function* (token) {
      const ticket = yield* newSecret
      const opened = yield* one(
        token,
        (sql, { digest, now, tenant }) => sql<Row>`
          UPDATE login_links SET ticket = ${digestOf(ticket)},
            expires_at = ${at(sql, now + Duration.toMillis(ticketLifetime))}
          WHERE tenant_id = ${tenant} AND digest = ${digest} AND ticket IS NULL AND expires_at > ${at(sql, now)}
          RETURNING app, actor`
      )
      return Option.map(opened, (link) => ({
        ...link,
        ticket: Redacted.make(ticket, { label: "login ticket" })
      }))
    }),

    resume: Effect.fn("LoginLinks.resume")((token, ticket) =>
      one(
        token,
        (sql, { digest, now, tenant }) => sql<Row>`
          SELECT app, actor FROM login_links
          WHERE tenant_id = ${tenant} AND digest = ${digest} AND ticket = ${digestOf(ticket)}
            AND expires_at > ${at(sql, now)}`
      )
    )
  })
})
