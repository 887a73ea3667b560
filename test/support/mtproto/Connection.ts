/** One socket of a client: the handshake, its sessions, the calls it makes and the updates it is pushed. */
import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import { unzipSync } from "node:zlib"
import { Long, type mtp, type tl } from "@mtcute/core"
import { __tlReaderMap, TlBinaryReader } from "@mtcute/core/utils.js"
import { makeHandshake, type ServerKey } from "./Handshake.ts"
import type { Key, Keys } from "./Keys.ts"
import { type Answer, read, rpcResult, write, writeAnswer, writeError } from "./Schema.ts"
import { decrypt, encrypt, frame, frames, type Message, transportError } from "./Wire.ts"

/** An answer that is an error of Telegram's. */
export class Fault extends Error {
  readonly code: number
  readonly text: string
  constructor(code: number, text: string) {
    super(text)
    this.code = code
    this.text = text
  }
}

/**
 * The salts of the next days, all of them the present one: with fewer than two to come the client asks at every turn.
 * Their vector is one of bare objects, which mtcute reads and cannot write.
 */
const futureSalts = (request: bigint, salt: Buffer): Buffer => {
  const now = Math.floor(Date.now() / 1000)
  const day = 86_400
  const head = Buffer.alloc(20)
  head.writeUInt32LE(0xae500895, 0)
  head.writeBigUInt64LE(request, 4)
  head.writeUInt32LE(now, 12)
  const days = Array.from({ length: 4 }, (_each, nth) => {
    const times = Buffer.alloc(8)
    times.writeUInt32LE(now + nth * day, 0)
    times.writeUInt32LE(now + (nth + 1) * day, 4)
    return Buffer.concat([times, salt])
  })
  head.writeUInt32LE(days.length, 16)
  return Buffer.concat([head, ...days])
}

export interface Call {
  readonly key: Key
  readonly dc: number
  readonly request: tl.RpcMethod
}

export interface ConnectionOptions {
  readonly number: number
  readonly door: number
  readonly dc: number
  readonly keys: Keys
  readonly serverKey: ServerKey
  /** Throws a `Fault` to refuse. A promise is answered when it is settled, `undefined` never. */
  readonly answer: (call: Call) => Answer | undefined | Promise<Answer | undefined>
}

const long = (value: bigint) => Long.fromString(value.toString(), true)

