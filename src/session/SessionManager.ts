/**
 * Telegram sessions by tenant and app: who is logged in, who owns the live client, how one is logged in, watched and
 * ended. Bots run by their token, in `BotFleet`; the accounts of people are run here.
 */
import {
  Clock,
  Context,
  type Duration,
  Effect,
  Layer,
  Metric,
  type Redacted,
  Schedule,
  type Scope,
  Stream
} from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Locks } from "../lock/Locks.ts"
import { Signals } from "../store/Signals.ts"
import type { TenantScope } from "../store/TenantScope.ts"
import type { TenantUnknown } from "../store/Tenants.ts"
import { TaskManager } from "../task/TaskManager.ts"
import type { UserClient } from "../telegram/UserClient.ts"
import { type Ending, makeEnding } from "./Ending.ts"
import type { FollowStore } from "./FollowStore.ts"
import { makeLiveSessions } from "./LiveSessions.ts"
import type { LoginStep } from "./LoginStep.ts"
import { type LoginOptions, makeLogins } from "./Logins.ts"
import { clientLatency } from "./metrics.ts"
import type { ClientError, LoginError, NoLogin, RemoveError, RevokeError } from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { LiveSession } from "./SessionLife.ts"
import { infoOf, type SessionInfo, type SessionRow, type SessionTransition } from "./SessionRow.ts"
import type { SessionSecrets } from "./SessionSecrets.ts"
import { type NewSession, type SessionExists, SessionStore, type SessionUnknown } from "./SessionStore.ts"
import { watchSessions } from "./Watching.ts"

export class SessionManager extends Context.Service<
  SessionManager,
  {
    readonly add: (
      key: SessionKey,
      session: NewSession
    ) => Effect.Effect<void, SessionExists | TenantUnknown | SqlError.SqlError>
    /**
     * A client that is live for as long as the scope lasts, or the reason why there is none. One process of the world
     * has it at a time; all who ask here share it.
     */
    readonly client: (key: SessionKey) => Effect.Effect<LiveSession, ClientError, Scope.Scope>
    /** As `client`, also where another process has it, which is asked to let go of it for a while. */
    readonly borrow: (key: SessionKey) => Effect.Effect<LiveSession, ClientError, Scope.Scope>
    /**
     * Keeps `work` going with the client of the session in one of the processes that ask for it, until `stop`. Where
     * nobody is logged in it waits for that.
     */
    readonly start: (
      key: SessionKey,
      work: (client: LiveSession) => Effect.Effect<void, ClientError>
    ) => Effect.Effect<void>
    readonly stop: (key: SessionKey) => Effect.Effect<void>
    /**
     * A login by a code that is scanned; joins one that is under way. It goes on when nobody reads the stream, until
     * its end, its deadline or `cancel`.
     */
    readonly loginByQr: (key: SessionKey, options: LoginOptions) => Stream.Stream<LoginStep, LoginError>
    /** A login by a code that Telegram sends to this phone. */
    readonly loginByCode: (
      key: SessionKey,
      phone: Redacted.Redacted<string>,
      options: LoginOptions
    ) => Stream.Stream<LoginStep, LoginError>
    /** The login under way in this process, or the last one, from its present step on. */
    readonly login: (key: SessionKey) => Stream.Stream<LoginStep, LoginError | NoLogin>
    /** What came of it: the next step, or why it was refused. */
    readonly submitCode: (
      key: SessionKey,
      code: Redacted.Redacted<string>
    ) => Effect.Effect<LoginStep, LoginError | NoLogin>
    readonly submitPassword: (
      key: SessionKey,
      password: Redacted.Redacted<string>
    ) => Effect.Effect<LoginStep, LoginError | NoLogin>
    readonly cancel: (key: SessionKey) => Effect.Effect<void, NoLogin>
    /** Logs out at Telegram, as far as it can be reached, and destroys what is kept here. */
    readonly revoke: (
      key: SessionKey,
      actor: string,
      along?: Effect.Effect<void, SqlError.SqlError>
    ) => Effect.Effect<Ending, RevokeError>
    /** Forgets a session nobody is logged in to, with its history, and its API id and hash unless another uses them. */
    readonly remove: (
      key: SessionKey,
      along?: Effect.Effect<void, SqlError.SqlError>
    ) => Effect.Effect<void, RemoveError>
    readonly status: (key: SessionKey) => Effect.Effect<SessionInfo, SessionUnknown | SqlError.SqlError>
    readonly list: (tenant: TenantId) => Effect.Effect<ReadonlyArray<SessionInfo>, SqlError.SqlError>
    /** The newest moves first. */
    readonly history: (
      key: SessionKey,
      limit: number
    ) => Effect.Effect<ReadonlyArray<SessionTransition>, SqlError.SqlError>
    /** Asks Telegram whether the session lives, and moves it accordingly. */
    readonly validate: (key: SessionKey) => Effect.Effect<SessionInfo, ClientError | SessionUnknown>
  }
