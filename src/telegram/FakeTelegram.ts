/**
 * A Telegram of one's own for the tests of programs that stand above `UserClient`: accounts that log in by scan, code
 * and password, keys that die, troubles on demand, updates as they are told. It has no chats, history or files.
 */
import { Context, Effect, Layer, Option, Queue, Redacted, Stream } from "effect"
import { UserId } from "../domain/Ids.ts"
import {
  AuthKeyDuplicated,
  AuthKeyUnregistered,
  CodeWrong,
  type ConnectOptions,
  OwnershipEnded,
  PasswordNeeded,
  PasswordWrong,
  PhoneWrong,
  type QrState,
  SessionRevoked,
  SessionUnreadable,
  type Source,
  type UserAccount,
  UserClient,
  type UserError,
  type UserSession,
  type UserUpdate,
  WrongAccount
} from "./UserClient.ts"

export interface FakeAccount {
  readonly id: number
  readonly name: string
  /** As it is given to `sendCode`. */
  readonly phone?: string
  /** Asked for after the scan or the code. */
  readonly password?: string
  readonly hint?: string
}

/** What a login by QR is told: a step of it, or that this account accepted it on its phone. */
export type FakeScan = QrState | { readonly _tag: "Accepted"; readonly account: number }

export type FakeKeyState = "valid" | "unregistered" | "revoked" | "duplicated"

export interface FakeOptions {
  /** The code each account gets; "12345". */
  readonly code?: string
  /** In all that is secret here and made up, to look for it where it must not turn up; "fake". */
  readonly mark?: string
}

export class FakeTelegram extends Context.Service<
  FakeTelegram,
  {
    /** The code each account gets. */
    readonly code: string
    /** What every call is answered with, while it is set. */
    trouble: UserError | undefined
    /** Tells it the newest connection; false before the first. */
    readonly scan: (scan: FakeScan) => Effect.Effect<boolean>
    /** The nth QR code, for `scan`. */
    readonly qr: (nth: number) => QrState
    /** Whoever reads the updates of this account gets it, now or later. */
    readonly tell: (account: number, update: UserUpdate) => Effect.Effect<void>
    /** From now on all keys are so. */
    readonly set: (state: FakeKeyState) => void
    /** Keys that are logged in. */
    readonly valid: () => number
    /** Connections that were made. */
    readonly connected: number
    /** How often Telegram was asked who is logged in. */
    readonly asked: number
    /** The most that used one key at a time. */
    readonly mostAtOnce: number
  }
>()("zapiska/telegram/FakeTelegram") {
  static readonly layer = (
    accounts: ReadonlyArray<FakeAccount>,
    options?: FakeOptions
  ): Layer.Layer<FakeTelegram | UserClient> => Layer.effectContext(make(accounts, options))
}

const keyError = (state: FakeKeyState | undefined): UserError | undefined => {
  const method = "users.getUsers"
  if (state === "valid") return undefined
  if (state === "revoked") return new SessionRevoked({ method })
  if (state === "duplicated") return new AuthKeyDuplicated({ method })
  return new AuthKeyUnregistered({ method })
}

const isOf = (sources: ReadonlyArray<Source>) => (update: UserUpdate) =>
  !("source" in update) || sources.includes(update.source)

const publicly = ({ id, name }: FakeAccount): UserAccount => ({ id: UserId.make(id), name })

const passwordNeeded = ({ hint }: FakeAccount) =>
  new PasswordNeeded({ method: "auth.signIn", ...(hint === undefined ? {} : { hint }) })

