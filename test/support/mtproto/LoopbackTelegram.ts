/**
 * A Telegram of a test's own: data centres on free ports of loopback that speak MTProto with real keys and real
 * encryption, and a hand on everything that can happen there. Never to be reached from outside.
 */
import { randomBytes } from "node:crypto"
import { createServer, type Server } from "node:net"
import type { tl } from "@mtcute/core"
import { Context, Effect, Layer, type Redacted, Scope } from "effect"
import { preparedSession } from "../../../src/telegram/mtproto/SessionStorage.ts"
import type { DataCentre } from "../../../src/telegram/UserClient.ts"
import { accept, type Call, type Connection, Fault } from "./Connection.ts"
import { makeServerKey, type ServerKey } from "./Handshake.ts"
import { type Key, makeKeys, type Received } from "./Keys.ts"
import { type LoginSettings, loginMethods } from "./Login.ts"
import type { Event, NewMessage } from "./MessageBox.ts"
import { answering } from "./Methods.ts"
import { type ReadingSettings, readingMethods } from "./Reading.ts"
import type { Answer } from "./Schema.ts"
import {
  type Account,
  type Channel,
  documentMedia,
  makeWorld,
  type NewAccount,
  type StoredFile
} from "./World.ts"

/** RSA keys take long to make; one does for all tests of a process. */
let sharedKey: Promise<ServerKey> | undefined

const listen = (server: Server) =>
  Effect.callback<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0))
    })
  })

/** How a method is answered instead of as it should: an error so many times, or nothing at all. */
type Trouble =
  | { readonly kind: "fault"; readonly code: number; readonly text: string; times: number }
  | { readonly kind: "silence" }

