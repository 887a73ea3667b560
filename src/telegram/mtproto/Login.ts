/** How a person logs in: by a QR code their phone reads, or by a code Telegram sends them; then perhaps a password. */
import type { tl } from "@mtcute/core"
import type { BaseTelegramClient } from "@mtcute/core/client.js"
import { type Cause, Clock, Duration, Effect, Option, Queue, Redacted, Ref, Stream } from "effect"
import { UserId } from "../../domain/Ids.ts"
import {
  CallRefused,
  CodeExpired,
  type ConnectOptions,
  PasswordNeeded,
  type QrState,
  type SentCode,
  type UserAccount,
  type UserError,
  WrongAccount
} from "../UserClient.ts"
import type { Calls } from "./Calls.ts"

/** What is told of an account: never its phone number. */
export const accountOf = (user: tl.RawUser): UserAccount => ({
  id: UserId.make(user.id),
  name: [user.firstName, user.lastName].filter((part) => part !== undefined && part !== "").join(" "),
  ...(user.username === undefined ? {} : { username: user.username })
})

const via = (type: tl.auth.TypeSentCodeType): SentCode["via"] => {
  switch (type._) {
    case "auth.sentCodeTypeApp":
      return "app"
    case "auth.sentCodeTypeSms":
    case "auth.sentCodeTypeFirebaseSms":
    case "auth.sentCodeTypeFragmentSms":
      return "sms"
    case "auth.sentCodeTypeCall":
    case "auth.sentCodeTypeFlashCall":
    case "auth.sentCodeTypeMissedCall":
      return "call"
    case "auth.sentCodeTypeEmailCode":
      return "email"
    default:
      return "other"
  }
}

interface Asked {
  readonly phone: Redacted.Redacted<string>
  readonly hash: Redacted.Redacted<string>
}

const told = { floods: "told" } as const