const make = Effect.fnUntraced(function* (
  accounts: ReadonlyArray<FakeAccount>,
  { code = "12345", mark = "fake" }: FakeOptions = {}
) {
  const keys = new Map<string, { readonly account: FakeAccount; state: FakeKeyState }>()
  const inUse = new Map<string, number>()
  const told = new Map(
    yield* Effect.forEach(accounts, ({ id }) =>
      Effect.map(Queue.unbounded<UserUpdate>(), (queue) => [id, queue] as const)
    )
  )
  let made = 0
  let newest: Queue.Queue<FakeScan> | undefined
  const known = <A>(found: A | undefined): Effect.Effect<A> =>
    found === undefined ? Effect.die(new Error("this Telegram has no such account")) : Effect.succeed(found)

  const world = {
    code,
    trouble: undefined as UserError | undefined,
    scan: (scan: FakeScan) =>
      Effect.suspend(() => (newest === undefined ? Effect.succeed(false) : Queue.offer(newest, scan))),
    qr: (nth: number): QrState => ({
      _tag: "Code",
      url: Redacted.make(`tg://login?token=${mark}-${nth}`),
      expires: 1_900_000_000_000 + nth
    }),
    tell: (account: number, update: UserUpdate) =>
      Effect.flatMap(known(told.get(account)), (queue) => Effect.asVoid(Queue.offer(queue, update))),
    set: (state: FakeKeyState) => {
      for (const key of keys.values()) key.state = state
    },
    valid: () => [...keys.values()].filter(({ state }) => state === "valid").length,
    connected: 0,
    asked: 0,
    mostAtOnce: 0
  }
  const untroubled = <A>(answer: Effect.Effect<A, UserError>) =>
    Effect.suspend(() => (world.trouble === undefined ? answer : Effect.fail(world.trouble)))

  const use = (key: string) => {
    const count = (by: number) =>
      Effect.sync(() => {
        inUse.set(key, (inUse.get(key) ?? 0) + by)
        world.mostAtOnce = Math.max(world.mostAtOnce, inUse.get(key) ?? 0)
      })
    return Effect.acquireRelease(count(1), () => count(-1))
  }

  const connect = Effect.fnUntraced(function* ({ account, expected, kept, mayWrite }: ConnectOptions) {
    world.connected++
    const scans = yield* Queue.unbounded<FakeScan>()
    newest = scans
    let mine = Option.getOrUndefined(Option.map(kept, ({ session }) => Redacted.value(session)))
    if (mine?.startsWith(mark) === false) return yield* new SessionUnreadable({ part: "session" })
    if (mine !== undefined) yield* use(mine)
    let pending: FakeAccount | undefined

    const written = <A>(method: string, answer: () => Effect.Effect<A, UserError>) =>
      Effect.andThen(
        Effect.mapError(mayWrite, () => new OwnershipEnded({ method })),
        untroubled(Effect.suspend(answer))
      )
    const loggedIn = Effect.suspend(() => {
      const key = keys.get(mine ?? "")
      const error = keyError(key?.state)
      return error === undefined && key !== undefined
        ? Effect.succeed(key.account)
        : Effect.fail(error ?? new AuthKeyUnregistered({ method: "users.getUsers" }))
    })
    const authorize = Effect.fnUntraced(function* (who: FakeAccount) {
      if (expected !== undefined && expected !== who.id)
        return yield* new WrongAccount({ method: "auth", expected })
      mine = `${mark}-key-${++made}`
      keys.set(mine, { account: who, state: "valid" })
      return publicly(who)
    })
    const scanned = Effect.fnUntraced(function* (scan: FakeScan) {
      if (scan._tag !== "Accepted") return scan
      const who = yield* known(accounts.find(({ id }) => id === scan.account))
      pending = who
      return who.password === undefined
        ? ({ _tag: "Authorized", account: yield* authorize(who) } as const)
        : ({ _tag: "PasswordNeeded", hint: who.hint } as const)
    })

    return {
      account,
      me: written("users.getUsers", () => {
        world.asked++
        return Effect.map(loggedIn, publicly)
      }),
      ping: written("ping", () => Effect.succeed(1)),
      connection: Stream.concat(Stream.succeed("connected" as const), Stream.never),
      loginByQr: Stream.fromQueue(scans).pipe(
        Stream.mapEffect((scan): Effect.Effect<QrState, UserError> => untroubled(scanned(scan))),
        Stream.takeUntil(({ _tag }) => _tag === "Authorized" || _tag === "PasswordNeeded")
      ),
      sendCode: (phone) =>
        written("auth.sendCode", () => {
          pending = accounts.find((one) => one.phone === Redacted.value(phone))
          return pending === undefined
            ? new PhoneWrong({ method: "auth.sendCode" })
            : Effect.succeed({ via: "app" as const, length: 5 })
        }),
      signIn: (given) =>
        written("auth.signIn", () => {
          if (pending === undefined || Redacted.value(given) !== code)
            return new CodeWrong({ method: "auth.signIn" })
          return pending.password === undefined ? authorize(pending) : passwordNeeded(pending)
        }),
      checkPassword: (password) =>
        written("auth.checkPassword", () =>
          pending !== undefined && Redacted.value(password) === pending.password
            ? authorize(pending)
            : new PasswordWrong({ method: "auth.checkPassword" })
        ),
      logOut: written("auth.logOut", () =>
        Effect.sync(() => {
          const key = keys.get(mine ?? "")
          if (key !== undefined) key.state = "unregistered"
        })
      ),
      exportSession: Effect.sync(() => Redacted.make(mine ?? "")),
      exportPeers: Effect.sync(() => Redacted.make(new TextEncoder().encode(`${mark}-peers`))),
      chats: Stream.empty,
      updates: (sources) =>
        Stream.unwrap(
          Effect.map(
            Effect.flatMap(loggedIn, ({ id }) => known(told.get(id))),
            Stream.fromQueue
          )
        ).pipe(
          Stream.mapEffect((update) => untroubled(Effect.succeed(update))),
          Stream.filter(isOf(sources))
        ),
      history: () => Stream.empty,
      download: () => Stream.fromEffect(written("upload.getFile", () => Effect.succeed(new Uint8Array(1)))),
      fileSentTo: () => written("messages.search", () => Effect.succeedNone)
    } satisfies UserSession
  })

  return Context.make(FakeTelegram, FakeTelegram.of(world)).pipe(
    Context.add(UserClient, UserClient.of({ connect }))
  )
})