const make = Effect.fnUntraced(function* (ids: ReadonlyArray<number>) {
  sharedKey ??= makeServerKey()
  const serverKey = yield* Effect.promise(() => sharedKey!)
  const world = makeWorld()
  const keys = makeKeys()
  const login: LoginSettings = { qrSeconds: 30 }
  const reading: ReadingSettings = { slice: 100, channelGap: 100, accountGap: 1_000 }
  const connections = new Set<Connection>()
  const ports = new Map<number, number>()
  const troubles = new Map<string, Trouble>()
  let connected = 0
  let reachable = true

  const methods = answering(
    loginMethods(world, keys, login),
    readingMethods(world, reading, () => [...ports].map(([id, port]) => ({ id, port })))
  )
  /** What a data centre answers about accounts that live in another. */
  const ofOthers = /^(?:auth|help|upload)\./
  const answer = (call: Call): Answer | undefined => {
    const trouble = troubles.get(call.request._)
    const home = call.key.account?.dc ?? call.dc
    if (trouble === undefined && home !== call.dc && !ofOthers.test(call.request._))
      throw new Fault(303, `USER_MIGRATE_${home}`)
    if (trouble === undefined) return methods(call)
    if (trouble.kind === "silence") return undefined
    trouble.times -= 1
    if (trouble.times <= 0) troubles.delete(call.request._)
    throw new Fault(trouble.code, trouble.text)
  }

  const scope = yield* Scope.Scope
  const serve = Effect.fnUntraced(function* (dc: number, door: number) {
    const server = createServer((socket) => {
      if (!reachable) return socket.destroy()
      const connection = accept(socket, { number: ++connected, door, dc, keys, serverKey, answer })
      connections.add(connection)
      socket.on("close", () => connections.delete(connection))
    })
    const port = yield* listen(server)
    yield* Effect.addFinalizer(() =>
      Effect.callback<void>((resume) => {
        for (const connection of connections) connection.destroy()
        server.close(() => resume(Effect.void))
      })
    )
    return port
  }, Scope.provide(scope))
  for (const dc of ids) ports.set(dc, yield* serve(dc, 0))
  let doors = 0

  const push = (to: (key: Key) => boolean, updates: tl.TypeUpdates) => {
    for (const connection of connections) {
      const key = keys.get(connection.keyId() ?? "")
      if (key !== undefined && to(key)) connection.push(updates)
    }
  }
  const tell = (account: Account, update: tl.TypeUpdate, chats: Array<tl.TypeChat> = []) =>
    push((key) => key.account === account && key.dc === account.dc, {
      _: "updates",
      updates: [update],
      users: world.users(account),
      chats,
      date: Math.floor(Date.now() / 1000),
      seq: 0
    })
  const tellMembers = (channel: Channel, { update }: Event) => {
    for (const account of world.accounts.values()) {
      if (account.channels.has(channel)) tell(account, update, [channel.chat])
    }
  }
  const account = (id: number): Account => world.accounts.get(id)!
  const channel = (id: number): Channel => world.channels.get(id)!
  const keysOf = (id: number) => keys.all().filter((key) => key.account?.id === id)

  /** `loud`: those connected are told at once; else they have to find out. */
  const happen = (event: Event, how: "loud" | "silent", say: (event: Event) => void) => {
    if (how === "loud") say(event)
    return event.message?.id ?? 0
  }

  return LoopbackTelegram.of({
    dataCentre: { id: ids[0]!, host: "127.0.0.1", port: ports.get(ids[0]!)!, publicKey: serverKey.publicKey },
    openDoor: Effect.suspend(() => {
      const door = ++doors
      return Effect.map(serve(ids[0]!, door), (port) => ({ door, port }))
    }),
    login,
    reading,
    addAccount: (added) => Effect.sync(() => void world.addAccount(added)),
    addChannel: (added, members) => Effect.sync(() => void world.addChannel(added, members)),
    addBot: (added) => Effect.sync(() => void world.addBot(added)),
    addFile: (added) => Effect.sync(() => world.addFile({ dc: ids[0]!, ...added })),
    attachment: documentMedia,
    setOpen: (id, open) =>
      Effect.sync(() => {
        channel(id).open = open
      }),
    session: (id) =>
      Effect.sync(() => {
        const { dc } = account(id)
        const key = keys.add(dc, randomBytes(256), randomBytes(8), account(id))
        return preparedSession({ id: dc, host: "127.0.0.1", port: ports.get(dc)! }, key.bytes)
      }),
    move: (id, dc) =>
      Effect.sync(() => {
        account(id).dc = dc
      }),
    scan: (id) =>
      Effect.sync(() => {
        const shown = keys
          .all()
          .filter(({ token }) => token !== undefined && token.expires * 1000 > Date.now())
          .at(-1)
        if (shown?.token === undefined) return false
        shown.token = { ...shown.token, scannedBy: account(id) }
        push((key) => key === shown, { _: "updateShort", update: { _: "updateLoginToken" }, date: 0 })
        return true
      }),
    expireCodes: Effect.sync(() => {
      for (const key of keys.all()) if (key.code !== undefined) key.code = { ...key.code, expired: true }
    }),
    say: (id, content, { to, how = "loud" } = {}) =>
      Effect.sync(() => {
        const from = account(id)
        const peer = { _: "peerUser" as const, userId: to ?? id }
        const where = { peerId: peer, fromId: { _: "peerUser" as const, userId: id }, out: true }
        return happen(from.box.post(where, content), how, ({ update }) => tell(from, update))
      }),
    edit: (id, message, text, how = "loud") =>
      Effect.sync(
        () => void happen(account(id).box.edit(message, text), how, ({ update }) => tell(account(id), update))
      ),
    remove: (id, messages, how = "loud") =>
      Effect.sync(
        () => void happen(account(id).box.remove(messages), how, ({ update }) => tell(account(id), update))
      ),
    post: (id, content, how = "loud") =>
      Effect.sync(() => {
        const event = channel(id).box.post(
          { peerId: { _: "peerChannel", channelId: id }, post: true },
          content
        )
        return happen(event, how, (told) => tellMembers(channel(id), told))
      }),
    editPost: (id, message, text, how = "loud") =>
      Effect.sync(
        () => void happen(channel(id).box.edit(message, text), how, (told) => tellMembers(channel(id), told))
      ),
    removePosts: (id, messages, how = "loud") =>
      Effect.sync(
        () => void happen(channel(id).box.remove(messages), how, (told) => tellMembers(channel(id), told))
      ),
    refuse: (method, { code, text, times = 1 }) =>
      Effect.sync(() => void troubles.set(method, { kind: "fault", code, text, times })),
    silence: (method) =>
      Effect.acquireRelease(
        Effect.sync(() => void troubles.set(method, { kind: "silence" })),
        () => Effect.sync(() => void troubles.delete(method))
      ),
    refuseKeys: (id, refusal) =>
      Effect.sync(() => {
        for (const key of keysOf(id)) key.refusal = refusal
      }),
    forgetKeys: (id) =>
      Effect.sync(() => {
        for (const key of keysOf(id)) keys.remove(key.id)
      }),
    endSessions: (id) =>
      Effect.sync(() => {
        for (const key of keysOf(id)) key.account = undefined
      }),
    loggedIn: (id) => Effect.sync(() => keysOf(id).length),
    cut: Effect.sync(() => {
      for (const connection of connections) connection.destroy()
    }),
    setReachable: (value) =>
      Effect.sync(() => {
        reachable = value
        if (!value) for (const connection of connections) connection.destroy()
      }),
    connections: Effect.sync(() => connections.size),
    accountOf: (id) => keys.get(id)?.account?.id,
    authKeys: Effect.sync(() => keys.all().map(({ bytes }) => bytes)),
    received: Effect.sync(() => [...keys.journal])
  })
})

