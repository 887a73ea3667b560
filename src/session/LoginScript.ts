/** One login, from the first connection to a session that is kept, or to nothing. */
import { Clock, Deferred, type Duration, Effect, Exit, Option, Queue, type Redacted, Stream } from "effect"
import { Lease } from "../lock/Locks.ts"
import type { Actor } from "../store/Audit.ts"
import type { UserAccount, UserClient, UserError, UserSession } from "../telegram/UserClient.ts"
import type { FollowStore } from "./FollowStore.ts"
import { endOfLogin, type LoginStep, loginErrorOf, tries } from "./LoginStep.ts"
import {
  AlreadyAuthorized,
  CodeRefused,
  type LoginError,
  LoginExpired,
  LoginFailed,
  NotAnAccount,
  PasswordRefused,
  RateLimited
} from "./SessionError.ts"
import { type SessionKey, sessionName } from "./SessionEvents.ts"
import type { Learned, SessionRow } from "./SessionRow.ts"
import type { SessionSecrets } from "./SessionSecrets.ts"
import { isLoggedIn, isPending, type MoveReason } from "./SessionState.ts"
import type { Mover, SessionStore } from "./SessionStore.ts"

/** What a person answers with. */
export interface Answer {
  readonly asked: "code" | "password"
  readonly secret: Redacted.Redacted<string>
  /** What came of it, unless the login ends with it. */
  readonly reply: Deferred.Deferred<LoginStep, LoginError>
}

export type LoginMethod =
  | { readonly _tag: "Qr" }
  | { readonly _tag: "Code"; readonly phone: Redacted.Redacted<string> }

export interface LoginCall {
  readonly key: SessionKey
  readonly method: LoginMethod
  readonly actor: Actor
  readonly within: Duration.Input
  readonly answers: Queue.Dequeue<Answer>
  /** By somebody else, and why. */
  readonly ended: Deferred.Deferred<never, LoginError>
  readonly show: (step: LoginStep) => Effect.Effect<void>
}

