/** How one logs in and out of the loopback Telegram: by QR code, by a code, with the two-step password. */
import { randomBytes } from "node:crypto"
import { Long, type tl } from "@mtcute/core"
import { type Call, Fault } from "./Connection.ts"
import type { Key, Keys } from "./Keys.ts"
import type { Methods } from "./Methods.ts"
import type { Account, World } from "./World.ts"

export interface LoginSettings {
  /** Seconds a QR code is good for. */
  qrSeconds: number
}

export const loginMethods = (world: World, keys: Keys, settings: LoginSettings): Methods => {
  const exported = new Map<string, Account>()

  const authorize = (key: Key, account: Account): tl.auth.RawAuthorization => {
    key.account = account
    key.pending = undefined
    key.token = undefined
    return { _: "auth.authorization", user: world.self(account) }
  }
  const enter = (key: Key, account: Account): tl.auth.RawAuthorization => {
    if (account.password === undefined) return authorize(key, account)
    key.pending = account
    throw new Fault(401, "SESSION_PASSWORD_NEEDED")
  }

  const exportLoginToken = ({ key, dc }: Call): tl.auth.TypeLoginToken => {
    const scannedBy = key.token?.scannedBy
    if (scannedBy !== undefined && scannedBy.dc !== dc) {
      return { _: "auth.loginTokenMigrateTo", dcId: scannedBy.dc, token: key.token!.bytes }
    }
    if (scannedBy !== undefined) {
      return { _: "auth.loginTokenSuccess", authorization: enter(key, scannedBy) }
    }
    // Telegram's clock has whole seconds; one that is about to end would be no code at all.
    const expires = Math.ceil(Date.now() / 1000) + settings.qrSeconds
    key.token = { bytes: randomBytes(16), expires }
    return { _: "auth.loginToken", expires, token: key.token.bytes }
  }

  return {
    "auth.exportLoginToken": exportLoginToken,
    "auth.importLoginToken": ({ key }, { token }) => {
      const from = keys.all().find((other) => other.token?.bytes.equals(Buffer.from(token)))
      if (from?.token?.scannedBy === undefined) throw new Fault(400, "AUTH_TOKEN_INVALID")
      const { scannedBy } = from.token
      from.token = undefined
      return { _: "auth.loginTokenSuccess", authorization: enter(key, scannedBy) }
    },
    "auth.sendCode": ({ key, dc }, { phoneNumber }) => {
      const account = world.byPhone(phoneNumber)
      if (account === undefined) throw new Fault(400, "PHONE_NUMBER_INVALID")
      if (account.dc !== dc) throw new Fault(303, `PHONE_MIGRATE_${account.dc}`)
      key.code = { hash: randomBytes(8).toString("hex"), account, expired: false }
      return {
        _: "auth.sentCode",
        type: { _: "auth.sentCodeTypeApp", length: account.code.length },
        phoneCodeHash: key.code.hash
      }
    },
    "auth.signIn": ({ key }, { phoneCode, phoneCodeHash, phoneNumber }) => {
      if (key.code === undefined || key.code.hash !== phoneCodeHash || key.code.expired) {
        throw new Fault(400, "PHONE_CODE_EXPIRED")
      }
      if (key.code.account.phone !== phoneNumber) throw new Fault(400, "PHONE_NUMBER_INVALID")
      if (key.code.account.code !== phoneCode) throw new Fault(400, "PHONE_CODE_INVALID")
      return enter(key, key.code.account)
    },
    "account.getPassword": ({ key }) => {
      const account = key.pending ?? key.account
      if (account === undefined) throw new Fault(401, "AUTH_KEY_UNREGISTERED")
      return (
        account.password?.challenge() ?? {
          _: "account.password",
          newAlgo: { _: "passwordKdfAlgoUnknown" },
          newSecureAlgo: { _: "securePasswordKdfAlgoUnknown" },
          secureRandom: randomBytes(32)
        }
      )
    },
    "auth.checkPassword": ({ key }, { password }) => {
      const account = key.pending
      if (account?.password === undefined) throw new Fault(401, "AUTH_KEY_UNREGISTERED")
      if (!account.password.check(password)) throw new Fault(400, "PASSWORD_HASH_INVALID")
      return authorize(key, account)
    },
    "auth.logOut": ({ key }) => {
      key.account = undefined
      return { _: "auth.loggedOut" }
    },
    "auth.exportAuthorization": ({ key }) => {
      if (key.account === undefined) throw new Fault(401, "AUTH_KEY_UNREGISTERED")
      const bytes = randomBytes(32)
      exported.set(bytes.toString("hex"), key.account)
      return { _: "auth.exportedAuthorization", id: Long.fromNumber(key.account.id), bytes }
    },
    "auth.importAuthorization": ({ key }, { bytes }) => {
      const account = exported.get(Buffer.from(bytes).toString("hex"))
      if (account === undefined) throw new Fault(400, "AUTH_BYTES_INVALID")
      exported.delete(Buffer.from(bytes).toString("hex"))
      return authorize(key, account)
    }
  }
}
