/** A Telegram of one's own for tests of what stands above `UserClient`: accounts, keys, codes, troubles on demand. */
import { Effect, Layer, Option, Queue, Redacted, Stream } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import {
  AuthKeyDuplicated,
  AuthKeyUnregistered,
  CodeWrong,
  OwnershipEnded,
  PasswordNeeded,
  PasswordWrong,
  type QrState,
  SessionRevoked,
  SessionUnreadable,
  UserClient,
  type UserError,
  type UserSession,
  WrongAccount
} from "../../src/telegram/UserClient.ts"

export interface FakeAccount {
  readonly id: number
  readonly name: string
  readonly phone?: string
  readonly password?: string
  readonly hint?: string
}

/** In everything that is secret here: it may turn up nowhere. */
export const canary = "canary-5e55i0n"
export const code = `${canary}-code`

type KeyState = "valid" | "unregistered" | "revoked" | "duplicated"

export const makeFakeTelegram = (accounts: ReadonlyArray<FakeAccount>) => {
  const keys = new Map<string, { account: number; state: KeyState }>()
  const inUse = new Map<string, number>()
  let made = 0
  const world = {
    /** What every question is answered with, while it is set. */
    trouble: undefined as UserError | undefined,
    /** Connections that were made. */
    connected: 0,
    /** How often Telegram was asked who is logged in. */
    asked: 0,
    /** The most that used one key at a time. */
    mostAtOnce: 0,
    writesAfterTheEnd: 0,
    scans: undefined as unknown as Queue.Queue<
      QrState | { readonly _tag: "Accepted"; readonly account: number }
    >,
    keys,
    set: (state: KeyState) => {
      for (const key of keys.values()) key.state = state
    },
    valid: () => [...keys.values()].filter(({ state }) => state === "valid").length,
    code: (nth: number): QrState => ({
      _tag: "Code",
      url: Redacted.make(`tg://login?token=${canary}-${nth}`),
      expires: 1_900_000_000_000 + nth
    })
  }

  const keyError = (state: KeyState | undefined): UserError | undefined => {
    const method = "users.getUsers"
    if (state === "valid") return undefined
    if (state === "revoked") return new SessionRevoked({ method })
    if (state === "duplicated") return new AuthKeyDuplicated({ method })
    return new AuthKeyUnregistered({ method })
  }

  const connect: UserClient["Service"]["connect"] = (options) =>
    Effect.gen(function* () {
      world.connected++
      const queue = yield* Queue.unbounded<
        QrState | { readonly _tag: "Accepted"; readonly account: number }
      >()
      world.scans = queue
      let mine: string | undefined
      if (Option.isSome(options.kept)) {
        mine = Redacted.value(options.kept.value.session)
        if (!mine.startsWith(canary)) return yield* new SessionUnreadable({ part: "session" })
        const using = mine
        const count = (by: number) => inUse.set(using, (inUse.get(using) ?? 0) + by)
        count(1)
        world.mostAtOnce = Math.max(world.mostAtOnce, inUse.get(using) ?? 0)
        yield* Effect.addFinalizer(() => Effect.sync(() => count(-1)))
      }
      const written = <A>(method: string, answer: () => Effect.Effect<A, UserError>) =>
        Effect.mapError(options.mayWrite, () => {
          world.writesAfterTheEnd++
          return new OwnershipEnded({ method })
        }).pipe(
          Effect.andThen(
            Effect.suspend(() => (world.trouble === undefined ? answer() : Effect.fail(world.trouble)))
          )
        )
      const authorize = (id: number) =>
        Effect.gen(function* () {
          const account = accounts.find((one) => one.id === id)
          if (account === undefined) return yield* Effect.die(new Error("no such account"))
          if (options.expected !== undefined && options.expected !== id)
            return yield* new WrongAccount({ method: "auth", expected: options.expected })
          mine = `${canary}-key-${++made}`
          keys.set(mine, { account: id, state: "valid" })
          return { id: UserId.make(id), name: account.name }
        })
      let pending: FakeAccount | undefined
      const session: UserSession = {
        account: options.account,
        me: written("users.getUsers", () => {
          world.asked++
          const key = keys.get(mine ?? "")
          const error = keyError(key?.state)
          if (error !== undefined || key === undefined) return Effect.fail(error ?? keyError(undefined)!)
          const { id, name } = accounts.find((one) => one.id === key.account)!
          return Effect.succeed({ id: UserId.make(id), name })
        }),
        ping: written("ping", () => Effect.succeed(1)),
        connection: Stream.concat(Stream.succeed("connected" as const), Stream.never),
        loginByQr: Stream.fromQueue(queue).pipe(
          Stream.mapEffect(
            (state): Effect.Effect<QrState, UserError> =>
              Effect.gen(function* () {
                if (world.trouble !== undefined) return yield* Effect.fail(world.trouble)
                if (state._tag !== "Accepted") return state
                const account = accounts.find(({ id }) => id === state.account)!
                if (account.password === undefined)
                  return { _tag: "Authorized", account: yield* authorize(account.id) }
                pending = account
                return { _tag: "PasswordNeeded", hint: account.hint }
              })
          ),
          Stream.takeUntil(({ _tag }) => _tag === "Authorized" || _tag === "PasswordNeeded")
        ),
        sendCode: (phone) =>
          written("auth.sendCode", () => {
            pending = accounts.find((one) => one.phone === Redacted.value(phone))
            return Effect.succeed({ via: "app" as const, length: 5 })
          }),
        signIn: (given) =>
          written("auth.signIn", () => {
            if (Redacted.value(given) !== code || pending === undefined)
              return Effect.fail(new CodeWrong({ method: "auth.signIn" }))
            return pending.password === undefined
              ? authorize(pending.id)
              : Effect.fail(
                  new PasswordNeeded({
                    method: "auth.signIn",
                    ...(pending.hint === undefined ? {} : { hint: pending.hint })
                  })
                )
          }),
        checkPassword: (password) =>
          written("auth.checkPassword", () =>
            pending !== undefined && Redacted.value(password) === pending.password
              ? authorize(pending.id)
              : Effect.fail(new PasswordWrong({ method: "auth.checkPassword" }))
          ),
        logOut: written("auth.logOut", () =>
          Effect.sync(() => {
            const key = keys.get(mine ?? "")
            if (key !== undefined) key.state = "unregistered"
          })
        ),
        exportSession: Effect.sync(() => Redacted.make(mine ?? "")),
        exportPeers: Effect.sync(() => Redacted.make(new TextEncoder().encode(`${canary}-peers`))),
        chats: Stream.empty,
        updates: () => Stream.never,
        history: () => Stream.empty,
        download: () => Stream.fromEffect(written("upload.getFile", () => Effect.succeed(new Uint8Array(1)))),
        fileSentTo: () => written("messages.search", () => Effect.succeedNone)
      }
      return session
    })

  return {
    world,
    layer: Layer.succeed(UserClient, UserClient.of({ connect }))
  }
}
export type FakeTelegram = ReturnType<typeof makeFakeTelegram>["world"]