>()("zapiska/session/SessionManager") {
  /** `tenants`: those that are served. What is of another rests. */
  static readonly layer = (options: {
    readonly tenants: Effect.Effect<ReadonlyArray<TenantId>, SqlError.SqlError>
  }): Layer.Layer<
    SessionManager,
    never,
    FollowStore | Locks | SessionSecrets | SessionStore | Signals | TaskManager | TenantScope | UserClient
  > => Layer.effect(SessionManager, make(options.tenants))
}

/** As people see it now. */
const shown = <E>(row: Effect.Effect<SessionRow, E>) => Effect.zipWith(row, Clock.currentTimeMillis, infoOf)

const make = Effect.fnUntraced(function* (
  tenants: Effect.Effect<ReadonlyArray<TenantId>, SqlError.SqlError>
) {
  const store = yield* SessionStore
  const locks = yield* Locks
  const tasks = yield* TaskManager
  const signals = yield* Signals
  const live = yield* makeLiveSessions(tenants)
  const logins = yield* makeLogins(tenants)
  const ending = yield* makeEnding(logins)

  const measured = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const begun = yield* Clock.monotonicTimeNanos
      const observe = (result: string) =>
        Effect.flatMap(Clock.monotonicTimeNanos, (now) =>
          Metric.update(Metric.withAttributes(clientLatency, { result }), Number(now - begun) / 1e9)
        )
      return yield* effect.pipe(
        Effect.tap(() => observe("live")),
        Effect.tapError(({ _tag }) => observe(_tag))
      )
    })

  /** The lease task of a bot is `session/…`, and an app may have been a bot before. */
  const workId = (key: SessionKey) => `account/${sessionName(key)}`
  const serveOnly = (served: ReadonlyArray<TenantId>) =>
    Effect.andThen(logins.serveOnly(served), live.serveOnly(served))
  yield* watchSessions({ store, live, locks, tasks, tenants, serveOnly })
  yield* signals.listen("zapiska_directory").pipe(
    Stream.runForEach(() =>
      Effect.catch(Effect.flatMap(tenants, serveOnly), ({ message }) =>
        // Whoever looks after idle sessions looks at this, too.
        Effect.logDebug(`Which tenants are served is not known now: ${message}`)
      )
    ),
    Effect.forkScoped({ startImmediately: true })
  )

  return SessionManager.of({
    add: store.add,

    client: Effect.fn("SessionManager.client")((key) => measured(live.get(key))),

    borrow: Effect.fn("SessionManager.borrow")((key) => measured(live.borrow(key))),

    start: Effect.fn("SessionManager.start")((key, work) =>
      tasks
        .start(
          {
            id: workId(key),
            kind: "session",
            description: "Works with a person's own account",
            owner: key,
            restart: workAgain
          },
          keepGoing(key, live.get(key), work)
        )
        .pipe(Effect.catchTag(["TaskExists", "TaskManagerStopped"], () => Effect.void))
    ),

    stop: Effect.fn("SessionManager.stop")((key) =>
      Effect.catchTag(tasks.stop(workId(key)), "TaskUnknown", () => Effect.void)
    ),

    loginByQr: (key, options) =>
      Stream.unwrap(Effect.map(logins.begin(key, { _tag: "Qr" }, options), logins.steps)),
    loginByCode: (key, phone, options) =>
      Stream.unwrap(Effect.map(logins.begin(key, { _tag: "Code", phone }, options), logins.steps)),
    login: (key) => Stream.unwrap(Effect.map(logins.find(key), logins.steps)),
    submitCode: Effect.fn("SessionManager.submitCode")((key, code) => logins.submit(key, "code", code)),
    submitPassword: Effect.fn("SessionManager.submitPassword")((key, password) =>
      logins.submit(key, "password", password)
    ),
    cancel: Effect.fn("SessionManager.cancel")((key) => logins.cancel(key)),

    revoke: Effect.fn("SessionManager.revoke")(ending.revoke),
    remove: Effect.fn("SessionManager.remove")(ending.remove),

    status: Effect.fn("SessionManager.status")((key) => shown(store.get(key))),
    list: Effect.fn("SessionManager.list")((tenant) =>
      Effect.map(Effect.all([store.list(tenant), Clock.currentTimeMillis]), ([rows, now]) =>
        rows.map((row) => infoOf(row, now))
      )
    ),
    history: store.history,
    validate: Effect.fn("SessionManager.validate")((key) =>
      store.get(key).pipe(Effect.andThen(live.validate(key)), Effect.andThen(shown(store.get(key))))
    )
  })
})

/** Between two attempts to have a session that another has, or that is not logged in. */
const askAgain: Duration.Input = "5 seconds"
/** Of work that died: nobody else would begin it anew. */
const workAgain = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])

const keepGoing = (
  key: SessionKey,
  client: Effect.Effect<LiveSession, ClientError, Scope.Scope>,
  work: (client: LiveSession) => Effect.Effect<void, ClientError>
): Effect.Effect<never> =>
  client.pipe(
    Effect.flatMap((session) => Effect.raceFirst(work(session), session.ended)),
    Effect.scoped,
    Effect.catch((error) => Effect.logDebug(`Session ${sessionName(key)} rests: ${error.message}`)),
    Effect.andThen(Effect.sleep(askAgain)),
    Effect.forever
  )
