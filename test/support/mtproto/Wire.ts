/**
 * MTProto 2.0 as a data centre speaks it: intermediate frames, AES-IGE and the key of each message, over node:crypto
 * and independent of the client's own code (its WebAssembly does only the block chaining).
 * Source: https://core.telegram.org/mtproto/description
 */
import { createHash, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { ige256Decrypt, ige256Encrypt, initSync, SIMD_AVAILABLE } from "@mtcute/wasm"

initSync(
  readFileSync(
    createRequire(import.meta.url).resolve(`@mtcute/wasm/mtcute${SIMD_AVAILABLE ? "-simd" : ""}.wasm`)
  )
)

export const sha1 = (...parts: ReadonlyArray<Uint8Array>) =>
  createHash("sha1").update(Buffer.concat(parts)).digest()
export const sha256 = (...parts: ReadonlyArray<Uint8Array>) =>
  createHash("sha256").update(Buffer.concat(parts)).digest()

export const igeEncrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array) =>
  Buffer.from(ige256Encrypt(data, key, iv))
export const igeDecrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array) =>
  Buffer.from(ige256Decrypt(data, key, iv))

/** The 8 bytes that name a key, in hexadecimal: how the journal tells one from another. */
export const keyIdOf = (authKey: Uint8Array) => sha1(authKey).subarray(-8).toString("hex")

/** Whose message it is decides which bytes of the key are used. */
type Side = "client" | "server"

const aesOf = (authKey: Buffer, messageKey: Uint8Array, side: Side) => {
  const x = side === "client" ? 0 : 8
  const a = sha256(messageKey, authKey.subarray(x, x + 36))
  const b = sha256(authKey.subarray(x + 40, x + 76), messageKey)
  return {
    key: Buffer.concat([a.subarray(0, 8), b.subarray(8, 24), a.subarray(24, 32)]),
    iv: Buffer.concat([b.subarray(0, 8), a.subarray(8, 24), b.subarray(24, 32)])
  }
}

const messageKeyOf = (authKey: Buffer, plain: Uint8Array, side: Side) => {
  const x = side === "client" ? 88 : 96
  return sha256(authKey.subarray(x, x + 32), plain).subarray(8, 24)
}

export interface Message {
  readonly salt: Buffer
  readonly session: Buffer
  readonly id: bigint
  readonly body: Buffer
}

/** A client's packet; `undefined` where its message key is not that of its content. */
export const decrypt = (authKey: Buffer, packet: Buffer): Message | undefined => {
  const messageKey = packet.subarray(8, 24)
  const { key, iv } = aesOf(authKey, messageKey, "client")
  const plain = igeDecrypt(packet.subarray(24), key, iv)
  if (!messageKeyOf(authKey, plain, "client").equals(messageKey)) return undefined
  return {
    salt: plain.subarray(0, 8),
    session: plain.subarray(8, 16),
    id: plain.readBigUInt64LE(16),
    body: plain.subarray(32, 32 + plain.readUInt32LE(28))
  }
}

export const encrypt = (authKey: Buffer, message: Message, seqno: number): Buffer => {
  const head = Buffer.alloc(32)
  message.salt.copy(head, 0)
  message.session.copy(head, 8)
  head.writeBigUInt64LE(message.id, 16)
  head.writeUInt32LE(seqno, 24)
  head.writeUInt32LE(message.body.length, 28)
  const length = head.length + message.body.length
  const padding = 12 + ((16 - ((length + 12) % 16)) % 16)
  const plain = Buffer.concat([head, message.body, randomBytes(padding)])
  const messageKey = messageKeyOf(authKey, plain, "server")
  const { key, iv } = aesOf(authKey, messageKey, "server")
  return Buffer.concat([sha1(authKey).subarray(-8), messageKey, igeEncrypt(plain, key, iv)])
}

/** Cuts a stream of bytes into its intermediate frames, after the four bytes that announce them. */
export const frames = () => {
  let rest = Buffer.alloc(0)
  let announced = false
  return (bytes: Buffer): ReadonlyArray<Buffer> => {
    rest = Buffer.concat([rest, bytes])
    if (!announced) {
      if (rest.length < 4) return []
      if (rest.readUInt32LE(0) !== 0xeeeeeeee) throw new Error("not the intermediate transport")
      rest = rest.subarray(4)
      announced = true
    }
    const found: Array<Buffer> = []
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) {
      const end = 4 + rest.readUInt32LE(0)
      found.push(rest.subarray(4, end))
      rest = rest.subarray(end)
    }
    return found
  }
}

export const frame = (packet: Uint8Array): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(packet.length)
  return Buffer.concat([length, packet])
}

/** A transport error, such as 404 for a key the data centre does not know. */
export const transportError = (code: number): Buffer => {
  const body = Buffer.alloc(4)
  body.writeInt32LE(-code)
  return frame(body)
}
