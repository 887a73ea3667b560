/**
 * A sealed secret: AES-256-GCM under a named key, bound to where it belongs, so that neither a changed byte nor
 * the envelope of another row opens. Layout: version (1), key id (8), nonce (12), tag (16), ciphertext.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { Option } from "effect"

/** `id`: 16 hexadecimal digits. `bytes`: 32. */
export interface SealingKey {
  readonly id: string
  readonly bytes: Uint8Array
}

/** What a secret is bound to. No part contains a NUL. */
export type Binding = ReadonlyArray<string>

const version = 1
const algorithm = "aes-256-gcm"
const sizes = { id: 8, nonce: 12, tag: 16 } as const
const header = 1 + sizes.id + sizes.nonce + sizes.tag

/** NUL ends each part: no two bindings give the same bytes. */
const aadOf = (binding: Binding): Uint8Array =>
  new TextEncoder().encode([String(version), "zapiska", ...binding].map((part) => `${part}\0`).join(""))

export const newKey = (): SealingKey => ({
  id: randomBytes(sizes.id).toString("hex"),
  bytes: randomBytes(32)
})

export const seal = (key: SealingKey, binding: Binding, secret: Uint8Array): Uint8Array => {
  const nonce = randomBytes(sizes.nonce)
  const cipher = createCipheriv(algorithm, key.bytes, nonce).setAAD(aadOf(binding))
  const sealed = Buffer.concat([cipher.update(secret), cipher.final()])
  return Buffer.concat([
    Uint8Array.of(version),
    Buffer.from(key.id, "hex"),
    nonce,
    cipher.getAuthTag(),
    sealed
  ])
}

/** The id of the key an envelope was sealed under. */
export const keyIdOf = (envelope: Uint8Array): Option.Option<string> =>
  envelope.length >= header && envelope[0] === version
    ? Option.some(Buffer.from(envelope.subarray(1, 1 + sizes.id)).toString("hex"))
    : Option.none()

/** None when it was changed, cut, belongs elsewhere or was sealed under another key. */
export const open = (key: SealingKey, binding: Binding, envelope: Uint8Array): Option.Option<Uint8Array> => {
  if (Option.getOrUndefined(keyIdOf(envelope)) !== key.id) return Option.none()
  const nonceAt = 1 + sizes.id
  const tagAt = nonceAt + sizes.nonce
  const decipher = createDecipheriv(algorithm, key.bytes, envelope.subarray(nonceAt, tagAt), {
    authTagLength: sizes.tag
  })
    .setAAD(aadOf(binding))
    .setAuthTag(envelope.subarray(tagAt, header))
  return Option.liftThrowable(() =>
    Buffer.concat([decipher.update(envelope.subarray(header)), decipher.final()])
  )()
}