export const makeLoginScript = (services: {
  readonly store: SessionStore["Service"]
  readonly secrets: SessionSecrets["Service"]
  readonly users: UserClient["Service"]
  readonly follows: FollowStore["Service"]
}) => {
  const { follows, secrets, store, users } = services

  /** The row of a session that may be logged in; the reason where it may not. */
  const mayBegin = Effect.fnUntraced(function* (key: SessionKey) {
    const session = sessionName(key)
    const row = yield* Effect.catchTag(store.get(key), "SqlError", ({ message }) =>
      Effect.fail(new LoginFailed({ session, because: message }))
    )
    if (row.kind === "bot") return yield* new NotAnAccount({ session })
    if (isLoggedIn(row.state)) return yield* new AlreadyAuthorized({ session })
    const now = yield* Clock.currentTimeMillis
    if (row.nextTryBecause === "flood" && (row.nextTry ?? 0) > now)
      return yield* new RateLimited({ session, until: row.nextTry ?? now })
    return row
  })

  /** Runs under the lease of the session, which it leaves AUTHORIZED or as it found it. */
  const run = Effect.fnUntraced(function* (call: LoginCall) {
    const { actor, answers, ended, key, method, show, within } = call
    const session = sessionName(key)
    const lease = yield* Lease
    const by: Mover = { actor, fence: lease.fence }

    const unkept = (error: { readonly message: string }) =>
      new LoginFailed({ session, because: error.message })
    const move = (
      reason: MoveReason,
      learned?: Learned,
      along?: Effect.Effect<void, { readonly message: string }>
    ) => Effect.mapError(store.move(key, reason, by, learned, along), unkept)
    const asked = <A, R>(effect: Effect.Effect<A, UserError, R>) =>
      Effect.catch(effect, (error) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(loginErrorOf(session, error, now)))
      )

    const connect = Effect.fnUntraced(function* (row: SessionRow) {
      const credentials = yield* secrets
        .credentials(row)
        .pipe(Effect.catchTag(["SqlError", "SecretUnreadable"], (error) => Effect.fail(unkept(error))))
      return yield* asked(
        users.connect({
          account: key,
          ...credentials,
          kept: Option.none(),
          mayWrite: lease.check,
          ...(row.expected === undefined ? {} : { expected: row.expected })
        })
      )
    })

    /** What is authorized at Telegram and cannot be kept here must not stay there either. */
    const keep = Effect.fnUntraced(function* (client: UserSession, account: UserAccount, reason: MoveReason) {
      const kept = { session: yield* asked(client.exportSession), peers: yield* client.exportPeers }
      const at = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const followed = follows.followSaved(key, { account: account.id, at }, actor)
      yield* move(reason, { account }, Effect.andThen(secrets.keep(key, kept), followed)).pipe(
        Effect.onError(() =>
          client.logOut.pipe(
            Effect.timeout("5 seconds"),
            Effect.catch((error) =>
              Effect.logWarning(
                `Session ${session} could not be kept, nor logged out at Telegram (${error.message}): end it under Settings → Devices`
              )
            )
          )
        )
      )
      return account
    })

    const next = Effect.fnUntraced(function* (wanted: Answer["asked"]) {
      while (true) {
        const answer = yield* Queue.take(answers)
        if (answer.asked === wanted) return answer
        yield* Deferred.fail(
          answer.reply,
          new LoginFailed({ session, because: `it asks for the ${wanted} now` })
        )
      }
    })

    const passwords = Effect.fnUntraced(function* (client: UserSession, hint: string | undefined) {
      yield* move("password_required")
      yield* show({ _tag: "PasswordNeeded", hint, triesLeft: tries })
      return Effect.gen(function* () {
        for (let triesLeft = tries - 1; ; triesLeft--) {
          const { reply, secret } = yield* next("password")
          const checked = yield* Effect.result(client.checkPassword(secret))
          if (checked._tag === "Success") return yield* keep(client, checked.success, "password_verified")
          const wrong = checked.failure._tag === "PasswordWrong"
          const error = wrong
            ? new PasswordRefused({ session, triesLeft })
            : loginErrorOf(session, checked.failure, yield* Clock.currentTimeMillis)
          yield* Deferred.fail(reply, error)
          if (!wrong || triesLeft === 0) return yield* Effect.fail(error)
          yield* show({ _tag: "PasswordNeeded", hint, triesLeft })
        }
      })
    })

    const byQr = Effect.fnUntraced(function* (client: UserSession) {
      yield* move("qr_started")
      const last = yield* client.loginByQr.pipe(
        Stream.catch((error) =>
          Stream.unwrap(
            Effect.map(Clock.currentTimeMillis, (now) => Stream.fail(loginErrorOf(session, error, now)))
          )
        ),
        Stream.tap((state) => {
          if (state._tag === "Code") return show({ _tag: "Qr", url: state.url, expires: state.expires })
          if (state._tag === "Scanned") return Effect.andThen(move("qr_scanned"), show({ _tag: "Scanned" }))
          return Effect.void
        }),
        Stream.runLast
      )
      const state = Option.getOrUndefined(last)
      if (state?._tag === "Authorized") return yield* keep(client, state.account, "authorization_success")
      if (state?._tag === "PasswordNeeded") return yield* yield* passwords(client, state.hint)
      return yield* new LoginFailed({ session, because: "Telegram ended it without a reason" })
    })

    const byCode = Effect.fnUntraced(function* (client: UserSession, phone: Redacted.Redacted<string>) {
      const sent = yield* asked(client.sendCode(phone))
      yield* move("code_sent")
      yield* show({ _tag: "CodeSent", sent, triesLeft: tries })
      for (let triesLeft = tries - 1; ; triesLeft--) {
        const { reply, secret } = yield* next("code")
        const signed = yield* Effect.result(client.signIn(secret))
        if (signed._tag === "Success") return yield* keep(client, signed.success, "authorization_success")
        if (signed.failure._tag === "PasswordNeeded") {
          const { hint } = signed.failure
          const checking = yield* passwords(client, hint)
          yield* Deferred.succeed(reply, { _tag: "PasswordNeeded", hint, triesLeft: tries })
          return yield* checking
        }
        const wrong = signed.failure._tag === "CodeWrong"
        const error = wrong
          ? new CodeRefused({ session, triesLeft })
          : loginErrorOf(session, signed.failure, yield* Clock.currentTimeMillis)
        yield* Deferred.fail(reply, error)
        if (!wrong || triesLeft === 0) return yield* Effect.fail(error)
        yield* show({ _tag: "CodeSent", sent, triesLeft })
      }
    })

    /** Where the login was begun it ends, also when this process does. */
    const settle = (exit: Exit.Exit<unknown, LoginError>) =>
      Effect.gen(function* () {
        if (Exit.isSuccess(exit)) return
        const failure = Exit.findErrorOption(exit)
        const error = Option.getOrElse(failure, () => new LoginExpired({ session }))
        const [reason, learned] = endOfLogin(error)
        const { state } = yield* store.get(key)
        if (isPending(state)) yield* store.move(key, reason, by, learned)
        // Refused before it had begun: operators see why, and whoever comes too early need not ask Telegram.
        else if (Option.isSome(failure) && learned.error !== undefined && !isLoggedIn(state))
          yield* store.note(key, by, learned)
      }).pipe(
        Effect.catch((error) =>
          Effect.logWarning(
            `The login of session ${session} ended, and that could not be noted: ${error.message}`
          )
        )
      )

    const row = yield* mayBegin(key)
    // The process that had begun it is gone: the lease is ours.
    if (isPending(row.state)) yield* move("login_expired")
    return yield* Effect.gen(function* () {
      const client = yield* connect(row)
      return yield* method._tag === "Qr" ? byQr(client) : byCode(client, method.phone)
    }).pipe(
      Effect.scoped,
      Effect.raceFirst(Deferred.await(ended)),
      Effect.timeoutOrElse({ duration: within, orElse: () => Effect.fail(new LoginExpired({ session })) }),
      Effect.onExit((exit) => settle(exit))
    )
  })

  return { mayBegin, run }
}