export const accept = (socket: Socket, { number, door, dc, keys, serverKey, answer }: ConnectionOptions) => {
  const cut = frames()
  const handshake = makeHandshake(serverKey, (authKey, salt) => void keys.add(dc, authKey, salt))
  const seen = new Set<bigint>()
  let key: Key | undefined
  let session: Buffer | undefined
  let listening = false
  let sequence = 0
  let lastId = 0n

  const nextId = (kind: 1n | 3n) => {
    const now = ((BigInt(Date.now()) << 32n) / 1000n) & ~3n
    lastId = (now > lastId ? now : (lastId & ~3n) + 4n) | kind
    return lastId
  }
  const send = (body: Buffer, kind: "content" | "service" = "content") => {
    if (key === undefined || session === undefined || socket.destroyed) return
    const seqno = kind === "content" ? sequence++ * 2 + 1 : sequence * 2
    socket.write(frame(encrypt(key.bytes, { salt: key.salt, session, id: nextId(1n), body }, seqno)))
  }

  const call = async (id: bigint, request: tl.RpcMethod, by: Key) => {
    const fault = (error: unknown) => {
      if (!(error instanceof Fault)) throw error
      return writeError(error.code, error.text)
    }
    try {
      if (by.refusal !== undefined) throw new Fault(by.refusal.code, by.refusal.text)
      const result = await answer({ key: by, dc, request })
      if (result !== undefined) send(rpcResult(id, writeAnswer(result)))
    } catch (error) {
      send(rpcResult(id, fault(error)))
    }
  }

  const service = (id: bigint, message: mtp.TlObject, by: Key) => {
    switch (message._) {
      case "mt_ping":
      case "mt_ping_delay_disconnect":
        return send(write({ _: "mt_pong", msgId: long(id), pingId: message.pingId }), "service")
      case "mt_msgs_state_req":
        return send(
          write({
            _: "mt_msgs_state_info",
            reqMsgId: long(id),
            info: Buffer.from(message.msgIds.map((asked) => (seen.has(BigInt(asked.toString())) ? 4 : 1)))
          }),
          "service"
        )
      case "mt_get_future_salts":
        return send(futureSalts(id, by.salt), "service")
      case "mt_destroy_auth_key":
        keys.remove(key?.id ?? "")
        return send(write({ _: "mt_destroy_auth_key_ok" }), "service")
      case "mt_destroy_session":
        return send(write({ _: "mt_destroy_session_ok", sessionId: message.sessionId }), "service")
      case "mt_rpc_drop_answer":
        return send(rpcResult(id, write({ _: "mt_rpc_answer_unknown" })))
    }
  }

  const container = 0x73f1f8dc
  const packed = 0x3072cfa1
  const take = (id: bigint, body: Buffer, by: Key) => {
    if (body.readUInt32LE(0) === container) {
      let at = 8
      for (let left = body.readUInt32LE(4); left > 0; left--) {
        const length = body.readUInt32LE(at + 12)
        take(body.readBigUInt64LE(at), body.subarray(at + 16, at + 16 + length), by)
        at += 16 + length
      }
      return
    }
    if (body.readUInt32LE(0) === packed) {
      const bytes = new TlBinaryReader(__tlReaderMap, body, 4).bytes()
      return take(id, unzipSync(bytes), by)
    }
    const incoming = read(body)
    const name = incoming.kind === "call" ? incoming.request._ : incoming.message._
    keys.record({ key: by.id, connection: number, door, what: incoming.kind, name })
    if (incoming.kind === "service") return service(id, incoming.message, by)
    if (seen.has(id)) return
    seen.add(id)
    if (incoming.updates) listening = true
    void call(id, incoming.request, by)
  }

  const begin = (message: Message, by: Key) => {
    session = Buffer.from(message.session)
    send(
      write({
        _: "mt_new_session_created",
        firstMsgId: long(message.id),
        uniqueId: Long.fromBytesLE([...randomBytes(8)]),
        serverSalt: Long.fromBytesLE([...by.salt])
      })
    )
  }

  const packet = (bytes: Buffer) => {
    if (bytes.readBigUInt64LE(0) === 0n) {
      const message = new TlBinaryReader(__tlReaderMap, bytes, 20).object() as mtp.TlObject
      const reply = handshake(message)
      if (reply === undefined) return socket.destroy()
      const body = write(reply)
      const head = Buffer.alloc(20)
      head.writeBigUInt64LE(nextId(1n), 8)
      head.writeUInt32LE(body.length, 16)
      return socket.write(frame(Buffer.concat([head, body])))
    }
    const known = keys.get(bytes.subarray(0, 8).toString("hex"))
    if (known === undefined || known.dc !== dc) return socket.write(transportError(404))
    const message = decrypt(known.bytes, bytes)
    if (message === undefined) return socket.destroy()
    key = known
    if (session === undefined || !session.equals(message.session)) begin(message, known)
    if (!message.salt.equals(known.salt)) {
      return send(
        write({
          _: "mt_bad_server_salt",
          badMsgId: long(message.id),
          badMsgSeqno: 0,
          errorCode: 48,
          newServerSalt: Long.fromBytesLE([...known.salt])
        }),
        "service"
      )
    }
    take(message.id, message.body, known)
  }

  socket.on("error", () => undefined)
  socket.on("data", (data: Uint8Array) => {
    keys.record({ key: key?.id ?? "", connection: number, door, what: "bytes", name: String(data.length) })
    for (const bytes of cut(Buffer.from(data))) packet(bytes)
  })

  return {
    keyId: () => key?.id,
    /** To the main connection of a logged-in client only: the others ask for no updates. */
    push: (updates: tl.TypeUpdates) => {
      if (listening) send(write(updates))
    },
    destroy: () => socket.destroy()
  }
}
export type Connection = ReturnType<typeof accept>