type How = "loud" | "silent"

export class LoopbackTelegram extends Context.Service<
  LoopbackTelegram,
  {
    /** To connect to, as `ConnectOptions.dataCentre`. */
    readonly dataCentre: DataCentre
    /** Another port of the same data centre: what comes through it is known by its number. */
    readonly openDoor: Effect.Effect<{ readonly door: number; readonly port: number }>
    /** May be changed while it runs. */
    readonly login: LoginSettings
    readonly reading: ReadingSettings

    readonly addAccount: (account: NewAccount) => Effect.Effect<void>
    readonly addChannel: (
      channel: {
        readonly id: number
        readonly title: string
        readonly username?: string
        readonly group?: true
      },
      members: ReadonlyArray<number>
    ) => Effect.Effect<void>
    readonly addBot: (bot: { readonly id: number; readonly username: string }) => Effect.Effect<void>
    readonly addFile: (
      file: Omit<StoredFile, "id" | "dc"> & { readonly dc?: number }
    ) => Effect.Effect<StoredFile>
    /** The media of a message that carries the file. */
    readonly attachment: (file: StoredFile) => tl.RawMessageMediaDocument
    readonly setOpen: (channel: number, open: boolean) => Effect.Effect<void>

    /** A session of this account, as a login long ago would have left it. */
    readonly session: (account: number) => Effect.Effect<Redacted.Redacted<string>>
    /** The account lives in this data centre from now on; the others say so. */
    readonly move: (account: number, dc: number) => Effect.Effect<void>
    /** The account's phone reads the QR code shown last; false when none is valid. */
    readonly scan: (account: number) => Effect.Effect<boolean>
    readonly expireCodes: Effect.Effect<void>

    /** A message in the account's own chat with itself, or with a bot. Gives its number. */
    readonly say: (
      account: number,
      content: NewMessage,
      options?: { readonly to?: number; readonly how?: How }
    ) => Effect.Effect<number>
    readonly edit: (account: number, message: number, text: string, how?: How) => Effect.Effect<void>
    readonly remove: (account: number, messages: ReadonlyArray<number>, how?: How) => Effect.Effect<void>
    readonly post: (channel: number, content: NewMessage, how?: How) => Effect.Effect<number>
    readonly editPost: (channel: number, message: number, text: string, how?: How) => Effect.Effect<void>
    readonly removePosts: (channel: number, messages: ReadonlyArray<number>, how?: How) => Effect.Effect<void>

    /** The next `times` calls of the method fail like this. */
    readonly refuse: (
      method: tl.RpcMethod["_"],
      fault: { readonly code: number; readonly text: string; readonly times?: number }
    ) => Effect.Effect<void>
    /** Calls of the method are not answered until the scope ends. */
    readonly silence: (method: tl.RpcMethod["_"]) => Effect.Effect<void, never, Scope.Scope>
    /** Every call with the account's keys fails like this, or (`undefined`) no longer. */
    readonly refuseKeys: (
      account: number,
      refusal: { readonly code: number; readonly text: string } | undefined
    ) => Effect.Effect<void>
    /** The data centres no longer know the account's keys (transport error 404). */
    readonly forgetKeys: (account: number) => Effect.Effect<void>
    /** The keys stay, nobody is logged in with them. */
    readonly endSessions: (account: number) => Effect.Effect<void>
    /** How many keys are logged in as this account. */
    readonly loggedIn: (account: number) => Effect.Effect<number>
    /** Every socket is closed. */
    readonly cut: Effect.Effect<void>
    readonly setReachable: (reachable: boolean) => Effect.Effect<void>
    readonly connections: Effect.Effect<number>
    /** Who is logged in with this key. */
    readonly accountOf: (key: string) => number | undefined
    /** Every key that was agreed on and is not forgotten. */
    readonly authKeys: Effect.Effect<ReadonlyArray<Buffer>>
    /** Everything received so far, in order. */
    readonly received: Effect.Effect<ReadonlyArray<Received>>
  }
>()("test/LoopbackTelegram") {
  static readonly layerWith = (dataCentres: ReadonlyArray<number>): Layer.Layer<LoopbackTelegram> =>
    Layer.effect(LoopbackTelegram, make(dataCentres))
  /** Accounts live in data centre 2 if they say nothing else. */
  static readonly layer = LoopbackTelegram.layerWith([2, 4])
}
