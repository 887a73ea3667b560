/** Answers for Telegram sessions: what `SessionManager` does, in the name of who holds the bearer. */
import { Effect, Option, Redacted, Stream } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { TenantId } from "../../domain/Ids.ts"
import type { Tenant } from "../../domain/Tenant.ts"
import { LoginLinks } from "../../session/LoginLinks.ts"
import type { LoginStep } from "../../session/LoginStep.ts"
import type {
  ClientError,
  LoginError,
  NoLogin,
  RemoveError,
  RevokeError
} from "../../session/SessionError.ts"
import type { SessionKey } from "../../session/SessionEvents.ts"
import { SessionManager } from "../../session/SessionManager.ts"
import type { SessionInfo } from "../../session/SessionRow.ts"
import { Vault } from "../../session/Vault.ts"
import { Audit } from "../../store/Audit.ts"
import { TenantScope } from "../../store/TenantScope.ts"
import { Tenants } from "../../store/Tenants.ts"
import { AdminApi } from "./Api.ts"
import { databaseAway } from "./databaseAway.ts"
import { type Conflict, conflict, type Missing, missing, type Unavailable } from "./Refusals.ts"
import { type LoginView, type NewAccount, viewOf } from "./SessionViews.ts"
import { actor, lookUp } from "./TenantsHandlers.ts"

const historyShown = 50

/** Where a login stands now; one that came to nothing says why. */
export const present = (
  steps: Stream.Stream<LoginStep, LoginError | NoLogin>
): Effect.Effect<LoginView, NoLogin> =>
  Stream.runHead(steps).pipe(
    Effect.map((step): LoginView => (Option.isSome(step) ? viewOf(step.value) : { _tag: "Starting" })),
    Effect.catch((error) =>
      error._tag === "NoLogin"
        ? Effect.fail(error)
        : Effect.succeed<LoginView>({ _tag: "Ended", reason: error._tag, message: error.message })
    )
  )

type Refusal = LoginError | NoLogin | ClientError | RemoveError | RevokeError

/** What the sessions refuse, as the API says it. */
const refusing = <A>(effect: Effect.Effect<A, Refusal>) =>
  Effect.catch(effect, (error): Effect.Effect<never, Missing | Conflict | Unavailable> => {
    if (error._tag === "SqlError") return databaseAway(error)
    return error._tag === "SessionUnknown" || error._tag === "NoLogin" ? missing(error) : conflict(error)
  })

/** Its state stays as it was when the tenant was disabled; that would be misread. */
const of =
  ({ disabledAt }: Tenant) =>
  (session: SessionInfo): SessionInfo =>
    disabledAt === undefined ? session : { ...session, tenantDisabled: true }

