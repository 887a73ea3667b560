/** One page that is open, and the login it shows: steps go out and answers come in over the same socket. */
import { Effect, FiberHandle, Option, type Redacted, Result, Stream } from "effect"
import * as Socket from "effect/socket/Socket"
import type { SqlError } from "effect/sql"
import type { LoginLink } from "../../session/LoginLinks.ts"
import type { LoginStep } from "../../session/LoginStep.ts"
import type { LoginOptions } from "../../session/Logins.ts"
import type { LoginError, NoLogin } from "../../session/SessionError.ts"
import { SessionManager } from "../../session/SessionManager.ts"
import { isLoggedIn, isPending } from "../../session/SessionState.ts"
import { Audit } from "../../store/Audit.ts"
import { type Act, decodeAct, type Frame, frameOf } from "./Frames.ts"

type Steps = Stream.Stream<LoginStep, LoginError | NoLogin>
type Failure = LoginError | NoLogin | SqlError.SqlError

/** No act is longer. */
const longestAct = 4_096

const endedBy = ({ _tag, message }: Failure): Frame => ({ _tag: "Ended", reason: _tag, message })

/** A wrong answer that may be given again; of every other end the steps tell. */
const isRefusal = (error: LoginError | NoLogin): boolean =>
  error._tag === "NoLogin" ||
  ((error._tag === "CodeRefused" || error._tag === "PasswordRefused") && error.triesLeft > 0)

/**
 * Goes on until the socket closes. The login outlives it: a page that comes back joins it. `works`: whether the link still
 * does, which is asked before each act, for a page may stay open for days.
 */
export const converse = Effect.fn("Login.converse")(function* <R>(
  socket: Socket.Socket,
  { actor, key }: LoginLink,
  works: Effect.Effect<boolean, SqlError.SqlError, R>,
  options: Pick<LoginOptions, "within">
) {
  const sessions = yield* SessionManager
  const audit = yield* Audit
  const pull = yield* Socket.readerString(socket)
  const { write } = yield* socket.writer
  const watching = yield* FiberHandle.make<void, Socket.SocketError>()

  const say = (frame: Frame) => write(JSON.stringify(frame))

  /** Where the session stands when nothing of it is under way here. `last`: how it ended here before. */
  const standing = Effect.fnUntraced(function* (last?: LoginError) {
    const { account, owner, state } = yield* sessions.status(key)
    if (isPending(state)) return yield* say({ _tag: "Elsewhere", owner })
    if (isLoggedIn(state) && account !== undefined) return yield* say({ _tag: "Authorized", account })
    yield* say(last === undefined ? { _tag: "Idle" } : endedBy(last))
  })

  const follow = (steps: Steps): Effect.Effect<void, Socket.SocketError> =>
    steps.pipe(
      Stream.runForEach((step) => say(frameOf(step))),
      Effect.catchTags({
        HeldElsewhere: ({ owner }) => say({ _tag: "Elsewhere", owner }),
        LoginUnderWay: () => say({ _tag: "Elsewhere", owner: undefined }),
        NoLogin: () => Effect.catch(standing(), orSay)
      }),
      Effect.catch(orSay)
    )
  const orSay = (error: Failure | Socket.SocketError): Effect.Effect<void, Socket.SocketError> =>
    Socket.isSocketError(error) ? Effect.fail(error) : say(endedBy(error))

  const join = Effect.gen(function* () {
    const now = yield* Effect.result(Stream.runHead(sessions.login(key)))
    if (Result.isSuccess(now) && Option.isSome(now.success) && now.success.value._tag !== "Authorized")
      return yield* follow(sessions.login(key))
    yield* standing(Result.isFailure(now) && now.failure._tag !== "NoLogin" ? now.failure : undefined)
  }).pipe(Effect.catch(orSay))

  const begin = Effect.fnUntraced(function* (phone: Redacted.Redacted<string> | undefined, anew: boolean) {
    yield* audit.record({ tenant: key.tenant, actor, action: "session.login_asked", subject: key.app })
    if (anew) yield* Effect.catchTag(sessions.cancel(key), "NoLogin", () => Effect.void)
    const by = { actor, ...options }
    yield* follow(phone === undefined ? sessions.loginByQr(key, by) : sessions.loginByCode(key, phone, by))
  })

  const answered = (answer: Effect.Effect<LoginStep, LoginError | NoLogin>) =>
    answer.pipe(
      Effect.asVoid,
      Effect.catch((error) =>
        isRefusal(error) ? say({ _tag: "Refused", reason: error._tag, message: error.message }) : Effect.void
      ),
      // Meanwhile the person may cancel.
      Effect.forkScoped
    )

  const doAct = (act: Act) => {
    switch (act._tag) {
      case "Begin":
        return FiberHandle.run(watching, Effect.catch(begin(act.phone, act.anew), orSay))
      case "Join":
        return FiberHandle.run(watching, join)
      case "Code":
        return answered(sessions.submitCode(key, act.code))
      case "Password":
        return answered(sessions.submitPassword(key, act.password))
      case "Cancel":
        return Effect.catchTag(sessions.cancel(key), "NoLogin", () => Effect.void)
    }
  }

  while (true) {
    for (const text of yield* pull) {
      const act = text.length > longestAct ? Option.none() : yield* Effect.option(decodeAct(text))
      if (Option.isNone(act)) yield* write(new Socket.CloseEvent(1008, "not understood"))
      else
        yield* works.pipe(
          Effect.flatMap((still) =>
            still ? doAct(act.value) : write(new Socket.CloseEvent(1008, "the link has ended"))
          ),
          Effect.catchTag("SqlError", orSay)
        )
    }
  }
})
