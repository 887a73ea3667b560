/** The logins under way in this process: who watches them, who answers for their person, how they are ended. */
import { randomUUID } from "node:crypto"
import {
  Cause,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Option,
  Queue,
  type Redacted,
  Schedule,
  Stream,
  SubscriptionRef
} from "effect"
import type { SqlError } from "effect/sql"
import type { TenantId } from "../domain/Ids.ts"
import { Locks } from "../lock/Locks.ts"
import type { Actor } from "../store/Audit.ts"
import { Signals } from "../store/Signals.ts"
import { TenantScope } from "../store/TenantScope.ts"
import { TaskManager } from "../task/TaskManager.ts"
import { type UserAccount, UserClient } from "../telegram/UserClient.ts"
import { FollowStore } from "./FollowStore.ts"
import { type Answer, type LoginMethod, makeLoginScript } from "./LoginScript.ts"
import type { LoginStep } from "./LoginStep.ts"
import {
  HeldElsewhere,
  LoginCancelled,
  type LoginError,
  LoginExpired,
  LoginFailed,
  LoginUnderWay,
  NoLogin,
  TenantDisabled
} from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import { keyOf, leaseOf } from "./SessionLife.ts"
import { SessionSecrets } from "./SessionSecrets.ts"
import { isPending } from "./SessionState.ts"
import { SessionStore } from "./SessionStore.ts"

export interface LoginOptions {
  readonly actor: Actor
  /** The whole login; 10 minutes. */
  readonly within?: Duration.Input
}

type Shown = Exit.Exit<LoginStep, LoginError>

interface Login {
  readonly method: LoginMethod["_tag"]
  readonly shown: SubscriptionRef.SubscriptionRef<Shown>
  readonly answers: Queue.Queue<Answer>
  readonly ended: Deferred.Deferred<never, LoginError>
  /** Its lease is given back. */
  readonly over: Deferred.Deferred<void>
}

const isLast = (shown: Shown) => Exit.isFailure(shown) || shown.value._tag === "Authorized"

/** What a login comes to. One that is interrupted ends with its process. */
const lastOf = (session: string, exit: Exit.Exit<UserAccount, LoginError>): Shown =>
  Exit.isSuccess(exit)
    ? Exit.succeed({ _tag: "Authorized", account: exit.value })
    : Exit.fail(Option.getOrElse(Cause.findErrorOption(exit.cause), () => new LoginExpired({ session })))

/** How long another process may take to cancel a login. */
const endsWithin: Duration.Input = "5 seconds"

/** For a lease that is being given back by a client nobody uses any more. */
const waitForLease: Duration.Input = "2 seconds"