export const sessionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "sessions",
  Effect.fn(function* (handlers) {
    const sessions = yield* SessionManager
    const vault = yield* Vault
    const audit = yield* Audit
    const links = yield* LoginLinks
    const tenants = yield* Tenants
    const scope = yield* TenantScope
    const existing = yield* lookUp

    const record = ({ tenant, app }: SessionKey, action: string) =>
      audit.record({ tenant, actor, action, subject: app })
    /** A session that is there. */
    const known = (key: SessionKey) =>
      Effect.zipWith(
        sessions
          .status(key)
          .pipe(Effect.catchTag("SessionUnknown", missing), Effect.catchTag("SqlError", databaseAway)),
        existing(key.tenant),
        (session, tenant) => of(tenant)(session)
      )
    const answered = (answer: Effect.Effect<LoginStep, LoginError | NoLogin>) =>
      refusing(Effect.map(answer, viewOf))

    const add = Effect.fnUntraced(function* (
      key: SessionKey,
      { apiHash, apiId, expected }: Pick<NewAccount, "apiHash" | "apiId" | "expected">
    ) {
      const { app, tenant } = key
      yield* existing(tenant)
      const credentials = Redacted.make(`${apiId}:${Redacted.value(apiHash)}`)
      yield* scope
        .transaction(tenant, () =>
          Effect.gen(function* () {
            yield* sessions.add(key, {
              kind: "user",
              apiKeyAlias: app,
              ...(expected === undefined ? {} : { expected })
            })
            yield* vault.put(tenant, { kind: "api-key", alias: app }, credentials)
            yield* record(key, "session.added")
          })
        )
        .pipe(
          Effect.catchTag(["SessionExists", "SecretUnreadable"], conflict),
          Effect.catchTag("TenantUnknown", missing),
          Effect.catchTag("SqlError", databaseAway)
        )
      return yield* known(key)
    })

    const status = Effect.fnUntraced(function* (key: SessionKey) {
      const session = yield* known(key)
      const history = yield* Effect.catchTag(sessions.history(key, historyShown), "SqlError", databaseAway)
      return { session, history }
    })

    const login = Effect.fnUntraced(function* (key: SessionKey, phone: Redacted.Redacted | undefined) {
      yield* known(key)
      // Before: what is asked for goes on after this answer, and by itself.
      yield* Effect.catchTag(record(key, "session.login_asked"), "SqlError", databaseAway)
      const steps =
        phone === undefined ? sessions.loginByQr(key, { actor }) : sessions.loginByCode(key, phone, { actor })
      return yield* Effect.catchTag(present(steps), "NoLogin", missing)
    })

    const link = (key: SessionKey) =>
      refusing(links.create(key, actor)).pipe(
        Effect.map(({ expires, url }) => ({ expires, url: Redacted.value(url) }))
      )

    const revoked = Effect.fnUntraced(function* (key: SessionKey) {
      const { problem } = yield* sessions.revoke(key, actor, record(key, "session.revoked"))
      const session = yield* sessions.status(key)
      return { session, ...(problem === undefined ? {} : { problem }) }
    })

    const revoke = (key: SessionKey) => refusing(revoked(key))
    const remove = (key: SessionKey) => refusing(sessions.remove(key, record(key, "session.removed")))
    const listed = (tenant: Tenant) => Effect.map(sessions.list(tenant.id), (found) => found.map(of(tenant)))
    const list = (tenant: TenantId) =>
      Effect.flatMap(existing(tenant), (found) => Effect.catchTag(listed(found), "SqlError", databaseAway))
    const all = Effect.gen(function* () {
      const each = yield* Effect.forEach(yield* tenants.list, listed, { concurrency: 4 })
      return each.flat()
    }).pipe(Effect.catchTag("SqlError", databaseAway))
    const loginState = (key: SessionKey) =>
      present(sessions.login(key)).pipe(Effect.catchTag("NoLogin", missing))
    const cancel = (key: SessionKey) =>
      sessions
        .cancel(key)
        .pipe(
          Effect.andThen(record(key, "session.login_cancelled")),
          Effect.catchTag("NoLogin", missing),
          Effect.catchTag("SqlError", databaseAway)
        )
    const validate = (key: SessionKey) => refusing(sessions.validate(key))
    const code = (key: SessionKey, given: Redacted.Redacted) => answered(sessions.submitCode(key, given))
    const password = (key: SessionKey, given: Redacted.Redacted) =>
      answered(sessions.submitPassword(key, given))

    return handlers.handleAll({
      all: () => all,
      list: ({ params }) => list(params.tenant),
      add: ({ params: { tenant }, payload: { app, ...account } }) => add({ tenant, app }, account),
      status: ({ params }) => status(params),
      remove: ({ params }) => remove(params),
      login: ({ params, payload }) => login(params, payload.phone),
      loginState: ({ params }) => loginState(params),
      code: ({ params, payload }) => code(params, payload.code),
      password: ({ params, payload }) => password(params, payload.password),
      cancel: ({ params }) => cancel(params),
      link: ({ params }) => link(params),
      validate: ({ params }) => validate(params),
      revoke: ({ params }) => revoke(params)
    })
  })
)
