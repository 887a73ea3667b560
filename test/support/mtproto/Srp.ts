/**
 * The server's half of Telegram's two-step password, from its description and node:crypto alone.
 * Source: https://core.telegram.org/api/srp
 */
import { pbkdf2Sync, randomBytes } from "node:crypto"
import type { tl } from "@mtcute/core"
import { Long } from "@mtcute/core"
import { sha256 } from "./Wire.ts"

export const prime = Buffer.from(
  "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
  "hex"
)
const p = BigInt(`0x${prime.toString("hex")}`)
const g = 3n

const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
const bytes256 = (value: bigint) => Buffer.from(value.toString(16).padStart(512, "0"), "hex")

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  let square = base % p
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % p
    square = (square * square) % p
  }
  return result
}

const salted = (data: Uint8Array, salt: Uint8Array) => sha256(salt, data, salt)

/** One account's password: a fresh challenge for each `account.getPassword`, and the check of its answer. */
export const makePassword = (password: string, hint?: string) => {
  const salt1 = randomBytes(8)
  const salt2 = randomBytes(16)
  const hash1 = salted(salted(Buffer.from(password), salt1), salt2)
  const x = number(salted(pbkdf2Sync(hash1, salt1, 100_000, 64, "sha512"), salt2))
  const verifier = power(g, x)
  const k = number(sha256(prime, bytes256(g)))
  const challenges = new Map<string, bigint>()

  const challenge = (): tl.account.RawPassword => {
    const id = Long.fromNumber(challenges.size + 1)
    const b = number(randomBytes(256)) % p
    challenges.set(id.toString(), b)
    return {
      _: "account.password",
      hasPassword: true,
      currentAlgo: {
        _: "passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow",
        salt1,
        salt2,
        g: Number(g),
        p: prime
      },
      srpB: bytes256((k * verifier + power(g, b)) % p),
      srpId: id,
      ...(hint === undefined ? {} : { hint }),
      newAlgo: { _: "passwordKdfAlgoUnknown" },
      newSecureAlgo: { _: "securePasswordKdfAlgoUnknown" },
      secureRandom: randomBytes(32)
    }
  }

  const check = (proof: tl.TypeInputCheckPasswordSRP): boolean => {
    if (proof._ !== "inputCheckPasswordSRP") return false
    const b = challenges.get(proof.srpId.toString())
    if (b === undefined) return false
    challenges.delete(proof.srpId.toString())
    const A = number(proof.A)
    const B = (k * verifier + power(g, b)) % p
    const u = number(sha256(bytes256(A), bytes256(B)))
    const K = sha256(bytes256(power(A * power(verifier, u), b)))
    const hashes = sha256(prime).map((byte, nth) => byte ^ sha256(bytes256(g))[nth]!)
    return sha256(hashes, sha256(salt1), sha256(salt2), bytes256(A), bytes256(B), K).equals(
      Buffer.from(proof.M1)
    )
  }
  return { challenge, check }
}
export type Password = ReturnType<typeof makePassword>
