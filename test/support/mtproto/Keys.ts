/** The keys the data centres have agreed on, who is logged in with which, and what was received with each. */

import { keyIdOf } from "./Wire.ts"
import type { Account } from "./World.ts"

export interface Key {
  readonly id: string
  readonly bytes: Buffer
  readonly dc: number
  salt: Buffer
  account: Account | undefined
  /** Whose password is still asked for. */
  pending: Account | undefined
  /** Why every call with it is refused. */
  refusal: { readonly code: number; readonly text: string } | undefined
  /** The login token shown as a QR code. */
  token: { readonly bytes: Buffer; readonly expires: number; scannedBy?: Account } | undefined
  /** Phone and hash of the code that was asked for. */
  code: { readonly hash: string; readonly account: Account; readonly expired: boolean } | undefined
}

/** One thing received: the bytes of a packet as they came, and the calls in it. */
export interface Received {
  /** `performance.now()` of this process. */
  readonly at: number
  readonly key: string
  readonly connection: number
  /** Through which door it came; 0 is the one all know. */
  readonly door: number
  readonly what: "bytes" | "call" | "service"
  /** The method or the name of the service message; for bytes their number. */
  readonly name: string
}

export const makeKeys = () => {
  const keys = new Map<string, Key>()
  const journal: Array<Received> = []
  return {
    all: () => [...keys.values()],
    get: (id: string) => keys.get(id),
    remove: (id: string) => keys.delete(id),
    add: (dc: number, bytes: Buffer, salt: Buffer, account?: Account): Key => {
      const key: Key = {
        id: keyIdOf(bytes),
        bytes,
        dc,
        salt,
        account,
        pending: undefined,
        refusal: undefined,
        token: undefined,
        code: undefined
      }
      keys.set(key.id, key)
      return key
    },
    journal,
    record: (entry: Omit<Received, "at">) => void journal.push({ ...entry, at: performance.now() })
  }
}
export type Keys = ReturnType<typeof makeKeys>