/** `tenants`: those that are served. */
export const makeLogins = Effect.fnUntraced(function* (
  tenants: Effect.Effect<ReadonlyArray<TenantId>, SqlError.SqlError>
) {
  const store = yield* SessionStore
  const secrets = yield* SessionSecrets
  const users = yield* UserClient
  const locks = yield* Locks
  const tasks = yield* TaskManager
  const signals = yield* Signals
  const scope = yield* TenantScope
  const script = makeLoginScript({ store, secrets, users, follows: yield* FollowStore })
  const logins = new Map<string, Login>()
  let begun = 0

  const find = (key: SessionKey) =>
    Effect.suspend(() => {
      const login = logins.get(sessionName(key))
      return login === undefined ? new NoLogin({ session: sessionName(key) }) : Effect.succeed(login)
    })

  /** As `find`; where another process runs it, the answer says which. */
  const findOrTell = (key: SessionKey) =>
    Effect.catchTag(find(key), "NoLogin", (none) =>
      store.get(key).pipe(
        Effect.catch((error) =>
          Effect.andThen(
            Effect.logDebug(`Who logs session ${none.session} in is not known: ${error.message}`),
            none
          )
        ),
        Effect.flatMap(({ owner, state }) =>
          isPending(state) && owner !== undefined ? new NoLogin({ session: none.session, owner }) : none
        )
      )
    )

  const run = (key: SessionKey, login: Login, method: LoginMethod, { actor, within }: LoginOptions) => {
    const session = sessionName(key)
    const failed = (because: string) => Effect.fail(new LoginFailed({ session, because }))
    const logIn = script.run({
      key,
      method,
      actor,
      within: within ?? "10 minutes",
      answers: login.answers,
      ended: login.ended,
      show: (step) => SubscriptionRef.set(login.shown, Exit.succeed(step))
    })
    const served = Effect.flatMap(tenants, (all) =>
      all.includes(key.tenant) ? Effect.void : new TenantDisabled({ session })
    )
    const outcome: Effect.Effect<UserAccount, LoginError> = Effect.andThen(served, script.mayBegin(key)).pipe(
      Effect.flatMap(() => locks.withLease(leaseOf(key), { wait: waitForLease })(logIn)),
      Effect.catchTag("LockHeld", ({ owner }) => Effect.fail(new HeldElsewhere({ session, owner }))),
      Effect.catchTag(["LockLost", "LocksUnavailable", "SqlError"], (error) => failed(error.message))
    )
    return outcome.pipe(
      // The last is shown when the lease is given back: whoever sees it may have the client at once.
      Effect.onExit((exit) =>
        Effect.gen(function* () {
          yield* SubscriptionRef.set(login.shown, lastOf(session, exit))
          yield* Queue.shutdown(login.answers)
          yield* Deferred.succeed(login.over, undefined)
        })
      ),
      Effect.withSpan("SessionManager.login", {
        root: true,
        attributes: { tenant: key.tenant, app: key.app, method: method._tag }
      }),
      // Whoever watches is told; it is no failure of a task.
      Effect.catch(() => Effect.void),
      Effect.asVoid
    )
  }

  const steps = (login: Login): Stream.Stream<LoginStep, LoginError> =>
    SubscriptionRef.changes(login.shown).pipe(
      Stream.takeUntil(isLast),
      Stream.mapEffect((shown) => shown)
    )

  const begin = Effect.fnUntraced(function* (key: SessionKey, method: LoginMethod, options: LoginOptions) {
    const session = sessionName(key)
    const current = logins.get(session)
    if (current !== undefined && isLast(yield* SubscriptionRef.get(current.shown)))
      yield* Deferred.await(current.over)
    else if (current !== undefined) {
      // A second look at the same code; a second phone number would be another login.
      if (method._tag === "Qr" && current.method === "Qr") return current
      return yield* new LoginUnderWay({ session })
    }
    const login: Login = {
      method: method._tag,
      shown: yield* SubscriptionRef.make<Shown>(Exit.succeed({ _tag: "Starting" })),
      answers: yield* Queue.bounded<Answer>(8),
      ended: yield* Deferred.make<never, LoginError>(),
      over: yield* Deferred.make<void>()
    }
    yield* tasks
      .start(
        {
          id: `login/${session}/${++begun}`,
          kind: "login",
          description: "Waits for a person to log their account in",
          owner: key
        },
        run(key, login, method, options)
      )
      .pipe(
        Effect.catchTag("TaskExists", Effect.die),
        Effect.catchTag("TaskManagerStopped", ({ message }) => new LoginFailed({ session, because: message }))
      )
    logins.set(session, login)
    return login
  })

  const submit = Effect.fnUntraced(function* (
    key: SessionKey,
    asked: Answer["asked"],
    secret: Redacted.Redacted<string>
  ) {
    const login = yield* findOrTell(key)
    const shown = yield* SubscriptionRef.get(login.shown)
    const wanted = Exit.isSuccess(shown) ? shown.value._tag : undefined
    if (wanted !== (asked === "code" ? "CodeSent" : "PasswordNeeded"))
      return yield* new NoLogin({ session: sessionName(key) })
    const reply = yield* Deferred.make<LoginStep, LoginError>()
    yield* Queue.offer(login.answers, { asked, secret, reply })
    return yield* Effect.raceFirst(
      Deferred.await(reply),
      Effect.andThen(
        Deferred.await(login.over),
        Effect.flatMap(SubscriptionRef.get(login.shown), (last) => last)
      )
    )
  })

  const cancelHere = Effect.fnUntraced(function* (key: SessionKey) {
    const login = yield* find(key)
    if (isLast(yield* SubscriptionRef.get(login.shown)))
      return yield* new NoLogin({ session: sessionName(key) })
    yield* Deferred.fail(login.ended, new LoginCancelled({ session: sessionName(key) }))
    yield* Deferred.await(login.over)
  })

  const me = randomUUID()
  yield* signals.listen("zapiska_logins_cancelled").pipe(
    Stream.runForEach((payload) => {
      const [name = "", by] = payload.split(" ")
      // What we cancelled elsewhere may have been begun here by now.
      return by === me ? Effect.void : Effect.catch(cancelHere(keyOf(name)), () => Effect.void)
    }),
    Effect.forkScoped({ startImmediately: true })
  )

  /** A login of another process. One that died left it behind: whoever begins the next clears it away. */
  const cancelElsewhere = Effect.fnUntraced(function* (key: SessionKey) {
    const session = sessionName(key)
    const pending = Effect.map(store.get(key), ({ state }) => isPending(state))
    if (!(yield* pending)) return yield* new NoLogin({ session })
    yield* scope.transaction(key.tenant, (sql) =>
      signals.notify(sql, "zapiska_logins_cancelled", `${session} ${me}`)
    )
    yield* Effect.repeat(pending, {
      schedule: Schedule.spaced("50 millis"),
      until: (still) => !still
    }).pipe(Effect.timeoutOption(endsWithin))
  })

  /** Ready when nothing of it is left, here or in another process. */
  const cancel = Effect.fnUntraced(function* (key: SessionKey) {
    yield* Effect.catchTag(cancelHere(key), "NoLogin", () =>
      Effect.catchTag(cancelElsewhere(key), ["SqlError", "SessionUnknown"], (error) =>
        Effect.andThen(
          Effect.logDebug(`Whether a login is under way elsewhere is not known: ${error.message}`),
          new NoLogin({ session: sessionName(key) })
        )
      )
    )
  })

  /** Ends the logins of all other tenants. */
  const serveOnly = (served: ReadonlyArray<TenantId>) =>
    Effect.forEach(
      logins,
      ([session, login]) =>
        served.includes(keyOf(session).tenant)
          ? Effect.void
          : Deferred.fail(login.ended, new TenantDisabled({ session })),
      { discard: true }
    )

  return { begin, steps, find: findOrTell, submit, cancel, serveOnly }
})
