/**
 * How a new key is agreed on: the server's half of the Diffie-Hellman exchange, so that a login begins as a real one
 * does. Source: https://core.telegram.org/mtproto/auth_key
 */
import {
  constants,
  createDiffieHellman,
  createPublicKey,
  type DiffieHellman,
  generateKeyPair,
  privateDecrypt,
  randomBytes
} from "node:crypto"
import { promisify } from "node:util"
import type { mtp } from "@mtcute/core"
import { Long } from "@mtcute/core"
import { __tlReaderMap, TlBinaryReader, TlBinaryWriter } from "@mtcute/core/utils.js"
import { write } from "./Schema.ts"
import { prime } from "./Srp.ts"
import { igeDecrypt, igeEncrypt, sha1, sha256 } from "./Wire.ts"

export interface ServerKey {
  /** PEM of PKCS#1, as Telegram publishes its own. */
  readonly publicKey: string
  readonly fingerprint: Long
  readonly decrypt: (data: Uint8Array) => Buffer
  /** One secret for all exchanges: each new one would cost a quarter of a second, to test the prime again. */
  readonly exchange: () => DiffieHellman
}

/** mtcute looks fingerprints up without their leading zeros and keeps them with: it never finds one in 16 keys. */
const isFindable = (fingerprint: Long) => fingerprint.toString(16).length === 16

const rsaKeys = promisify(generateKeyPair)

/** It takes long to make, in which the servers and clients of a test in this process have to go on. */
export const makeServerKey = async (): Promise<ServerKey> => {
  const { publicKey, privateKey } = await rsaKeys("rsa", { modulusLength: 2048 })
  const { n, e } = createPublicKey(publicKey.export({ type: "spki", format: "pem" })).export({
    format: "jwk"
  })
  const writer = TlBinaryWriter.manual(512)
  writer.bytes(Buffer.from(n!, "base64url"))
  writer.bytes(Buffer.from(e!, "base64url"))
  const digest = sha1(writer.result())
  const fingerprint = Long.fromBytesLE([...digest.subarray(-8)], true)
  if (!isFindable(fingerprint)) return makeServerKey()
  let secret: DiffieHellman | undefined
  const exchange = () => {
    if (secret === undefined) {
      secret = createDiffieHellman(prime, 3)
      secret.generateKeys()
    }
    return secret
  }
  return {
    exchange,
    publicKey: publicKey.export({ type: "pkcs1", format: "pem" }).toString(),
    fingerprint,
    decrypt: (data) =>
      privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, Buffer.from(data))
  }
}

const p = 1_229_739_323
const q = 1_402_015_859
const pq = Buffer.alloc(8)
pq.writeBigUInt64BE(BigInt(p) * BigInt(q))

/** RSA_PAD turned round. */
const unpad = (serverKey: ServerKey, encrypted: Uint8Array): Buffer => {
  const whole = serverKey.decrypt(encrypted)
  const body = whole.subarray(32)
  const hash = sha256(body)
  const key = whole.subarray(0, 32).map((byte, nth) => byte ^ hash[nth]!)
  return Buffer.from(igeDecrypt(body, key, Buffer.alloc(32)).subarray(0, 192).reverse())
}

const keysOf = (serverNonce: Uint8Array, newNonce: Uint8Array) => {
  const a = sha1(newNonce, serverNonce)
  const b = sha1(serverNonce, newNonce)
  const c = sha1(newNonce, newNonce)
  return {
    key: Buffer.concat([a, b.subarray(0, 12)]),
    iv: Buffer.concat([b.subarray(12, 20), c, newNonce.subarray(0, 4)])
  }
}

const withHash = (object: mtp.TlObject): Buffer => {
  const body = write(object)
  const length = 20 + body.length
  return Buffer.concat([sha1(body), body, randomBytes((16 - (length % 16)) % 16)])
}

/** One exchange on one connection: takes a plain message, gives the answer, and at the end the agreed key. */
export const makeHandshake = (
  serverKey: ServerKey,
  agreed: (authKey: Buffer, salt: Buffer) => void
): ((message: mtp.TlObject) => mtp.TlObject | undefined) => {
  const serverNonce = randomBytes(16)
  let newNonce: Uint8Array = Buffer.alloc(32)
  return (message) => {
    switch (message._) {
      case "mt_req_pq_multi":
        return {
          _: "mt_resPQ",
          nonce: message.nonce,
          serverNonce,
          pq,
          serverPublicKeyFingerprints: [serverKey.fingerprint]
        }
      case "mt_req_DH_params": {
        const inner = new TlBinaryReader(__tlReaderMap, unpad(serverKey, message.encryptedData)).object()
        if (typeof inner !== "object" || inner === null || !("newNonce" in inner)) return undefined
        newNonce = inner.newNonce as Uint8Array
        const { key, iv } = keysOf(serverNonce, newNonce)
        const answer = withHash({
          _: "mt_server_DH_inner_data",
          nonce: message.nonce,
          serverNonce,
          g: 3,
          dhPrime: prime,
          gA: serverKey.exchange().getPublicKey(),
          serverTime: Math.floor(Date.now() / 1000)
        })
        return {
          _: "mt_server_DH_params_ok",
          nonce: message.nonce,
          serverNonce,
          encryptedAnswer: igeEncrypt(answer, key, iv)
        }
      }
      case "mt_set_client_DH_params": {
        const { key, iv } = keysOf(serverNonce, newNonce)
        const plain = igeDecrypt(message.encryptedData, key, iv)
        const inner = new TlBinaryReader(__tlReaderMap, plain, 20).object() as mtp.TlObject
        if (inner._ !== "mt_client_DH_inner_data") return undefined
        const secret = serverKey.exchange().computeSecret(Buffer.from(inner.gB))
        const authKey = Buffer.concat([Buffer.alloc(256 - secret.length), secret])
        const salt = Buffer.from(newNonce.subarray(0, 8)).map((byte, nth) => byte ^ serverNonce[nth]!)
        agreed(authKey, Buffer.from(salt))
        return {
          _: "mt_dh_gen_ok",
          nonce: message.nonce,
          serverNonce,
          newNonceHash1: sha1(newNonce, Buffer.from([1]), sha1(authKey).subarray(0, 8)).subarray(4, 20)
        }
      }
      default:
        return undefined
    }
  }
}
