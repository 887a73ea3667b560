/** Builds one client of mtcute for one connection, and takes it down with the scope. */
import { networkMiddlewares, toggleChannelIdMark } from "@mtcute/core"
import { BaseTelegramClient } from "@mtcute/core/client.js"
import { addPublicKey } from "@mtcute/core/utils.js"
import { Deferred, Duration, Effect, Exit, Option, Queue, Redacted, Stream, SubscriptionRef } from "effect"
import { ChatId } from "../../domain/Ids.ts"
import { type ConnectOptions, OwnershipEnded, type UserSession } from "../UserClient.ts"
import { makeCalls } from "./Calls.ts"
import { nodeCrypto } from "./Crypto.ts"
import { makeFollowing, makeOverheard, supervised } from "./Following.ts"
import { makeTransport } from "./GuardedTransport.ts"
import { makeLogin } from "./Login.ts"
import { makeMoving } from "./Moving.ts"
import { makeReading } from "./Reading.ts"
import { makeStorage } from "./SessionStorage.ts"

/**
 * What mtcute wants to know of the machine. It is given no log (its lines carry messages, phone numbers and keys)
 * and no hook on the process's end (its own kills the process on SIGTERM).
 */
const platform = {
  beforeExit: () => () => undefined,
  log: () => undefined,
  getDefaultLogLevel: () => 0,
  getDeviceModel: () => "Zapiska"
}

/** What the person reads under Settings → Devices. */
const device = { deviceModel: "Zapiska", systemVersion: "self-hosted", appVersion: "1" }

/**
 * A client that makes no call once it is being taken down. mtcute's loop still tries, and a promise it does not look
 * after is then rejected, which ends the process.
 */
class Client extends BaseTelegramClient {
  #ending = false
  override call: BaseTelegramClient["call"] = (message, params) =>
    this.#ending ? new Promise(() => undefined) : super.call(message, params)
  override destroy() {
    this.#ending = true
    return super.destroy()
  }
}

const makeClient = Effect.fnUntraced(function* (options: ConnectOptions) {
  const context = yield* Effect.context<never>()
  const { apiId, apiHash, kept, mayWrite, dataCentre } = options
  const over = yield* Deferred.make<never, OwnershipEnded>()
  const overheard = makeOverheard()
  const moving = makeMoving()
  const storage = yield* makeStorage(kept)
  const transport = makeTransport(() => {
    const answer = Effect.runSyncExitWith(context)(mayWrite)
    if (Exit.isSuccess(answer)) return true
    Deferred.doneUnsafe(over, Exit.fail(new OwnershipEnded({ method: "write" })))
    return false
  })
  if (dataCentre?.publicKey !== undefined) addPublicKey(nodeCrypto, dataCentre.publicKey)
  const main = dataCentre && { id: dataCentre.id, ipAddress: dataCentre.host, port: dataCentre.port }
  const client = new Client({
    apiId,
    apiHash: Redacted.value(apiHash),
    storage,
    storageOptions: { cleanup: false },
    crypto: nodeCrypto,
    transport,
    platform,
    logLevel: 0,
    initConnectionOptions: device,
    updates: {
      catchUp: true,
      onChannelTooLong: (id) => overheard.missed(ChatId.make(toggleChannelIdMark(id)))
    },
    // Its own: at once, then each second up to five. Never again once nothing may be written.
    reconnectionStrategy: ({ previousWait }) =>
      transport.state() === "over" ? false : previousWait === null ? 0 : Math.min(previousWait + 1000, 5000),
    network: {
      middlewares: [
        supervised(overheard),
        networkMiddlewares.floodWaiter({}),
        networkMiddlewares.internalErrorsHandler({ waitTime: 1 }),
        moving.middleware
      ]
    },
    ...(main === undefined ? {} : { defaultDcs: { main, media: main } })
  })
  const moves = yield* Queue.unbounded<Redacted.Redacted<string>>()
  moving.attach(
    client,
    async () => Option.isSome(kept) || (await client.storage.self.fetch()) !== null,
    () => Queue.offerUnsafe(moves, storage.session())
  )
  return { client, storage, transport, over, overheard, moves }
})

export const connect = Effect.fnUntraced(function* (options: ConnectOptions) {
  const { client, storage, transport, over, overheard, moves } = yield* Effect.acquireRelease(
    makeClient(options),
    ({ client: opened, transport: sockets }) =>
      // The sockets end first: what is still queued is not to be sent while the rest is taken down.
      Effect.promise(() => {
        sockets.end()
        return opened.destroy()
      })
  )
  const state = yield* SubscriptionRef.make<"connecting" | "connected" | "closed">("connecting")
  const set = (next: "connecting" | "connected" | "closed") =>
    Effect.runSync(SubscriptionRef.set(state, next))
  client.onConnectionState.add((now) =>
    set(now === "connected" || now === "updating" ? "connected" : "connecting")
  )
  yield* Effect.addFinalizer(() => SubscriptionRef.set(state, "closed"))

  const { moved = () => Effect.void } = options
  yield* Effect.forkScoped(Stream.runForEach(Stream.fromQueue(moves), moved))

  const calls = makeCalls(client, transport, over)
  const login = yield* makeLogin(client, calls, options)
  const { inputPeer, ...reading } = makeReading(client, calls)
  yield* Effect.promise(() => client.connect())
  const ping = Effect.timed(calls.call({ _: "help.getNearestDc" })).pipe(
    Effect.map(([took]) => Duration.toMillis(took)),
    Effect.withSpan("UserSession.ping")
  )
  yield* Option.isSome(options.kept) ? login.me : ping

  const session: UserSession = {
    account: options.account,
    ping,
    connection: SubscriptionRef.changes(state),
    ...login,
    ...reading,
    ...makeFollowing(client, storage, overheard, calls, inputPeer, options.waitingAtMost),
    exportSession: Effect.sync(storage.session),
    exportPeers: Effect.andThen(
      Effect.promise(() => client.storage.peers.close()),
      Effect.sync(storage.peersPart)
    )
  }
  return session
})