export const makeLogin = Effect.fnUntraced(function* (
  client: BaseTelegramClient,
  { call }: Calls,
  { apiId, apiHash, expected }: ConnectOptions
) {
  const asked = yield* Ref.make(Option.none<Asked>())

  const logOut = call({ _: "auth.logOut" }, told).pipe(Effect.asVoid, Effect.withSpan("UserSession.logOut"))

  /** Whoever has answered: noted if it is who it should be, logged out again if not. */
  const admit = Effect.fnUntraced(function* (method: string, user: tl.TypeUser) {
    if (user._ !== "user") return yield* new CallRefused({ method, code: 400, reason: "USER_EMPTY" })
    if (expected !== undefined && user.id !== expected) {
      yield* logOut
      return yield* new WrongAccount({ method, expected })
    }
    client.mt.network.notifyLoggedIn(user)
    yield* Effect.promise(() => client.storage.self.storeFrom(user))
    return accountOf(user)
  })

  const authorized = (
    method: string,
    answer: tl.auth.TypeAuthorization
  ): Effect.Effect<UserAccount, UserError> =>
    answer._ === "auth.authorization"
      ? admit(method, answer.user)
      : // A number without an account; they are made with Telegram's own programs only.
        Effect.fail(new CallRefused({ method, code: 400, reason: "SIGN_UP_REQUIRED" }))

  const me = call({ _: "users.getUsers", id: [{ _: "inputUserSelf" }] }).pipe(
    Effect.flatMap(([user]) => admit("users.getUsers", user ?? { _: "userEmpty", id: 0 })),
    Effect.withSpan("UserSession.me")
  )

  const askPassword = call({ _: "account.getPassword" }, told)

  const enterByQr = Effect.fnUntraced(function* (states: Queue.Queue<QrState, UserError | Cause.Done>) {
    const scans = yield* Queue.unbounded<void>()
    const onUpdate = (update: tl.TypeUpdates) => {
      if (update._ === "updateShort" && update.update._ === "updateLoginToken")
        Queue.offerUnsafe(scans, undefined)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => client.onServerUpdate.add(onUpdate)),
      () => Effect.sync(() => client.onServerUpdate.remove(onUpdate))
    )
    const method = "auth.exportLoginToken"
    while (true) {
      const token: tl.auth.TypeLoginToken = yield* call(
        { _: method, apiId, apiHash: Redacted.value(apiHash), exceptIds: [] },
        told
      )
      if (token._ === "auth.loginTokenMigrateTo") {
        yield* Effect.promise(() => client.changePrimaryDc(token.dcId))
        const moved = yield* call({ _: "auth.importLoginToken", token: token.token }, told)
        if (moved._ !== "auth.loginTokenSuccess") continue
        return yield* authorized(method, moved.authorization)
      }
      if (token._ === "auth.loginTokenSuccess") return yield* authorized(method, token.authorization)
      const expires = token.expires * 1000
      const url = `tg://login?token=${Buffer.from(token.token).toString("base64url")}`
      yield* Queue.offer(states, { _tag: "Code", url: Redacted.make(url, { label: "login code" }), expires })
      // Telegram's clock need not be ours: within reason, however.
      const left = Math.min(Math.max(expires - (yield* Clock.currentTimeMillis), 500), 60_000)
      const scanned = yield* Queue.take(scans).pipe(Effect.timeoutOption(Duration.millis(left)))
      if (Option.isSome(scanned)) yield* Queue.offer(states, { _tag: "Scanned" })
    }
  })

  const loginByQr = Stream.callback<QrState, UserError>((states) =>
    enterByQr(states).pipe(
      Effect.map((account): QrState => ({ _tag: "Authorized", account })),
      Effect.catchTag("PasswordNeeded", () =>
        Effect.map(askPassword, ({ hint }): QrState => ({ _tag: "PasswordNeeded", hint }))
      ),
      Effect.flatMap((last) => Queue.offer(states, last)),
      Effect.andThen(Queue.end(states)),
      Effect.catch((error) => Queue.fail(states, error)),
      Effect.withSpan("UserSession.loginByQr")
    )
  )

  const sendCode = Effect.fn("UserSession.sendCode")(function* (phone: Redacted.Redacted<string>) {
    const method = "auth.sendCode"
    const digits = Redacted.value(phone).replace(/\D/g, "")
    const sent = yield* call(
      {
        _: method,
        phoneNumber: digits,
        apiId,
        apiHash: Redacted.value(apiHash),
        settings: { _: "codeSettings" }
      },
      told
    )
    if (sent._ !== "auth.sentCode") {
      return yield* new CallRefused({ method, code: 400, reason: "CODE_NOT_SENT" })
    }
    yield* Ref.set(
      asked,
      Option.some({ phone: Redacted.make(digits), hash: Redacted.make(sent.phoneCodeHash) })
    )
    return { via: via(sent.type), length: "length" in sent.type ? sent.type.length : undefined }
  })

  const signIn = Effect.fn("UserSession.signIn")(function* (code: Redacted.Redacted<string>) {
    const method = "auth.signIn"
    const sent = yield* Ref.get(asked)
    if (Option.isNone(sent)) return yield* new CodeExpired({ method })
    const answer = yield* call(
      {
        _: method,
        phoneNumber: Redacted.value(sent.value.phone),
        phoneCodeHash: Redacted.value(sent.value.hash),
        phoneCode: Redacted.value(code).trim()
      },
      told
    ).pipe(
      Effect.catchTag("PasswordNeeded", (needed) =>
        Effect.flatMap(askPassword, ({ hint }) =>
          Effect.fail(hint === undefined ? needed : new PasswordNeeded({ method, hint }))
        )
      )
    )
    return yield* authorized(method, answer)
  })

  const checkPassword = Effect.fn("UserSession.checkPassword")(function* (
    password: Redacted.Redacted<string>
  ) {
    const method = "auth.checkPassword"
    const challenge = yield* askPassword
    const proof = yield* Effect.promise(() => client.computeSrpParams(challenge, Redacted.value(password)))
    return yield* authorized(method, yield* call({ _: method, password: proof }, told))
  })

  return { me, loginByQr, sendCode, signIn, checkPassword, logOut }
})
