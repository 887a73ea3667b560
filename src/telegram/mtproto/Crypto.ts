/** The ciphers of MTProto, by Node itself and for the block chaining (IGE), which Node lacks, by mtcute's WebAssembly. */
import { createCipheriv, createHash, createHmac, pbkdf2, randomFillSync } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { promisify } from "node:util"
import { deflateSync, gunzipSync } from "node:zlib"
import { BaseCryptoProvider, type ICryptoProvider } from "@mtcute/core/utils.js"
import { ige256Decrypt, ige256Encrypt, initSync, SIMD_AVAILABLE } from "@mtcute/wasm"

const derive = promisify(pbkdf2)

/** One for all clients of the process: it holds nothing but the compiled module. */
class NodeCrypto extends BaseCryptoProvider implements ICryptoProvider {
  #loading: Promise<void> | undefined

  initialize() {
    this.#loading ??= readFile(
      createRequire(import.meta.url).resolve(`@mtcute/wasm/mtcute${SIMD_AVAILABLE ? "-simd" : ""}.wasm`)
    ).then(initSync)
    return this.#loading
  }
  createAesIge(key: Uint8Array, iv: Uint8Array) {
    return {
      encrypt: (data: Uint8Array) => ige256Encrypt(data, key, iv),
      decrypt: (data: Uint8Array) => ige256Decrypt(data, key, iv)
    }
  }
  createAesCtr(key: Uint8Array, iv: Uint8Array) {
    const cipher = createCipheriv(`aes-${key.length * 8}-ctr`, key, iv)
    return { process: (data: Uint8Array) => cipher.update(data) }
  }
  pbkdf2(password: Uint8Array, salt: Uint8Array, iterations: number, length = 64, algorithm = "sha512") {
    return derive(password, salt, iterations, length, algorithm)
  }
  sha1(data: Uint8Array) {
    return createHash("sha1").update(data).digest()
  }
  sha256(data: Uint8Array) {
    return createHash("sha256").update(data).digest()
  }
  hmacSha256(data: Uint8Array, key: Uint8Array) {
    return createHmac("sha256", key).update(data).digest()
  }
  gzip(data: Uint8Array, maxSize: number) {
    const packed = deflateSync(data)
    return packed.length > maxSize ? null : packed
  }
  gunzip(data: Uint8Array) {
    return gunzipSync(data)
  }
  randomFill(buffer: Uint8Array) {
    randomFillSync(buffer)
  }
}

export const nodeCrypto: ICryptoProvider = new NodeCrypto()
